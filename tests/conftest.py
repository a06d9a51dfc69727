"""Fixtures that all tests may ask for."""

import os
from pathlib import Path

import pytest

# Problems in tests are small: threads cost more than they give, above all where another job runs beside the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real stimuli and responses that lie beside the checkout on some machines."""
    path = REPOSITORY.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"real data are not beside this checkout ({path.name} not found in ../shared)")
    return path

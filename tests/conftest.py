"""Fixtures that all tests may ask for."""

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Problems in tests are small: threads cost more than they give, above all where another job runs beside the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_STATES: dict[str, Any] = {}

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


@pytest.fixture(autouse=True)
def same_draws_in_any_order(request: pytest.FixtureRequest) -> None:
    """Put the generator ``RNG`` of a test module back before each test, since tests run in random order."""
    generator = getattr(request.module, "RNG", None)
    if isinstance(generator, np.random.Generator):
        state = _STATES.setdefault(request.module.__name__, copy.deepcopy(generator.bit_generator.state))
        generator.bit_generator.state = copy.deepcopy(state)

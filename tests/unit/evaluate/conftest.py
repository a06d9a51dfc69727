"""Scoring in blocks of one subject, and what a folder of results holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brainalign.evaluate import units
from brainalign.testing import faults


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a block of every subject, as large data do."""
    monkeypatch.setattr(units, "TARGETS_PER_STIMULUS", 0.1)


@pytest.fixture
def content() -> Callable[[Path], dict[str, Any]]:
    """Return a function that gives all files of a folder of results, none of them unfinished, but for the times."""

    def whole(root: Path) -> dict[str, Any]:
        assert list(root.rglob("*.tmp")) == []
        return faults.content(root)

    return whole

"""One small result and its tables."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainalign.results import Result

CLEAN = {"brainalign": "0.1.0", "git": {"commit": "0" * 40, "dirty": False}}


def _merged(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for name, value in changes.items():
        head, _, rest = name.partition("__")
        document[head] = _merged(dict(document[head]), {rest: value}) if rest else value
    return document


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what fsync does: no test here pulls the plug, and each call takes milliseconds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    """Build the JSON of a result; ``metric__version=2`` changes a nested field."""

    def build(**changes: Any) -> dict[str, Any]:
        row = {"subject": "s1", "roi": "V4", "n_stimuli": 100, "n_neuroids": 30, "value": 0.25, "low": 0.1, "high": 0.4}
        undefined = {**row, "layer": "fc", "value": None, "low": None, "high": None, "reason": "constant"}
        return _merged(
            {
                "schema": "brainalign.result/1",
                "embedding": {"model": "open_clip:a/b", "revision": "0a1b", "entry_sha256": "e" * 64},
                "benchmark": {
                    "id": "v4",
                    "version": 1,
                    "sha256": "b" * 64,
                    "data": [{"subject": "s1", "variant": "v", "entry_sha256": "d" * 64}],
                },
                "metric": {"id": "encoding.ridge.r", "version": 1, "params": {}},
                "protocol": {"folds": 5, "seed": 0},
                "simulated": False,
                "rows": [{**row, "layer": "conv"}, undefined],
                "provenance": CLEAN,
            },
            changes,
        )

    return build


@pytest.fixture
def result(document: Callable[..., dict[str, Any]]) -> Callable[..., Result]:
    """Build a result."""

    def build(**changes: Any) -> Result:
        return Result.model_validate(document(**changes))

    return build


@pytest.fixture
def blocks() -> pd.DataFrame:
    """The table of blocks of that result."""
    return pd.DataFrame(
        {
            "subject": "s1",
            "roi": "V4",
            "layer": "conv",
            "block": range(4),
            "n_left_out": 25,
            "value": [0.2, 0.3, 0.25, 0.24],
            "normalised": np.nan,
        }
    )


@pytest.fixture
def neuroids() -> pd.DataFrame:
    """The table of neuroids of that result."""
    values = {"neuroid": range(3), "r": [0.1, 0.2, 0.3], "r2": [0.0, 0.1, np.nan], "alpha": 10.0, "ceiling": 0.5}
    return pd.DataFrame({"subject": "s1", "roi": "V4", "layer": "conv", **values})

"""Stores to try things on, and small responses."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr

from brainalign.store import Store, open_store

_NUMBER = itertools.count()


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out fsync: no test here pulls the plug, and each takes milliseconds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def disk(tmp_path: Path) -> Store:
    """An empty store in a folder."""
    return open_store(tmp_path / "store")


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store in a folder, and one behind an fsspec URL."""
    if request.param == "disk":
        return open_store(tmp_path / "store")
    name = f"test-{next(_NUMBER)}"
    fs = fsspec.filesystem("memory")
    request.addfinalizer(lambda: fs.rm(f"/{name}", recursive=True) if fs.exists(f"/{name}") else None)
    return open_store(f"memory://{name}")


@pytest.fixture
def make_responses() -> Callable[..., xr.Dataset]:
    """Build responses whose values follow from the seed; each id of ``ids`` is one presentation."""

    def build(ids: list[str], n_neuroids: int = 7, *, seed: int = 0, dtype: str = "float32") -> xr.Dataset:
        rng = np.random.default_rng(seed)
        return xr.Dataset(
            {
                "response": (("presentation", "neuroid"), rng.standard_normal((len(ids), n_neuroids)).astype(dtype)),
                "roi": (
                    ("neuroid", "label"),
                    np.arange(n_neuroids)[:, None] % np.array([2, 3]) == 0,
                    {"labels": ["prf-visualrois/V1v", "early"]},
                ),
            },
            coords={
                "stimulus": ("presentation", ids),
                "session": ("presentation", np.arange(len(ids)) // 3),
                "x": ("neuroid", np.arange(n_neuroids)),
                "ncsnr": ("neuroid", np.linspace(0, 1, n_neuroids)),
                "hemisphere": ("neuroid", ["L"] * n_neuroids),
            },
            attrs={"stimulus_set": "pictures", "simulated": True, "affine": np.eye(4)},
        )

    return build


@pytest.fixture
def rdms() -> xr.Dataset:
    """RDMs of five stimuli in two ROIs, each dissimilarity naming its pair."""
    pairs = np.array([10 * i + j for i in range(5) for j in range(i + 1, 5)], dtype=float)
    return xr.Dataset(
        {"dissimilarity": (("roi", "pair"), np.stack([pairs, pairs + 100]))},
        coords={"roi": ["EVC", "IT"], "stimulus": ("stimulus", list("abcde"))},
        attrs={"stimulus_set": "objects"},
    )

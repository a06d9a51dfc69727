"""Miniatures of NSD-synthetic and NSD-imagery, beside a miniature of the core dataset in the same tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import scipy.io
from PIL import Image

from brainalign.testing.mini_nsd import MINI_GRIDS

__all__ = ["add_mini_imagery", "add_mini_synthetic"]

IntArray = npt.NDArray[np.int64]


def add_mini_synthetic(
    root: str | Path, *, subjects: tuple[str, ...] = ("subj01",), seed: int = 0
) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Add 744 trials of 284 images with unequal repeats; return the images, from 1, and the noise sd of each voxel.

    Voxels inside the grid have a signal of variance 1; those on its border are 0, as outside a brain.
    """
    root, rng = Path(root), np.random.default_rng(seed)
    often = np.concatenate([np.full(220, 2), np.full(64, 4)])
    order = rng.permutation(np.concatenate([np.repeat(np.arange(1, 285), often), rng.integers(1, 285, 48)]))
    folder = root / "nsddata" / "experiments" / "nsdsynthetic"
    folder.mkdir(parents=True, exist_ok=True)
    pattern = np.zeros((1, 8, 107))
    pattern[:, :, 7:100] = 1
    fields = {"masterordering": order[None].astype(float), "stimpattern": pattern}
    scipy.io.savemat(folder / "nsdsynthetic_expdesign.mat", fields)
    sd = np.zeros(0)
    for subject in subjects:
        grid = MINI_GRIDS[subject]
        sd = rng.uniform(0.3, 1.5, grid)
        percent = rng.standard_normal((285, *grid))[order] + sd * rng.standard_normal((len(order), *grid))
        _write(root, subject, "nsdsynthetic", percent)
    _write_pictures(root, subjects, rng)
    return order.astype(np.int64), sd


def add_mini_imagery(root: str | Path, *, subjects: tuple[str, ...] = ("subj01",), seed: int = 0) -> None:
    """Add 720 trials; the mean of a trial tells its row (row / 10 percent signal change in all voxels)."""
    root, rng = Path(root), np.random.default_rng(seed)
    for subject in subjects:
        noise = rng.normal(0, 0.1, (720, *MINI_GRIDS[subject]))
        _write(root, subject, "nsdimagery", np.arange(720)[:, None, None, None] / 10 + noise)


def _write(root: Path, subject: str, experiment: str, percent: npt.NDArray[Any]) -> None:
    inside = np.zeros(percent.shape[1:], dtype=bool)
    inside[1:-1, 1:-1, 1:] = True
    stored = np.where(inside, np.rint(300 * percent), 0).astype(np.int16)
    folder = root / "nsddata_betas" / "ppdata" / subject / "func1pt8mm" / f"{experiment}betas_fithrf_GLMdenoise_RR"
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"betas_{experiment}.hdf5", "w") as file:
        data = stored.transpose(0, 3, 2, 1)
        file.create_dataset("betas", data=data, chunks=(len(data), 1, 1, 1))


def _write_pictures(root: Path, subjects: tuple[str, ...], rng: np.random.Generator) -> None:
    for inner in ("nsdsynthetic", *(f"nsdsynthetic_{subject}" for subject in subjects)):
        folder = root / "nsddata" / "stimuli" / "nsdsynthetic" / inner
        folder.mkdir(parents=True, exist_ok=True)
        for image in range(1, 221) if inner == "nsdsynthetic" else range(221, 285):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(
                folder / f"nsdsynthetic{image:03d}.png"
            )

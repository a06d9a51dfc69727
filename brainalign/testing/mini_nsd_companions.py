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


def add_mini_imagery(root: str | Path, *, subjects: tuple[str, ...] = ("subj01",), seed: int = 0) -> IntArray:
    """Add 720 trials in the order in which they were shown; return the condition of each, from 0.

    The mean of a trial tells its row (row / 10 percent signal change in all voxels); what a voxel adds to it tells the
    condition. The 72 conditions are the columns of ``designmatrixGLMsingle.mat``: six a run, shared by the two imagery
    runs of a set, and twelve in attention runs, whose cues and detections are conditions of their own.
    """
    root, rng = Path(root), np.random.default_rng(seed)
    first = {"visA": 0, "visB": 1, "visC": 2, "attA": 3, "attB": 5, "attC": 7, "imgA": 9, "imgB": 10, "imgC": 11}
    sets = [f"{task}{which}" for which in "ABC" for task in ("vis", "att", "img")]
    runs = [*(f"{run}_1" if run.startswith("img") else run for run in sets), "imgA_2", "imgB_2", "imgC_2"]
    designs, shown = np.empty((1, len(runs)), dtype=object), []
    for number, run in enumerate(runs):
        n = 12 if run.startswith("att") else 6
        order = 6 * first[run[:4]] + rng.permutation(np.repeat(np.arange(n), 8))
        design = np.zeros((5 * len(order), 72))
        design[5 * np.arange(len(order)) + 2, order] = 1
        designs[0, number] = design
        shown.append(order)
    folder = root / "nsddata" / "experiments" / "nsdimagery"
    folder.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(folder / "designmatrixGLMsingle.mat", {"stimulus": designs}, do_compression=True)
    conditions = np.concatenate(shown).astype(np.int64)
    for subject in subjects:
        signal = 5 * rng.standard_normal((72, *MINI_GRIDS[subject]))
        signal -= signal[:, 1:-1, 1:-1, 1:].mean(axis=(1, 2, 3), keepdims=True)
        noise = rng.normal(0, 0.1, (720, *MINI_GRIDS[subject]))
        _write(root, subject, "nsdimagery", np.arange(720)[:, None, None, None] / 10 + signal[conditions] + noise)
    return conditions


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

"""Miniatures of the trees that nilearn's fetchers lay out: haxby and miyawaki2008, synthetic numbers only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Image

__all__ = ["BlockTruth", "make_haxby_tree", "make_miyawaki_tree"]

FloatArray = npt.NDArray[np.float64]
CATEGORIES = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")
AFFINE = np.array([[-3.5, 0, 0, 70.0], [0, 3.75, 0, -60.0], [0, 0, 3.75, -40.0], [0, 0, 0, 1.0]])
SIDES = ("LH", "RH")
AREAS = ("V1d", "V1v", "V2d", "V2v", "V3A", "V3", "V4v", "VP")


@dataclass(frozen=True)
class BlockTruth:
    """What a miniature of a block design was made of.

    Attributes
    ----------
    root : Path
        The tree.
    patterns : array, shape (n_stimuli, x, y, z)
        Response of every voxel to every stimulus, in units of the signal.
    stimuli : list of str
    noise : array, shape (x, y, z)
        Standard deviation of the noise of single volumes.
    lag : int
        Volumes by which the response follows.
    masks : dict of arrays of bool, shape (x, y, z)
    labels : list of str
        Of every volume, runs in order.
    runs : list of int
    """

    root: Path
    patterns: FloatArray
    stimuli: list[str]
    noise: FloatArray
    lag: int
    masks: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)


def make_haxby_tree(data_dir: str | Path, *, subject: str = "subj1", seed: int = 0) -> BlockTruth:
    """Write ``haxby2001`` with one subject: 12 runs of 80 volumes, eight blocks of eight volumes each, int16."""
    rng = np.random.default_rng(seed)
    grid = (6, 5, 4)
    root = Path(data_dir) / "haxby2001"
    (root / subject).mkdir(parents=True, exist_ok=True)
    (root / "MD5SUMS").write_text("")
    labels: list[str] = []
    for _ in range(12):
        for category in rng.permutation(CATEGORIES):
            labels += ["rest"] * 2 + [str(category)] * 8
    runs = [run for run in range(12) for _ in range(80)]
    patterns = rng.standard_normal((8, *grid))
    noise = rng.uniform(0.3, 1.5, grid)
    patterns[:, 0, 0, 0], noise[0, 0, 0] = 0, 0  # a voxel that never varies
    series = _series(patterns, list(CATEGORIES), labels, runs, "rest", 2, noise, rng)
    _save(root / subject / "bold.nii.gz", np.round(800 + 50 * series).astype(np.int16))
    lines = ["labels chunks", *(f"{label} {run}" for label, run in zip(labels, runs, strict=True))]
    (root / subject / "labels.txt").write_text("\n".join(lines) + "\n")
    masks = {"mask": np.ones(grid, bool), "vt": rng.random(grid) < 0.6}
    for name, share in (("face", 0.3), ("house", 0.3), ("face_little", 0.2), ("house_little", 0.2)):
        masks[name] = rng.random(grid) < share
    files = ("mask4_vt", "mask8b_face_vt", "mask8b_house_vt", "mask8_face_vt", "mask8_house_vt")
    for file, name in zip(files, list(masks)[1:], strict=True):
        _save(root / subject / f"{file}.nii.gz", masks[name].astype(np.uint8))
    _save(root / "mask.nii.gz", masks["mask"].astype(np.uint8))
    _save(root / subject / "anat.nii.gz", rng.integers(0, 200, grid).astype(np.int16))
    return BlockTruth(root, patterns, list(CATEGORIES), noise, 2, masks, labels, runs)


def make_miyawaki_tree(data_dir: str | Path, *, n_patterns: int = 3, seed: int = 0) -> BlockTruth:
    """Write ``miyawaki2008``: 12 runs of figures that return in every run, 20 of random patterns, 39 masks.

    Each pattern stands for three volumes and is followed by two of rest; ``n_patterns`` a run.
    """
    rng = np.random.default_rng(seed)
    grid = (5, 6, 7)
    root = Path(data_dir) / "miyawaki2008"
    for folder in ("func", "label", "mask"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    figures = rng.integers(0, 2, (n_patterns, 10, 10))
    weights = rng.standard_normal((100, *grid)) / 10
    noise = rng.uniform(0.3, 1.5, grid)
    truth = BlockTruth(root, np.empty((0, *grid)), [], noise, 2)
    seen: dict[str, FloatArray] = {}
    for run in range(32):
        kind, number = ("figure", run + 1) if run < 12 else ("random", run - 11)
        shown = figures if kind == "figure" else rng.integers(0, 2, (n_patterns, 10, 10))
        names = [f"{kind}-{int(''.join(map(str, p.ravel())), 2):025x}" for p in shown]
        seen |= {name: np.tensordot(p.ravel(), weights, 1) for name, p in zip(names, shown, strict=True)}
        labels = ["rest"] * 2 + [label for name in names for label in [name] * 3 + ["rest"] * 2]
        rows = [np.full(100, -1)] * 2
        for p in shown:
            rows += [p.ravel(order="F")] * 3 + [np.full(100, -1)] * 2
        np.savetxt(root / "label" / f"data_{kind}_run{number:02d}_label.csv", rows, fmt="%d", delimiter=",")
        stimuli = list(dict.fromkeys(names))
        patterns = np.stack([seen[name] for name in stimuli])
        series = _series(patterns, stimuli, labels, [0] * len(labels), "rest", 2, noise, rng)
        _save(root / "func" / f"data_{kind}_run{number:02d}.nii.gz", np.round(1000 + 40 * series).astype(np.int16))
        truth.labels.extend(labels)
        truth.runs.extend([run + 1] * len(labels))
    for name in _miyawaki_masks():
        truth.masks[name] = np.ones(grid, bool) if name == "mask" else rng.random(grid) < 0.3
        _save(root / "mask" / f"{name}.nii.gz", truth.masks[name].astype(np.uint8))
    _save(root / "bg.nii.gz", rng.integers(0, 200, grid).astype(np.int16))
    final = np.stack(list(seen.values()))
    return BlockTruth(root, final, list(seen), noise, 2, truth.masks, truth.labels, truth.runs)


def _miyawaki_masks() -> list[str]:
    lags = [f"lag{n}to{n + 1}" for n in range(11)]
    return ["mask", *(side + part for side in SIDES for part in (*lags, *AREAS))]


def _series(
    patterns: FloatArray,
    stimuli: list[str],
    labels: list[str],
    runs: list[int],
    rest: str,
    lag: int,
    noise: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Return a time series (x, y, z, t): the pattern ``lag`` volumes later, a drift in each run, noise."""
    grid = patterns.shape[1:]
    series = np.zeros((len(labels), *grid))
    for t, label in enumerate(labels):
        if label != rest and t + lag < len(labels) and runs[t + lag] == runs[t]:
            series[t + lag] += patterns[stimuli.index(label)]
    series += rng.standard_normal(series.shape) * noise
    drift = np.concatenate([np.linspace(-1, 1, runs.count(run)) for run in dict.fromkeys(runs)])
    return np.moveaxis(series + drift[:, None, None, None] * (noise > 0), 0, 3)


def _save(path: Path, values: npt.NDArray[Any]) -> None:
    Nifti1Image(values, AFFINE).to_filename(path)  # type: ignore[no-untyped-call]

"""A miniature of the Natural Scenes Dataset, one twentieth of it: same files, same conventions, synthetic numbers.

3650 images (50 shared, 450 of each of eight subjects), 1500 planned trials in two sessions of 750. subj01 and subj02
ran both, subj04 only the first. Every axis has another length. The truth behind the numbers lies in ``truth/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.io

from brainalign.testing.mini_nsd_brain import MiniBrain, write_betas, write_maps

__all__ = ["MINI_GRIDS", "MINI_SESSIONS", "MiniDesign", "make_mini_nsd", "write_full_shape"]

IntArray = npt.NDArray[np.int64]

N_SUBJECTS, N_SHARED, N_OWN, N_SESSIONS, SESSION = 8, 50, 450, 2, 750
N_IMAGES = N_SHARED + N_SUBJECTS * N_OWN
N_FEATURES = 8
RUNS = [63 - i % 2 for i in range(12)]
MINI_SESSIONS = {"subj01": 2, "subj02": 2, "subj04": 1}
MINI_GRIDS = {"subj01": (7, 8, 6), "subj02": (6, 9, 5), "subj04": (8, 7, 6)}


@dataclass(frozen=True)
class MiniDesign:
    """Ids as in the files (from 1) and the latent features of every image, shape (3650, 8), rows by nsdId."""

    ordering: IntArray
    subjectim: IntArray
    shared: IntArray
    features: npt.NDArray[np.float64]

    def nsd_ids(self, subject: str) -> IntArray:
        """nsdId, from 0, of every planned trial."""
        ids: IntArray = self.subjectim[int(subject[4:]) - 1, self.ordering - 1] - 1
        return ids


def make_mini_nsd(
    root: str | Path,
    *,
    subjects: Sequence[str] = tuple(MINI_SESSIONS),
    spaces: Sequence[str] = ("func1pt8mm", "fsaverage"),
    versions: Sequence[str] = ("betas_fithrf_GLMdenoise_RR",),
    formats: Sequence[str] = ("hdf5", "nii.gz"),
    seed: int = 0,
) -> MiniDesign:
    """Write the miniature below ``root``.

    Parameters
    ----------
    root : path
    subjects : sequence of str
        Of subj01, subj02, subj04.
    spaces : sequence of str
        ``func1mm`` and ``nativesurface`` can be added.
    versions : sequence of str
        Versions of the betas; each has its own noise.
    formats : sequence of str
        Of hdf5 and nii.gz, for volumes.
    seed : int

    Returns
    -------
    MiniDesign
    """
    root, rng = Path(root), np.random.default_rng(seed)
    design = _design(rng)
    _write_design(root, design)
    _write_table(root, design, rng)
    _write_images(root, rng)
    for subject in subjects:
        n_trials = MINI_SESSIONS[subject] * SESSION
        ids = design.nsd_ids(subject)[:n_trials]
        _write_behaviour(root, subject, design, ids, rng)
        for space in spaces:
            brain = MiniBrain.draw(subject, space, MINI_GRIDS[subject], design.features, rng)
            write_maps(root, brain, rng)
            for version in versions:
                write_betas(root, brain, version, ids, formats, rng)
    return design


def write_full_shape(path: Path, places: IntArray, values: npt.NDArray[np.int16]) -> None:
    """Write an HDF5 file of subj01's real shape, (750, 83, 104, 81), with values in a few voxels (x, y, z) only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("betas", (SESSION, 83, 104, 81), "i2", chunks=(SESSION, 1, 1, 1))
        for (x, y, z), column in zip(places, values.T, strict=True):
            data[:, z, y, x] = column


def _design(rng: np.random.Generator) -> MiniDesign:
    order = rng.permutation(N_IMAGES) + 1
    shared = np.sort(order[:N_SHARED])
    own = order[N_SHARED:].reshape(N_SUBJECTS, N_OWN)
    subjectim = np.concatenate([np.tile(shared, (N_SUBJECTS, 1)), own], axis=1)
    ordering = rng.permutation(np.repeat(np.arange(1, N_SHARED + N_OWN + 1), 3))
    return MiniDesign(ordering, subjectim, shared, rng.standard_normal((N_IMAGES, N_FEATURES)))


def _write_design(root: Path, design: MiniDesign) -> None:
    pattern = np.zeros((N_SESSIONS, 12, 75))
    for run, n in enumerate(RUNS):
        pattern[:, run, np.linspace(3, 71, n).round().astype(int)] = 1
    counts = [[np.sum(np.bincount(design.ordering[: s * SESSION])[1:] >= k) for s in (1, 2)] for k in (1, 2, 3)]
    folder = root / "nsddata" / "experiments" / "nsd"
    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "masterordering": design.ordering[None].astype(float),
        "subjectim": design.subjectim.astype(float),
        "sharedix": design.shared[None].astype(float),
        "basiccnt": np.array(counts, dtype=float),
        "stimpattern": pattern,
    }
    scipy.io.savemat(folder / "nsd_expdesign.mat", fields, do_compression=True)


def _write_table(root: Path, design: MiniDesign, rng: np.random.Generator) -> None:
    table: dict[str, Any] = {
        "cocoId": rng.permutation(10 * N_IMAGES)[:N_IMAGES] + 1,
        "cocoSplit": np.where(rng.random(N_IMAGES) < 0.1, "val2017", "train2017"),
        "cropBox": "(0, 0, 0.1671875, 0.1671875)",
        "loss": 0.1,
        "nsdId": np.arange(N_IMAGES),
        "flagged": False,
        "BOLD5000": False,
        "shared1000": np.isin(np.arange(N_IMAGES), design.shared - 1),
    }
    for s in range(N_SUBJECTS):
        table[f"subject{s + 1}"] = np.isin(np.arange(N_IMAGES), design.subjectim[s] - 1).astype(int)
    for s in range(N_SUBJECTS):
        when = np.zeros((N_IMAGES, 3), dtype=int)
        seen = np.zeros(N_IMAGES, dtype=int)
        for trial, image in enumerate(design.nsd_ids(f"subj{s + 1:02d}"), start=1):
            when[image, seen[image]] = trial
            seen[image] += 1
        table |= {f"subject{s + 1}_rep{r}": when[:, r] for r in range(3)}
    frame = pd.DataFrame(table)
    frame.to_csv(root / "nsddata" / "experiments" / "nsd" / "nsd_stim_info_merged.csv")
    frame.to_pickle(root / "nsddata" / "experiments" / "nsd" / "nsd_stim_info_merged.pkl")


def _write_images(root: Path, rng: np.random.Generator) -> None:
    folder = root / "nsddata_stimuli" / "stimuli" / "nsd"
    folder.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (N_IMAGES, 8, 8, 3), dtype=np.uint8)
    pixels[..., 0] = (np.arange(N_IMAGES) % 251)[:, None, None]  # a mix-up of ids shows in the red channel
    with h5py.File(folder / "nsd_stimuli.hdf5", "w") as file:
        file.create_dataset("imgBrick", data=pixels, chunks=(64, 8, 8, 3))


def _write_behaviour(root: Path, subject: str, design: MiniDesign, ids: IntArray, rng: np.random.Generator) -> None:
    n = len(ids)
    seen: dict[int, int] = {}
    old = np.array([seen.setdefault(int(i), t) < t for t, i in enumerate(ids)])
    pressed = rng.random(n) > 0.02
    correct = rng.random(n) > 0.2
    runs = n // SESSION

    def if_pressed(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.where(pressed, values.astype(float), np.nan)

    table = pd.DataFrame(
        {
            "SUBJECT": int(subject[4:]),
            "SESSION": np.repeat(np.arange(1, runs + 1), SESSION),
            "RUN": np.tile(np.repeat(np.arange(1, 13), RUNS), runs),
            "TRIAL": np.tile(np.concatenate([np.arange(1, k + 1) for k in RUNS]), runs),
            "73KID": ids + 1,
            "10KID": design.ordering[:n],
            "TIME": np.repeat(np.arange(1, runs + 1), SESSION) + np.tile(np.linspace(0.5, 0.55, SESSION), runs),
            "ISOLD": old.astype(int),
            "ISCORRECT": if_pressed(correct),
            "RT": if_pressed(rng.normal(900, 150, n)),
            "CHANGEMIND": if_pressed(rng.random(n) < 0.05),
            "MEMORYRECENT": np.where(old, rng.integers(1, 500, n), np.nan),
            "MEMORYFIRST": np.where(old, rng.integers(1, 500, n), np.nan),
            "ISOLDCURRENT": old.astype(int),
            "ISCORRECTCURRENT": if_pressed(correct),
            "TOTAL1": 1,
            "TOTAL2": 0,
            "BUTTON": if_pressed(1 + old),
            "MISSINGDATA": 0,
        }
    )
    folder = root / "nsddata" / "ppdata" / subject / "behav"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "responses.tsv", sep="\t", index=False, na_rep="NaN")

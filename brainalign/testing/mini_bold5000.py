"""A miniature of BOLD5000: both releases of one subject, synthetic numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import scipy.io

from brainalign.testing.mini_volumes import some_mask, write_volume

__all__ = ["make_bold5000"]

Array = npt.NDArray[Any]
REGIONS = tuple(f"{side}{area}" for area in ("EarlyVis", "LOC", "OPA", "PPA", "RSC") for side in ("LH", "RH"))
MASK_NAMES = {"LHLOC": "LHLO", "RHLOC": "RHLO", "RHRSC": "RHRRSC"}
GRID, N_VOXELS, N_SESSIONS, N_TRIALS = (5, 6, 4), 62, 2, 37
TYPED = "GLMbetas-TYPED-FITHRF-GLMDENOISE-RR"


def make_bold5000(root: str | Path, *, subject: str = "CSI1", seed: int = 0) -> dict[str, Any]:
    """Write two sessions of 37 trials; 8 images are shown four times, and the sessions differ in mean and scale.

    Parameters
    ----------
    root : path
        Folder that is made.
    subject : str
    seed : int

    Returns
    -------
    dict
        ``stimulus``, ``session``, ``matrices`` (region to trials x voxels: release 2), ``first`` (TR to the same:
        release 1), ``volume`` (trials x voxels of the mask), ``mask``, ``masks`` (region to voxels of the mask).
    """
    rng = np.random.default_rng(seed)
    root = Path(root)
    files = _files(rng)
    session = np.repeat(np.arange(1, N_SESSIONS + 1), N_TRIALS)
    matrices = {name: _responses(files, 3 + i, session, rng) for i, name in enumerate(REGIONS)}
    volume = _responses(files, N_VOXELS, session, rng)
    _write_lists(root, subject, files)
    folder = root / "BOLD5000_GLMsingle_ROI_betas" / "py"
    folder.mkdir(parents=True)
    for name, values in matrices.items():
        np.save(folder / f"{subject}_{TYPED}_allses_{name}.npy", values)
    mask = some_mask(GRID, N_VOXELS, rng)
    write_volume(root / f"{subject}_brainmask.nii.gz", mask.astype(np.uint8))
    for number in range(1, N_SESSIONS + 1):
        betas = np.zeros((*GRID, N_TRIALS), dtype=np.float32)
        betas[mask] = volume[session == number].T
        write_volume(root / f"{subject}_{TYPED}_ses-{number:02d}.nii.gz", betas)
    masks = {name: rng.random(N_VOXELS) < 0.3 for name in REGIONS}
    for name, members in masks.items():
        values = np.zeros(GRID, dtype=np.uint8)
        values[mask] = members
        spelling = MASK_NAMES.get(name, name)
        write_volume(root / "derivatives/spm" / f"sub-{subject}" / f"sub-{subject}_mask-{spelling}.nii.gz", values)
    return {
        "stimulus": [file.removeprefix("rep_").rsplit(".", 1)[0] for file in files],
        "session": session.tolist(),
        "matrices": matrices,
        "first": _first_release(root, subject, files, session, rng),
        "volume": volume,
        "mask": mask,
        "masks": masks,
    }


def _files(rng: np.random.Generator) -> list[str]:
    """Names in the order of the trials, marked ``rep_`` from the second time on."""
    kinds = ("COCO_train2014_{:012d}.jpg", "n{:08d}_7.JPEG", "scene{}.jpg")
    names = [kinds[i % 3].format(1000 + i) for i in range(N_SESSIONS * N_TRIALS - 24)]
    order = rng.permutation([*range(len(names)), *list(range(8)) * 3])
    seen: set[int] = set()
    files = []
    for i in order.tolist():
        files.append(f"rep_{names[i]}" if i in seen else names[i])
        seen.add(i)
    return files


def _responses(files: list[str], n_voxels: int, session: Array, rng: np.random.Generator) -> Array:
    images = [file.removeprefix("rep_") for file in files]
    signal = dict(zip(dict.fromkeys(images), rng.standard_normal((len(images), n_voxels)), strict=False))
    values = np.stack([signal[image] for image in images]) + 0.7 * rng.standard_normal((len(images), n_voxels))
    values = (values + 2.0 * session[:, None]) * (0.5 + session[:, None])
    values[:, 0] = 1
    return values.astype(np.float32)


def _write_lists(root: Path, subject: str, files: list[str]) -> None:
    (root / "ROIs" / "stim_lists").mkdir(parents=True)
    text = "".join(f"{file}\n" for file in files)
    (root / f"{subject}_imgnames.txt").write_text(text)
    number = int(subject.removeprefix("CSI"))
    (root / "ROIs" / "stim_lists" / f"CSI{number:02d}_stim_lists.txt").write_text(text)


def _first_release(
    root: Path, subject: str, files: list[str], session: Array, rng: np.random.Generator
) -> dict[str, dict[str, Array]]:
    found = {}
    for tr in ("1", "34"):
        matrices = {name: _responses(files, 2 + i, session, rng) for i, name in enumerate(REGIONS)}
        for kind in ("h5", "mat"):
            (root / "ROIs" / subject / kind).mkdir(parents=True, exist_ok=True)
        with h5py.File(root / "ROIs" / subject / "h5" / f"{subject}_ROIs_TR{tr}.h5", "w") as file:
            for name, values in matrices.items():
                file[name] = values
        scipy.io.savemat(root / "ROIs" / subject / "mat" / f"{subject}_ROIs_TR{tr}.mat", matrices)
        found[tr] = matrices
    return found

"""Miniatures of BIDS derivatives: one fMRIPrep run in a volume and on a surface, and single-trial betas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from nibabel.gifti.gifti import GiftiDataArray, GiftiImage
from nibabel.nifti1 import Nifti1Image

__all__ = ["BetaTruth", "make_betas_tree", "make_fmriprep_tree"]

AFFINE = np.array([[-2.0, 0, 0, 10.0], [0, 2.0, 0, -12.0], [0, 0, 2.0, -8.0], [0, 0, 0, 1.0]])


@dataclass(frozen=True)
class BetaTruth:
    """What the single-trial betas of a miniature were made of; arrays in the order of sessions and trials."""

    root: Path
    betas: npt.NDArray[np.float32]
    stimuli: list[str]
    sessions: list[str]
    mask: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int16]
    names: dict[int, str]


def make_fmriprep_tree(root: str | Path, *, n_volumes: int = 20, n_vertices: int = 30, seed: int = 0) -> Path:
    """Write one run as fMRIPrep does: preprocessed BOLD (4, 4, 4, 20), mask, confounds, surfaces, label table."""
    rng = np.random.default_rng(seed)
    root = Path(root)
    func = root / "sub-01" / "func"
    func.mkdir(parents=True, exist_ok=True)
    _describe(root, "fMRIPrep")
    space = "sub-01_task-x_run-01_space-MNI152NLin2009cAsym"
    bold = (1000 + 10 * rng.standard_normal((4, 4, 4, n_volumes))).astype(np.float32)
    _save(func / f"{space}_desc-preproc_bold.nii.gz", bold)
    (func / f"{space}_desc-preproc_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1:3, 1:4, 0:3] = 1
    _save(func / f"{space}_desc-brain_mask.nii.gz", mask)
    labels = np.where(mask, 1 + (np.arange(64).reshape(4, 4, 4) % 3), 0).astype(np.int16)
    _save(func / f"{space}_desc-aparcaseg_dseg.nii.gz", labels)
    table = pd.DataFrame({"index": [0, 1, 2, 3], "name": ["Unknown", "pericalcarine", "cuneus", "lingual"]})
    table.to_csv(root / "desc-aparcaseg_dseg.tsv", sep="\t", index=False)
    _confounds(func / "sub-01_task-x_run-01_desc-confounds_timeseries", n_volumes, rng)
    for side, extra in (("L", 0), ("R", 4)):
        arrays = [_gifti_array(rng.standard_normal(n_vertices + extra)) for _ in range(n_volumes)]
        image = GiftiImage(darrays=arrays)  # type: ignore[no-untyped-call]
        image.to_filename(func / f"sub-01_task-x_run-01_hemi-{side}_space-fsaverage5_bold.func.gii")
    return root


def make_betas_tree(root: str | Path, *, n_trials: int = 12, seed: int = 0) -> BetaTruth:
    """Write single-trial betas of two sessions as ``_statmap`` files with a ``_trials`` table, mask and label image.

    Sessions have an offset of their own, stimuli return, and one trial of each session shows nothing (``n/a``).
    """
    rng = np.random.default_rng(seed)
    root, grid = Path(root), (5, 4, 3)
    _describe(root, "GLMsingle")
    pool = [f"img{i:02d}.png" for i in range(8)]
    patterns = rng.standard_normal((len(pool), *grid))
    betas, stimuli, sessions = [], [], []
    for session in ("01", "02"):
        func = root / "sub-01" / f"ses-{session}" / "func"
        func.mkdir(parents=True, exist_ok=True)
        shown = [str(name) for name in rng.permutation(np.resize(pool, n_trials))]
        values = np.stack([patterns[pool.index(name)] for name in shown]) + rng.normal(0, 0.5, (n_trials, *grid))
        values = (values + int(session)).astype(np.float32)
        stem = f"sub-01_ses-{session}_task-images"
        _save(func / f"{stem}_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz", np.moveaxis(values, 0, 3))
        names = ["n/a" if i == 3 else name for i, name in enumerate(shown)]
        table = pd.DataFrame({"run": 1, "beta_index": np.arange(n_trials), "label": names})
        table.to_csv(func / f"{stem}_desc-SingletrialBetas_trials.tsv", sep="\t", index=False)
        kept = [i for i in range(n_trials) if i != 3]
        betas.append(values[kept])
        stimuli += [shown[i] for i in kept]
        sessions += [session] * len(kept)
    mask = rng.random(grid) < 0.7
    labels = np.where(rng.random(grid) < 0.5, rng.integers(1, 3, grid), 0).astype(np.int16)
    labels[0, 0, 0] = -1
    anat = root / "sub-01" / "anat"
    anat.mkdir(exist_ok=True)
    _save(anat / "sub-01_space-T1w_desc-brain_mask.nii.gz", mask.astype(np.uint8))
    _save(anat / "sub-01_space-T1w_atlas-streams_dseg.nii.gz", labels)
    names_of = {1: "early", 2: "ventral"}
    rows = pd.DataFrame({"index": [0, *names_of], "name": ["Unknown", *names_of.values()]})
    rows.to_csv(anat / "sub-01_atlas-streams_dseg.tsv", sep="\t", index=False)
    return BetaTruth(root, np.concatenate(betas), stimuli, sessions, mask, labels, names_of)


def _describe(root: Path, tool: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    about = {"Name": tool, "BIDSVersion": "1.8.0", "DatasetType": "derivative", "GeneratedBy": [{"Name": tool}]}
    (root / "dataset_description.json").write_text(json.dumps(about))


def _confounds(stem: Path, n_volumes: int, rng: np.random.Generator) -> None:
    motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    names = [f"{name}{form}" for name in motion for form in ("", "_derivative1", "_power2", "_derivative1_power2")]
    names += [
        "csf",
        "white_matter",
        "global_signal",
        "framewise_displacement",
        "std_dvars",
        "cosine00",
        "a_comp_cor_00",
    ]
    table: Any = pd.DataFrame(rng.standard_normal((n_volumes, len(names))), columns=names)
    missing = [n for n in names if "derivative1" in n or n in ("framewise_displacement", "std_dvars")]
    table = table.astype(object)
    table.loc[0, missing] = "n/a"
    table.to_csv(f"{stem}.tsv", sep="\t", index=False)
    Path(f"{stem}.json").write_text(json.dumps({"a_comp_cor_00": {"Mask": "combined", "Method": "aCompCor"}}))


def _save(path: Path, values: npt.NDArray[Any]) -> None:
    Nifti1Image(values, AFFINE).to_filename(path)  # type: ignore[no-untyped-call]


def _gifti_array(values: npt.NDArray[Any]) -> GiftiDataArray:
    intent = "NIFTI_INTENT_TIME_SERIES"
    return GiftiDataArray(values.astype(np.float32), intent=intent)  # type: ignore[no-untyped-call]

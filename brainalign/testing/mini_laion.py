"""A miniature of LAION-fMRI: one subject, two sessions, synthetic numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.testing.mini_volumes import some_mask, write_volume

__all__ = ["make_laion_fmri"]

Array = npt.NDArray[Any]
GRID, N_VOXELS, N_SHARED, N_UNIQUE, N_SESSIONS = (5, 5, 5), 50, 12, 8, 2


def make_laion_fmri(root: str | Path, *, subject: str = "sub-01", seed: int = 0) -> dict[str, Any]:
    """Write two sessions, each with 12 shared images twice and 4 of 8 unique images once.

    Tables list the trials in another order than the volumes; sessions differ in mean and scale; one voxel is constant.

    Parameters
    ----------
    root : path
        Folder that is made.
    subject : str
    seed : int

    Returns
    -------
    dict
        ``response`` (trial, voxel), ``stimulus``, ``session``, ``run``, ``mask``, ``masks`` and ``nc_12rep``.
    """
    rng = np.random.default_rng(seed)
    base = Path(root) / "derivatives" / "glmsingle-tedana" / subject
    mask = some_mask(GRID, N_VOXELS, rng)
    shared = [f"shared_12rep_LAION_cluster_{1000 + i}_i0.jpg" for i in range(N_SHARED)]
    unique = [f"unique_LAION_cluster_{2000 + i}_i1.jpg" for i in range(N_UNIQUE)]
    signal = {name: rng.standard_normal(N_VOXELS) for name in shared + unique}
    found: dict[str, list[Any]] = {"response": [], "stimulus": [], "session": [], "run": []}
    for session in range(1, N_SESSIONS + 1):
        own = unique[(session - 1) * N_UNIQUE // 2 : session * N_UNIQUE // 2]
        shown = [str(name) for name in rng.permutation([*shared, *shared, *own])]
        values = np.stack([signal[name] for name in shown]) + 0.6 * rng.standard_normal((len(shown), N_VOXELS))
        values = ((values + session) * session).astype(np.float32)
        values[:, 0] = 3
        runs = np.arange(len(shown)) // 7 + 1
        _session(base / f"ses-{session:02d}" / "func", f"{subject}_ses-{session:02d}", mask, values, shown, runs, rng)
        found["response"].append(values)
        found["stimulus"] += [name.removesuffix(".jpg") for name in shown]
        found["session"] += [session] * len(shown)
        found["run"] += runs.tolist()
    start = base / f"{subject}_task-images_space-T1w_desc"
    write_volume(Path(f"{start}-meanR2gt15mask_mask.nii.gz"), mask.astype(np.uint8), side=1.8)
    ceilings = {name: rng.uniform(0, 90, GRID) for name in ("4rep", "12rep", "Allrep")}
    for name, values in ceilings.items():
        write_volume(Path(f"{start}-Noiseceiling{name}_statmap.nii.gz"), values, side=1.8)
    masks = {name: rng.random(N_VOXELS) < 0.4 for name in ("V1", "lFFA")}
    for name, members in masks.items():
        volume = np.zeros(GRID, dtype=np.uint8)
        volume[mask] = members
        path = Path(root) / "derivatives" / "rois" / subject / "rois" / f"{subject}_space-T1w_label-{name}_mask.nii.gz"
        write_volume(path, volume, side=1.8)
    return {
        **found,
        "response": np.concatenate(found["response"]),
        "mask": mask,
        "masks": masks,
        "nc_12rep": ceilings["12rep"][mask],
    }


def _session(
    folder: Path, start: str, mask: Array, values: Array, shown: list[str], runs: Array, rng: np.random.Generator
) -> None:
    volumes = np.zeros((*GRID, len(values)), dtype=np.float32)
    volumes[mask] = values.T
    write_volume(
        folder / f"{start}_task-images_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz", volumes, side=1.8
    )
    table = pd.DataFrame(
        {"session": start[-2:], "run": runs, "beta_index": np.arange(len(shown)), "label": shown}
    ).sample(frac=1, random_state=int(rng.integers(1000)))
    table.to_csv(folder / f"{start}_task-images_desc-SingletrialBetas_trials.tsv", sep="\t", index=False)

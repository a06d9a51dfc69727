"""A miniature of LAION-fMRI: one subject, two sessions, synthetic numbers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from brainalign.testing.mini_volumes import some_mask, write_volume

__all__ = ["make_laion_fmri"]

Array = npt.NDArray[Any]
GRID, N_VOXELS, N_SHARED, N_UNIQUE, N_SESSIONS = (5, 5, 5), 50, 12, 8, 2


def make_laion_fmri(root: str | Path, *, subject: str = "sub-01", seed: int = 0) -> dict[str, Any]:
    """Write two sessions, each with 12 shared images twice and 4 of 8 unique images once, the images and a split.

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
    _write_stimuli(Path(root) / "stimuli", shared + unique, rng)
    _write_splits(Path(root) / "splits" / "shared", shared)
    return {
        **found,
        "response": np.concatenate(found["response"]),
        "mask": mask,
        "masks": masks,
        "nc_12rep": ceilings["12rep"][mask],
    }


def _write_stimuli(folder: Path, names: list[str], rng: np.random.Generator) -> None:
    """Write the archive of encoded images and the table that names its rows, which come in no order."""
    folder.mkdir(parents=True, exist_ok=True)
    order = [str(name) for name in rng.permutation(names)]
    with h5py.File(folder / "task-images_stimuli.h5", "w") as file:
        rows = file.create_dataset("images", (len(order),), dtype=h5py.vlen_dtype(np.uint8))
        for row in range(len(order)):
            data = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(data, "JPEG")
            rows[row] = np.frombuffer(data.getvalue(), dtype=np.uint8)
    table = pd.DataFrame({"image_name": order, "participant": ""})
    table.to_csv(folder / "task-images_metadata.csv", index=False)


def _write_splits(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    train, test = names[4:], names[:4]
    variant: dict[str, Any] = {"variant_id": 0, "train_ids": train, "test_ids": test}
    content: dict[str, Any] = {
        "name": "tau",
        "pool": "shared (12 images)",
        "splitter": "min_nn_stochastic",
        "params": {"seed": 1},
    }
    content |= {"n_train": len(train), "n_test": len(test), "variants": [variant]}
    (folder / "tau.json").write_text(json.dumps(content, indent=2))


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

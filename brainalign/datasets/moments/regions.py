"""Masks and regions of BOLD Moments, and the betas of single regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.masked_frames import Mask, read_mask
from brainalign.datasets.moments.files import VideoBetas, shape_of
from brainalign.datasets.roi_masks import Masks
from brainalign.datasets.trees import find_files
from brainalign.errors import DatasetError
from brainalign.foreign.unpickling import load_pickle

__all__ = ["region_betas", "region_masks", "subject_mask"]

Array = npt.NDArray[Any]

WHOLE = ("WB", "BMDgeneral")
"""Files that hold the voxels of all regions at once."""
FIRST_VIDEO = {"train": 1, "test": 1001}


def region_betas(
    root: Path, subject: str, splits: tuple[str, ...], *, trust_pickle: bool
) -> tuple[list[VideoBetas], Masks]:
    """Read the files of single regions side by side; videos are in published order, ``vid0001`` and ``vid1001`` on.

    Raises
    ------
    DatasetError
        If a file is not trusted, not of this form, or has other videos than the first.
    """
    paths = {}
    for path in find_files(root, f"{subject}_roi-*_betas_normalized.pkl"):
        paths[path.name.split("_roi-")[1].removesuffix("_betas_normalized.pkl")] = path
    names = [name for name in paths if name not in WHOLE] or list(paths)
    regions = {name: _region(paths[name], splits, trust_pickle=trust_pickle) for name in sorted(names)}
    first = next(iter(regions))
    found = []
    for split in splits:
        for name, region in regions.items():
            if region[split].shape[:2] != regions[first][split].shape[:2]:
                raise DatasetError(
                    f"{paths[name]} has {split} betas of shape {region[split].shape}, {paths[first]} of "
                    f"{regions[first][split].shape}; the same videos and repeats were expected."
                )
        betas = np.concatenate([region[split] for region in regions.values()], axis=2)
        ids = [f"vid{FIRST_VIDEO[split] + i:04d}" for i in range(len(betas))]
        found.append(VideoBetas(split, paths[first], betas, ids))
    home = np.repeat(np.array(list(regions)), [region[splits[0]].shape[2] for region in regions.values()])
    return found, {name: home == name for name in regions}


def subject_mask(root: Path, subject: str, found: list[VideoBetas]) -> Mask | None:
    """Return the mask of a subject: of its pickles, else ``sub-01_mask-nonans_…nii``, else the group's if it fits.

    Raises
    ------
    DatasetError
        If there are masks and none has as many voxels as the betas.
    """
    masks = []
    for split in found:
        data = None if split.image is None else split.image.data
        if data is not None and split.image is not None:
            affine = split.image.affine
            masks.append(Mask(np.squeeze(data) > 0, np.eye(4) if affine is None else affine, str(split.path)))
    masks += [read_mask(path) for path in find_files(root, f"{subject}_mask-nonans_space-MNI152.nii*")]
    fitting = [mask for mask in masks if mask.size == found[0].n_neuroids]
    if masks and not fitting:
        sizes = ", ".join(f"{mask.of} marks {mask.size}" for mask in masks)
        raise DatasetError(f"{found[0].path} has {found[0].n_neuroids} voxels; {sizes}. They are of two subjects.")
    if not fitting:
        group = [read_mask(path) for path in find_files(root, "groupMask_space-MNI152.nii*")]
        fitting = [mask for mask in group if mask.size == found[0].n_neuroids]
    return fitting[0] if fitting else None


def region_masks(root: Path, subject: str, mask: Mask, *, trust_pickle: bool) -> tuple[Masks, int]:
    """Read ``ROI-<region>_indices.pkl``: regions over the voxels of the mask, and how many voxels lie outside it.

    Raises
    ------
    DatasetError
        If a file is not of this form, or its indices do not fit the grid.
    """
    place = np.full(mask.inside.shape, -1)
    place[mask.inside] = np.arange(mask.size)
    masks: Masks = {}
    outside = 0
    for path in find_files(root, "ROI-*_indices.pkl"):
        if subject not in path.parts:
            continue
        given = load_pickle(path, trust_pickle=trust_pickle)
        indices = np.asarray(given[0]) if isinstance(given, (list, tuple)) and given else np.empty(0)
        fits = indices.ndim == 2 and indices.shape[1] == 3 and indices.dtype.kind in "iu"
        if not fits or (indices < 0).any() or (indices >= place.shape).any():
            raise DatasetError(
                f"{path} holds no voxel indices (n, 3) of a grid of {place.shape}, but {indices.dtype} {indices.shape}."
            )
        voxels = place[tuple(indices.T)]
        outside += int((voxels < 0).sum())
        members = np.zeros(mask.size, dtype=bool)
        members[voxels[voxels >= 0]] = True
        masks[path.name.removeprefix("ROI-").removesuffix("_indices.pkl")] = members
    return masks, outside


def _region(path: Path, splits: tuple[str, ...], *, trust_pickle: bool) -> dict[str, Array]:
    given = load_pickle(path, trust_pickle=trust_pickle)
    found = {}
    for split in splits:
        betas = given.get(f"{split}_data_allvoxel") if isinstance(given, dict) else None
        if not isinstance(betas, np.ndarray) or betas.ndim != 3 or betas.dtype.kind != "f":
            raise DatasetError(
                f"{path}: {split}_data_allvoxel is {shape_of(betas)}; numbers (video, repeat, voxel) were expected."
            )
        found[split] = betas
    return found

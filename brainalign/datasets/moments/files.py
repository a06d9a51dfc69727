"""The pickles of BOLD Moments: betas, masks and regions. All are read by the restricted reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.roi_masks import Masks
from brainalign.datasets.trees import find_files
from brainalign.datasets.unpickling import PickledImage, load_pickle
from brainalign.datasets.volumes import Mask, read_mask
from brainalign.errors import DatasetError

__all__ = [
    "ORGANIZED",
    "SPACES",
    "VideoBetas",
    "organized_betas",
    "region_betas",
    "region_masks",
    "subject_mask",
    "subjects_with",
]

Array = npt.NDArray[Any]

SPACES = ("mni152", "fslr32k", "fsaverage", "rois")
FOLDERS = {"mni152": "MNI152", "fslr32k": "fsLR32k", "fsaverage": "fsaverage"}
ORGANIZED = {
    "mni152": "MNI152/GLM/sub-01/prepared_betas/sub-01_organized_betas_task-train_normalized.pkl",
    "fslr32k": "fsLR32k/GLM/sub-01/prepared_betas/sub-01_organized_betas_task-train_normalized.pkl",
    "fsaverage": "fsaverage/GLM/sub-01/prepared_betas/sub-01_organized_betas_task-train_hemi-left_normalized.pkl",
    "rois": "MNI152/prepared_allvoxel_pkl/sub-01/sub-01_roi-lV1v_betas_normalized.pkl",
}
"""An example of the files of each variant, for messages."""
WHOLE = ("WB", "BMDgeneral")
"""Files that hold the voxels of all regions at once."""
FIRST_VIDEO = {"train": 1, "test": 1001}


@dataclass(frozen=True)
class VideoBetas:
    """Betas of one split.

    Attributes
    ----------
    name : str
    path : Path
    betas : array, shape (n_videos, n_repeats, n_neuroids)
    ids : list of str
    image : PickledImage or None
        Mask that came with them.
    hemispheres : tuple of int
        Vertices of each, on a surface.
    """

    name: str
    path: Path
    betas: Array
    ids: list[str]
    image: PickledImage | None = None
    hemispheres: tuple[int, ...] = ()

    @property
    def n_repeats(self) -> int:
        """Presentations of each video."""
        return int(self.betas.shape[1])

    @property
    def n_neuroids(self) -> int:
        """Number of voxels or vertices."""
        return int(self.betas.shape[2])

    def matrix(self) -> Array:
        """Return presentations of the first video, then of the second, and so on, x neuroids; no copy."""
        return self.betas.reshape(-1, self.n_neuroids)


def subjects_with(root: Path, space: str, splits: tuple[str, ...]) -> set[str]:
    """Return the subjects that have files of a variant."""
    if space == "rois":
        found = find_files(root, "sub-*_roi-*_betas_normalized.pkl")
    else:
        found = [path for split in splits for path in _organized(root, "sub-*", space, split)]
    return {path.name.split("_")[0] for path in found}


def organized_betas(root: Path, subject: str, space: str, split: str, *, trust_pickle: bool) -> VideoBetas:
    """Read the betas of a split: a pickled (betas, order of the videos, mask), or one a hemisphere without mask.

    Raises
    ------
    DatasetError
        If the file is absent, not trusted, or not of this form.
    """
    paths = _organized(root, subject, space, split)
    wanted = 2 if space == "fsaverage" else 1
    if len(paths) != wanted:
        example = ORGANIZED[space].replace("sub-01", subject).replace("train", split)
        raise DatasetError(f"{root} has {len(paths)} files like {example}; {wanted} expected. Give one release.")
    parts = [_betas(path, split, trust_pickle=trust_pickle) for path in paths]
    if len(parts) == 1:
        return parts[0]
    if parts[0].ids != parts[1].ids or parts[0].n_repeats != parts[1].n_repeats:
        raise DatasetError(f"{paths[0]} and {paths[1]} have other videos, or in another order.")
    betas = np.concatenate([part.betas for part in parts], axis=2)
    return VideoBetas(split, paths[0], betas, parts[0].ids, None, tuple(part.n_neuroids for part in parts))


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
    """Return the mask of a subject: of its pickles where they hold it, else ``sub-01_mask-nonans_…nii``.

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


def _organized(root: Path, subject: str, space: str, split: str) -> list[Path]:
    hemisphere = "_hemi-*" if space == "fsaverage" else ""
    found = find_files(root, f"{subject}_organized_betas_task-{split}{hemisphere}_normalized.pkl")
    others = {folder for name, folder in FOLDERS.items() if name != space}
    return [path for path in found if not others & set(path.relative_to(root).parts)]


def _betas(path: Path, split: str, *, trust_pickle: bool) -> VideoBetas:
    given = load_pickle(path, trust_pickle=trust_pickle)
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise DatasetError(f"{path} holds {type(given).__name__}; expected (betas, order of the videos[, mask]).")
    betas, order = given[0], np.asarray(given[1]).ravel().tolist()
    if not isinstance(betas, np.ndarray) or betas.ndim != 3 or betas.dtype.kind != "f":
        raise DatasetError(f"{path}: the betas are {_shape(betas)}; numbers (video, repeat, voxel) were expected.")
    ids = [str(name).rsplit("/", 1)[-1].removesuffix(".mp4") for name in order]
    if len(ids) != len(betas) or not all(re.fullmatch(r"\w+", name) for name in ids):
        raise DatasetError(f"{path} names {len(ids)} videos, {ids[:2]} …; the betas have {len(betas)}.")
    image = given[2] if len(given) == 3 and isinstance(given[2], PickledImage) else None
    return VideoBetas(split, path, betas, ids, image)


def _region(path: Path, splits: tuple[str, ...], *, trust_pickle: bool) -> dict[str, Array]:
    given = load_pickle(path, trust_pickle=trust_pickle)
    found = {}
    for split in splits:
        betas = given.get(f"{split}_data_allvoxel") if isinstance(given, dict) else None
        if not isinstance(betas, np.ndarray) or betas.ndim != 3 or betas.dtype.kind != "f":
            raise DatasetError(
                f"{path}: {split}_data_allvoxel is {_shape(betas)}; numbers (video, repeat, voxel) were expected."
            )
        found[split] = betas
    return found


def _shape(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__

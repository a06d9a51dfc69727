"""The prepared betas of BOLD Moments, pickles of whole brains."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.trees import find_files
from brainalign.errors import DatasetError
from brainalign.foreign.unpickling import PickledImage, load_pickle

__all__ = [
    "shape_of",
    "ORGANIZED",
    "SPACES",
    "VideoBetas",
    "organized_betas",
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
        raise DatasetError(f"{path}: the betas are {shape_of(betas)}; numbers (video, repeat, voxel) were expected.")
    ids = [str(name).rsplit("/", 1)[-1].removesuffix(".mp4") for name in order]
    if len(ids) != len(betas) or not all(re.fullmatch(r"\w+", name) for name in ids):
        raise DatasetError(f"{path} names {len(ids)} videos, {ids[:2]} …; the betas have {len(betas)}.")
    image = given[2] if len(given) == 3 and isinstance(given[2], PickledImage) else None
    return VideoBetas(split, path, betas, ids, image)


def shape_of(value: Any) -> str:
    """Return what a value is, for messages."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__

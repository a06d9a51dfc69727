"""NIfTI volumes of released datasets: one grid, a mask, and frames read one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.volumeutils import apply_read_scaling

from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import refuse_inflated_image
from brainalign.foreign.read_through import open_unpacked, read_through, values_of

__all__ = [
    "Mask",
    "frame_count",
    "frame_dtype",
    "masked_frames",
    "read_mask",
    "read_volume",
    "whole_grid",
    "without_missing",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Mask:
    """Voxels that are taken, in C order over (x, y, z), the order of ``array[mask]`` and of nilearn's maskers.

    Attributes
    ----------
    inside : array of bool, shape (x, y, z)
    affine : array, shape (4, 4)
    of : str
        File that the grid comes from, for messages.
    """

    inside: npt.NDArray[np.bool_]
    affine: npt.NDArray[np.float64]
    of: str

    @property
    def size(self) -> int:
        """Number of voxels inside."""
        return int(self.inside.sum())

    def coordinates(self) -> dict[str, Array]:
        """Return x, y, z of each voxel, 0-based indices."""
        return dict(zip("xyz", np.nonzero(self.inside), strict=True))

    def attrs(self) -> dict[str, Any]:
        """Return what is needed to put values back into the volume."""
        return {"shape": list(self.inside.shape), "affine": self.affine.tolist()}

    def values(self, path: Path) -> Array:
        """Return a volume of the same grid at the voxels inside."""
        return read_volume(path, like=self)[self.inside]


def read_mask(path: Path) -> Mask:
    """Read a mask; every value above 0 is inside.

    Raises
    ------
    DatasetError
        If the file is absent, damaged, not a volume, or nothing is inside.
    """
    values = read_volume(path)
    inside = np.nan_to_num(values) > 0
    if not inside.any():
        raise DatasetError(f"{path} marks no voxel of {inside.shape}.")
    return Mask(inside, np.asarray(_open(path).affine, dtype=np.float64), str(path))


def whole_grid(path: Path) -> Mask:
    """Return the grid of a volume with every voxel inside; only the header is read."""
    image = _open(path)
    return Mask(np.ones(image.shape[:3], dtype=bool), np.asarray(image.affine, dtype=np.float64), str(path))


def read_volume(path: Path, *, like: Mask | None = None) -> Array:
    """Read a volume of three dimensions (a fourth of one frame is dropped).

    Raises
    ------
    DatasetError
        If the file is absent or damaged, or its grid is not that of ``like``.
    """
    image = _open(path)
    shape = image.shape[:3] if image.shape[3:] == (1,) else image.shape
    if len(shape) != 3:
        raise DatasetError(f"{path} has shape {image.shape}; one volume (x, y, z) was expected.")
    _require_grid(path, shape, like)
    with damage(path):
        values: Array = values_of(image, path).reshape(shape)
    return values


def frame_count(path: Path, *, like: Mask | None = None) -> int:
    """Return the number of frames of a volume (x, y, z, frame); only the header is read."""
    shape = _open(path).shape
    if len(shape) not in (3, 4):
        raise DatasetError(f"{path} has shape {shape}; (x, y, z, trial) was expected.")
    _require_grid(path, shape[:3], like)
    return int(shape[3]) if len(shape) == 4 else 1


def frame_dtype(path: Path) -> np.dtype[Any]:
    """Return the type of the frames as nibabel gives them: scaled integers become floating-point numbers."""
    data = _open(path).dataobj
    one = np.zeros(1, dtype=np.dtype(data.dtype).newbyteorder("="))
    return np.dtype(apply_read_scaling(one, data.slope, data.inter).dtype)


def without_missing(mask: Mask, paths: Sequence[Path]) -> tuple[Mask, int]:
    """Leave out voxels without data, which are NaN in any frame of some file; return how many these are.

    Reads every frame of files that hold floating-point numbers, one frame at a time; whole numbers have no NaN.

    Raises
    ------
    DatasetError
        If a file is damaged or of another grid, or no voxel is left.
    """
    there = np.ones(mask.size, dtype=bool)
    for path in paths:
        frame_count(path, like=mask)
        for values in _frames(path, mask) if frame_dtype(path).kind == "f" else ():
            there &= ~np.isnan(values)
    inside = mask.inside.copy()
    inside[mask.inside] = there
    if not there.any():
        raise DatasetError(
            f"{mask.of} marks {mask.size} voxels, and all are NaN in some of {len(paths)} files of betas."
        )
    return Mask(inside, mask.affine, mask.of), int((~there).sum())


def masked_frames(path: Path, mask: Mask, *, limit: int | None = None) -> Array:
    """Read the voxels inside a mask of every frame (or the first ``limit``), shape (n_frames, n_voxels).

    One frame is in memory at a time beside the result, also where the file is compressed.

    Raises
    ------
    DatasetError
        If the file is absent, damaged or cut off, or its grid is not that of the mask.
    """
    stored = frame_count(path, like=mask)
    n = stored if limit is None else min(limit, stored)
    out = np.empty((n, mask.size), dtype=frame_dtype(path))
    for frame, values in zip(range(n), _frames(path, mask), strict=False):
        out[frame] = values
    return out


def _frames(path: Path, mask: Mask) -> Iterator[Array]:
    """Yield the voxels inside a mask of one frame after the other."""
    data, stored = _open(path).dataobj, frame_count(path, like=mask)
    shape, dtype = mask.inside.shape, np.dtype(data.dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    places = np.ravel_multi_index(np.nonzero(mask.inside), shape, order="F")
    with open_unpacked(path) as file:
        with damage(path):
            file.seek(data.offset)
        for frame in range(stored):
            with damage(path):
                raw = file.read(size)
                if frame == stored - 1:
                    read_through(file)
            if len(raw) < size:
                raise DatasetError(f"{path} is cut off: it holds {frame} of {stored} frames. Fetch it again.")
            yield apply_read_scaling(np.frombuffer(raw, dtype=dtype)[places], data.slope, data.inter)


def _open(path: Path) -> Any:
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    with damage(path, "a NIfTI volume"):
        image: Any = nib.load(path)
        refuse_inflated_image(image.shape, image.get_data_dtype(), path)
        return image


def _require_grid(path: Path, shape: tuple[int, ...], like: Mask | None) -> None:
    if like is not None and tuple(shape) != like.inside.shape:
        raise DatasetError(
            f"{path} has a grid of {tuple(shape)}; that of {like.of} is {like.inside.shape}. It belongs to another "
            "subject or space: use files of one release, or resample it first (labels by nearest neighbour)."
        )

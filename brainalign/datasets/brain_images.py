"""Volumes and surfaces as flat maps: one grid, many maps, NIfTI, GIfTI, MGH, FreeSurfer annotations, nilearn objects.

The places of a volume are its voxels in C order over (x, y, z), the order of nilearn's maskers and of
``array[mask]``; the places of a surface are the vertices of the left hemisphere, then of the right one.
"""

from __future__ import annotations

import gzip
import os
import struct
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.freesurfer.io import read_annot
from nibabel.freesurfer.mghformat import MGHImage
from nibabel.gifti.gifti import GiftiImage
from nibabel.nifti1 import Nifti1Image

from brainalign.datasets.matrices import load_array
from brainalign.errors import DatasetError, InputError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import refuse_inflated, refuse_inflated_image
from brainalign.foreign.read_through import is_packed, open_unpacked, read_through

__all__ = ["HEMISPHERES", "Grid", "MapStack", "open_maps", "read_annotation"]

Array = npt.NDArray[Any]
HEMISPHERES = ("lh", "rh")
SIDES = {"left": 0, "lh": 0, "L": 0, "right": 1, "rh": 1, "R": 1}
BLOCK_BYTES = 256 << 20
AFFINE_TOLERANCE = 1e-3  # of a voxel: headers keep float32, and tools round


@dataclass(frozen=True)
class Grid:
    """Where values lie.

    Attributes
    ----------
    shape : tuple of int
        (x, y, z) of a volume; vertices of the left and the right hemisphere of a surface.
    affine : array, shape (4, 4), or None
        Of a volume.
    """

    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64] | None

    @property
    def is_volume(self) -> bool:
        """Whether places are voxels."""
        return self.affine is not None

    @property
    def size(self) -> int:
        """Number of places."""
        return int(np.prod(self.shape)) if self.is_volume else sum(self.shape)

    def coordinates(self, places: npt.NDArray[np.intp]) -> dict[str, Array]:
        """Return x, y, z (0-based voxel indices), or vertex (0-based within its hemisphere) and hemisphere."""
        if self.is_volume:
            return dict(zip("xyz", np.unravel_index(places, self.shape), strict=True))
        right = places >= self.shape[0]
        return {
            "vertex": places - right * self.shape[0],
            "hemisphere": np.array(HEMISPHERES, dtype=object)[right.astype(int)],
        }

    def attrs(self, surface: str) -> dict[str, Any]:
        """Return what is needed to put values back on the grid; ``surface`` names the mesh."""
        if self.affine is not None:
            return {"shape": list(self.shape), "affine": self.affine.tolist()}
        return {"shape": list(self.shape), "surface": surface}

    def image(self, values: Array) -> Any:
        """Return one map as `open_maps` takes it: a NIfTI image, or the arrays of the hemispheres."""
        if self.affine is None:
            return {"left": values[: self.shape[0]], "right": values[self.shape[0] :]}
        return Nifti1Image(values.reshape(self.shape), self.affine)  # type: ignore[no-untyped-call]

    def require_same(self, other: Grid, name: str, of: str) -> None:
        """Raise if ``other``, the grid of the image ``name``, is not this one, that of ``of``."""
        way_out = "Resample it to that grid first, labels and masks by nearest neighbour."
        if self.is_volume != other.is_volume or self.shape != other.shape:
            raise DatasetError(f"{name} lies on {other}; {of} lies on {self}. {way_out}")
        if self.affine is None or other.affine is None:
            return
        step = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)).min()
        away = float(np.abs(self.affine - other.affine).max())
        if away > AFFINE_TOLERANCE * step:
            raise DatasetError(
                f"{name} has the shape of {of} but another affine (they differ by {away:.3g}, a voxel is {step:.3g}): "
                f"voxels of one number are not the same place. {way_out}"
            )

    def __str__(self) -> str:
        if self.is_volume:
            return f"a volume of {' x '.join(map(str, self.shape))} voxels"
        return f"a surface of {self.shape[0]} left and {self.shape[1]} right vertices"


@dataclass(frozen=True)
class MapStack:
    """Maps on one grid, read when they are asked for.

    Attributes
    ----------
    grid : Grid
    parts : list of (name, image)
        In order; images hold one map or several.
    counts : list of int
        Maps in each part.
    """

    grid: Grid
    parts: list[tuple[str, Any]]
    counts: list[int]

    @property
    def name(self) -> str:
        """What messages call it."""
        more = f" and {len(self.parts) - 1} more" if len(self.parts) > 1 else ""
        return f"{self.parts[0][0]}{more}"

    @property
    def n_maps(self) -> int:
        """Number of maps."""
        return sum(self.counts)

    def read(self, places: npt.NDArray[np.intp]) -> Array:
        """Return the maps at some places, shape (n_maps, n_places), float32 where the files hold no more."""
        values: Array = np.empty((self.n_maps, len(places)), dtype=np.float32)
        start = 0
        for name, image in self.parts:
            for block in _blocks(name, image, self.grid):
                kind, size = block.dtype.kind, block.dtype.itemsize
                if not (size <= 4 if kind == "f" else size <= 2):  # float32 would round
                    values = values.astype(np.float64, copy=False)
                values[start : start + len(block)] = block[:, places]
                start += len(block)
        return values

    def one(self) -> Array:
        """Return the only map, shape (n_places,).

        Raises
        ------
        DatasetError
            If there are several.
        """
        if self.n_maps != 1:
            raise DatasetError(f"{self.name} holds {self.n_maps} maps; a mask or a label image has one.")
        values: Array = self.read(np.arange(self.grid.size))[0]
        return values


def open_maps(given: Any) -> MapStack:
    """Open maps on one grid.

    Parameters
    ----------
    given : path, image, or sequence of them
        A NIfTI volume (3-D or 4-D); a nilearn ``SurfaceImage``; a mapping ``{"left": …, "right": …}`` of files or
        arrays (``.gii``, ``.mgh``, ``.mgz``, ``.annot``; one hemisphere may be absent); a surface file whose name says
        its hemisphere (``lh.``, ``rh.``, ``_hemi-L``, ``_hemi-R``); or a list of such, one map after the other. Two
        surface files in a row that differ in hemisphere are one image.

    Raises
    ------
    DatasetError
        If a file is absent, damaged or of another kind, or the images lie on different grids.
    """
    items = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not items:
        raise InputError("no image was given.")
    parts: list[tuple[str, Any]] = []
    grid: Grid | None = None
    counts = []
    for item in _paired(items):
        name, image = _opened(item)
        own, count = _grid_of(name, image)
        if grid is None:
            grid = own
        else:
            grid.require_same(own, name, parts[0][0])
        parts.append((name, image))
        counts.append(count)
    assert grid is not None
    return MapStack(grid, parts, counts)


def _paired(items: Sequence[Any]) -> Iterator[Any]:
    """Put the two hemispheres of one surface image together."""
    waiting: dict[str, Any] = {}
    for item in items:
        side = _side_of(item)
        if side is None:
            if waiting:
                yield waiting
                waiting = {}
            yield item
            continue
        if side in waiting:
            yield waiting
            waiting = {}
        waiting[side] = item
        if len(waiting) == 2:
            yield waiting
            waiting = {}
    if waiting:
        yield waiting


def _side_of(item: Any) -> str | None:
    if not isinstance(item, (str, os.PathLike)):
        return None
    name = Path(item).name
    if name.endswith((".nii", ".nii.gz")):
        return None
    for side in HEMISPHERES:
        if name.startswith(f"{side}.") or f"_hemi-{side[0].upper()}" in name:
            return side
    if name.endswith((".gii", ".gii.gz", ".mgh", ".mgz", ".annot")):
        raise DatasetError(
            f"the name of {item} does not say which hemisphere it is (lh., rh., _hemi-L, _hemi-R); "
            "give {'left': file, 'right': file}."
        )
    return None


def _opened(item: Any) -> tuple[str, Any]:
    """Return a name, and a volume image or the pair of arrays (vertex, map) of two hemispheres."""
    if isinstance(item, (str, os.PathLike)):
        return str(item), _load(Path(item))
    if isinstance(item, Mapping):
        unknown = [side for side in item if side not in SIDES]
        if unknown or not item:
            raise InputError(f"a surface image is given as {{'left': …, 'right': …}}; given {list(item)}")
        sides: list[Array | None] = [None, None]
        for side, part in item.items():
            sides[SIDES[side]] = _surface_array(part)
        name = " and ".join(str(p) if isinstance(p, (str, os.PathLike)) else f"the {s} array" for s, p in item.items())
        return name, _hemispheres(sides, name)
    parts = getattr(getattr(item, "data", None), "parts", None)
    if isinstance(parts, Mapping):
        return "the surface image", _hemispheres(
            [_surface_array(parts[side]) if side in parts else None for side in ("left", "right")], "the surface image"
        )
    if hasattr(item, "dataobj") and hasattr(item, "affine"):
        return str(item.get_filename() or "the image"), item
    raise InputError(f"expected an image, a file, or a mapping of hemispheres; given {type(item).__name__}")


def _load(path: Path) -> Any:
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    try:
        image: Any = nib.load(path, keep_file_open=True) if path.suffix == ".nii" else nib.load(path)
        if is_packed(path) and hasattr(image, "dataobj") and hasattr(image, "from_stream"):
            stream = gzip.open(path)  # noqa: SIM115 - closed with the image
            image = type(image).from_stream(stream)
            weakref.finalize(image, stream.close)
    except Exception as error:  # nibabel raises ImageFileError, HeaderDataError, OSError, ExpatError and more
        raise DatasetError(f"{path} does not read as an image ({error}); expected NIfTI, GIfTI or MGH.") from error
    if hasattr(image, "dataobj"):
        refuse_inflated_image(image.shape, image.get_data_dtype(), path)
    return image


def _surface_array(part: Any) -> Array:
    """Return one hemisphere as (vertex, map)."""
    if not isinstance(part, (str, os.PathLike)):
        values = np.asarray(part)
    elif str(part).endswith(".annot"):
        values = read_annotation(str(part))[0]
    elif str(part).endswith(".npy"):
        values = load_array(Path(part))
    elif str(part).endswith((".mgh", ".mgz")):
        values = _mgh_array(Path(part))
    else:
        image = _load(Path(part))
        if not isinstance(image, GiftiImage):
            raise DatasetError(f"{part} is no surface data; expected .gii, .mgh, .mgz, .annot or .npy.")
        values = _gifti_array(image, str(part))
    if values.ndim not in (1, 2) or not values.size:
        raise DatasetError(
            f"{part if isinstance(part, str) else 'a hemisphere'} has shape {values.shape}, not (vertex, map)."
        )
    return values.reshape(len(values), -1)


def _mgh_array(path: Path) -> Array:
    """Return (vertex, map); nibabel, given a path, leaves the file open."""
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    with damage(path, "MGH"), open_unpacked(path) as file:
        image = MGHImage.from_stream(file)
        refuse_inflated_image(image.shape, image.get_data_dtype(), path)
        values = np.asanyarray(image.dataobj).copy()
        read_through(file)
    return values.reshape(values.shape[0], -1)


def read_annotation(path: str) -> tuple[Array, dict[int, str]]:
    """Return the labels of a FreeSurfer annotation and their names, from 1 on; 0 for no region."""
    with damage(path, "a FreeSurfer annotation"):
        _refuse_large_table(Path(path))
        labels, _, names = read_annot(path)  # type: ignore[no-untyped-call]
        return np.asarray(labels) + 1, dict(enumerate((name.decode() for name in names), start=1))


def _refuse_large_table(path: Path) -> None:
    """Refuse a colour table that promises far more entries than there are bytes: nibabel makes and sorts them all."""
    with path.open("rb") as file:
        (n_vertices,) = struct.unpack(">i", file.read(4))
        file.seek(4 + 8 * n_vertices + 4)
        n_entries, largest = struct.unpack(">ii", file.read(8))  # the first is minus the version of newer tables
    refuse_inflated(40 * (n_entries if n_entries > 0 else largest), path.stat().st_size, str(path))


def _gifti_array(image: Any, name: str) -> Array:
    arrays = [np.asarray(array.data) for array in image.darrays]
    if not arrays or len({array.shape for array in arrays}) > 1:
        raise DatasetError(
            f"{name} holds {len(arrays)} arrays of shapes {sorted({a.shape for a in arrays})}, not maps."
        )
    return arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1)


def _hemispheres(sides: Sequence[Array | None], name: str) -> tuple[Array, Array]:
    counts = {side.shape[1] for side in sides if side is not None}
    if len(counts) != 1:
        raise DatasetError(f"the hemispheres of {name} hold {sorted(counts)} maps; both need the same.")
    n = counts.pop()
    left, right = (np.zeros((0, n), dtype=np.float32) if side is None else side for side in sides)
    return left, right


def _grid_of(name: str, image: Any) -> tuple[Grid, int]:
    if isinstance(image, tuple):
        return Grid((len(image[0]), len(image[1])), None), image[0].shape[1]
    shape = tuple(int(n) for n in image.shape)
    if len(shape) not in (3, 4) or 0 in shape:
        raise DatasetError(f"{name} has shape {shape}; expected a volume (x, y, z) or a stack (x, y, z, map).")
    return Grid(shape[:3], np.asarray(image.affine, dtype=np.float64)), (shape[3] if len(shape) == 4 else 1)


def _blocks(name: str, image: Any, grid: Grid) -> Iterator[Array]:
    """Yield blocks (map, place), in order, so that a compressed file is read once from front to back."""
    if isinstance(image, tuple):
        yield np.concatenate([np.asarray(side, order="C") for side in image]).T
        return
    count = _grid_of(name, image)[1]
    step = max(1, BLOCK_BYTES // (8 * grid.size))
    try:
        if len(image.shape) == 3:
            yield np.asanyarray(image.dataobj).reshape(1, -1)
        else:
            for start in range(0, count, step):
                block = np.asanyarray(image.dataobj[..., start : start + step])
                yield np.moveaxis(block, 3, 0).reshape(block.shape[3], -1)
        holder = getattr(image, "file_map", {}).get("image")
        if holder is not None and isinstance(holder.fileobj, gzip.GzipFile):
            read_through(holder.fileobj)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DatasetError(f"{name} is damaged or cut short: {error}") from error

"""Session files: the chosen columns of one session's betas, from HDF5, NIfTI or MGH, as the numbers on disk.

Every file is seen as (trial, place): a place is a voxel, in C order over (x, y, z) of the NIfTI axes, or a vertex.
Only the chunks (HDF5) or one frame at a time (NIfTI, MGH) are read, so memory holds the chosen columns and no more.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt
from nibabel.openers import ImageOpener

from brainalign.datasets.nsd.maps import load_image
from brainalign.datasets.nsd.overlays import overlay_header
from brainalign.datasets.soundness import require_length
from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import require_inside
from brainalign.foreign.read_through import read_through
from brainalign.foreign.rehearsal import rehearse

__all__ = ["SCALE", "BetaFile", "HemispherePair", "check_file", "open_betas"]

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

SCALE = 300.0
"""Integers on disk are percent signal change times this; floating-point overlays are percent signal change."""
VOLUME_ENDINGS = (".hdf5", ".nii.gz", ".nii")
SURFACE_ENDINGS = (".hdf5", ".mgh", ".mgz")


class BetaFile(Protocol):
    """One session's betas.

    Attributes
    ----------
    label : str
        File name, or both of two hemispheres, for messages.
    n_trials : int
    grid : tuple of int
        (x, y, z), or (vertices,) of a surface.
    scale : float
        Percent signal change is the stored number divided by this.
    """

    @property
    def label(self) -> str: ...
    @property
    def n_trials(self) -> int: ...
    @property
    def grid(self) -> tuple[int, ...]: ...
    @property
    def scale(self) -> float: ...

    def read(self, places: IntArray) -> Array:
        """Return the chosen columns, shape (n_trials, n_places), as stored; places ascend."""

    def frame(self, trial: int) -> Array:
        """Return one trial in all places, shape (n_places,), as stored."""


@dataclass(frozen=True)
class Hdf5Betas:
    """Dataset ``betas`` (trial, z, y, x) or (trial, vertex) of integers."""

    path: Path
    shape: tuple[int, ...]
    scale: float = SCALE

    @property
    def label(self) -> str:
        """Path, for messages."""
        return str(self.path)

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return self.shape[0]

    @property
    def grid(self) -> tuple[int, ...]:
        """Axes as in NIfTI, (x, y, z), or (vertices,)."""
        return self.shape[:0:-1]

    def frame(self, trial: int) -> Array:
        """Return one trial in all places."""
        with damage(self.path), h5py.File(self.path, "r") as file:
            values: Array = np.asarray(file["betas"][trial])
        return np.ascontiguousarray(values.T).reshape(-1)

    def read(self, places: IntArray) -> Array:
        """Return the chosen columns."""
        with damage(self.path), h5py.File(self.path, "r") as file:
            data = file["betas"]
            columns = np.empty((len(places), self.n_trials), dtype=data.dtype.newbyteorder("="))
            if _is_chunked_by_place(data):
                self._read_chunks(data, places, columns)
            elif len(self.shape) == 2:
                for run in _runs(places):
                    first, last = int(places[run][0]), int(places[run][-1]) + 1
                    columns[run] = data[:, first:last].T[places[run] - first]
            else:
                self._read_planes(data, places, columns)
        return columns.T

    def _read_chunks(self, data: Any, places: IntArray, columns: Array) -> None:
        """Fill ``columns`` from the raw chunks, one a place, in their order in the file.

        A selection of h5py costs several times as much as the chunk that it reads.
        """
        axes = np.unravel_index(places, self.grid)[::-1]  # as in the file: (z, y, x), or (vertex,)
        order = np.lexsort(axes[::-1])
        origins = zip(np.zeros_like(order).tolist(), *(axis[order].tolist() for axis in axes), strict=True)
        read, dtype = data.id.read_direct_chunk, data.dtype
        for at, origin in zip(order.tolist(), origins, strict=True):
            try:
                columns[at] = np.frombuffer(read(origin)[1], dtype=dtype)
            except (RuntimeError, OSError):  # a chunk that was never written, which an ordinary read fills
                columns[at] = data[(slice(None), *origin[1:])]

    def _read_planes(self, data: Any, places: IntArray, columns: Array) -> None:
        """Fill ``columns`` plane by plane of constant z: the box around the chosen voxels of each."""
        x, y, z = np.unravel_index(places, self.grid)
        order = np.argsort(z, kind="stable")
        for at in np.split(order, np.flatnonzero(np.diff(z[order])) + 1):
            low, high = int(y[at].min()), int(y[at].max()) + 1
            left, right = int(x[at].min()), int(x[at].max()) + 1
            box = data[:, int(z[at[0]]), low:high, left:right]
            columns[at] = box[:, y[at] - low, x[at] - left].T


def _is_chunked_by_place(data: Any) -> bool:
    """Whether each chunk holds all trials of one place, as numbers and not compressed."""
    chunks = data.chunks
    if chunks is None or chunks[0] != data.shape[0] or set(chunks[1:]) != {1}:
        return False
    return bool(data.id.get_create_plist().get_nfilters() == 0)


def _runs(places: IntArray) -> Iterator[slice]:
    """Yield slices of ascending places without wide gaps between them."""
    edges = [0, *(np.flatnonzero(np.diff(places) > 64) + 1).tolist(), len(places)]
    for start, stop in itertools.pairwise(edges):
        yield slice(start, stop)


@dataclass(frozen=True)
class FrameBetas:
    """NIfTI (x, y, z, trial) or MGH (vertex, 1, 1, trial), read one frame after the other."""

    path: Path
    grid: tuple[int, ...]
    n_trials: int
    dtype: np.dtype[Any]
    offset: int
    scale: float

    @property
    def label(self) -> str:
        """Path, for messages."""
        return str(self.path)

    def frame(self, trial: int) -> Array:
        """Return one trial in all places."""
        return next(itertools.islice(self._frames(), trial, None))

    def read(self, places: IntArray) -> Array:
        """Return the chosen columns."""
        values = np.empty((self.n_trials, len(places)), dtype=self.dtype.newbyteorder("="))
        for trial, frame in enumerate(self._frames(places)):
            values[trial] = frame
        return values

    def _frames(self, places: IntArray | None = None) -> Iterator[Array]:
        """Yield the frames in C order, or their values at the places."""
        size = int(np.prod(self.grid))
        in_file = np.ravel_multi_index(
            np.unravel_index(np.arange(size) if places is None else places, self.grid), self.grid, order="F"
        )
        with damage(self.path), ImageOpener(str(self.path)) as file:
            file.seek(self.offset)
            for trial in range(self.n_trials):
                data = file.read(size * self.dtype.itemsize)
                if len(data) < size * self.dtype.itemsize:
                    raise DatasetError(
                        f"{self.path} ends in trial {trial} of {self.n_trials}; it is cut off: fetch it again."
                    )
                if trial == self.n_trials - 1:
                    read_through(file)
                yield np.frombuffer(data, dtype=self.dtype)[in_file]


@dataclass(frozen=True)
class HemispherePair:
    """Left and right hemisphere as one file: the places of the right follow those of the left."""

    left: BetaFile
    right: BetaFile

    @property
    def label(self) -> str:
        """Both paths, for messages."""
        return f"{self.left.label} and {Path(self.right.label).name}"

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return self.left.n_trials

    @property
    def grid(self) -> tuple[int, ...]:
        """Vertices of both hemispheres together."""
        return (self.left.grid[0] + self.right.grid[0],)

    @property
    def scale(self) -> float:
        """Scale of both."""
        return self.left.scale

    def frame(self, trial: int) -> Array:
        """Return one trial in all places."""
        return np.concatenate([self.left.frame(trial), self.right.frame(trial)])

    def read(self, places: IntArray) -> Array:
        """Return the chosen columns."""
        n_left = self.left.grid[0]
        split = int(np.searchsorted(places, n_left))
        return np.concatenate([self.left.read(places[:split]), self.right.read(places[split:] - n_left)], axis=1)


def open_betas(folder: Path, stem: str, *, surface: bool) -> BetaFile:
    """Open the betas ``stem`` in a folder: HDF5 if it is there, else NIfTI or, on surfaces, MGH.

    Raises
    ------
    DatasetError
        If no such file is there, one hemisphere lacks or differs, or a header is not what the layout says.
    """
    if not surface:
        return _open(_find(folder, stem, VOLUME_ENDINGS), surface=False)
    left, right = (_open(_find(folder, f"{side}.{stem}", SURFACE_ENDINGS), surface=True) for side in ("lh", "rh"))
    if (left.n_trials, left.scale) != (right.n_trials, right.scale):
        raise DatasetError(
            f"{left.label} has {left.n_trials} trials and {right.label} has {right.n_trials}, or one is scaled and the "
            "other is not: the two hemispheres are not of one session."
        )
    return HemispherePair(left, right)


def check_file(path: Path, *, surface: bool, grid: tuple[int, ...]) -> None:
    """Look at one file of betas without reading its values.

    Raises
    ------
    DatasetError
        If its header is damaged, its grid is not ``grid``, or it is shorter than its header says. A compressed file
        is not unpacked: the size that its last bytes state is compared.
    """
    file = _open(path, surface=surface)
    if file.grid != grid:
        raise DatasetError(f"{path} has the grid {file.grid}; the other files beside it have {grid}.")
    if not isinstance(file, FrameBetas):
        return  # HDF5 knows its length and refused to open
    require_length(path, file.offset + int(np.prod(grid)) * file.n_trials * file.dtype.itemsize)


def _find(folder: Path, stem: str, endings: tuple[str, ...]) -> Path:
    for ending in endings:
        if (folder / f"{stem}{ending}").is_file():
            return folder / f"{stem}{ending}"
    raise DatasetError(f"{folder} lacks {stem} ({', '.join(endings)}): fetch it with `brainalign data get`.")


def _open(path: Path, *, surface: bool) -> BetaFile:
    if path.suffix == ".hdf5":
        return _open_hdf5(path, n_axes=2 if surface else 4)
    return _open_overlay(path) if surface else _open_nifti(path)


def _open_hdf5(path: Path, n_axes: int) -> Hdf5Betas:
    rehearse(path)
    with damage(path), h5py.File(path, "r") as file:
        if "betas" not in file:
            raise DatasetError(f"{path} holds {', '.join(file) or 'nothing'}; expected the dataset 'betas'.")
        require_inside(file["betas"], path)
        shape, dtype = tuple(int(n) for n in file["betas"].shape), file["betas"].dtype
    expected = "(trial, vertex)" if n_axes == 2 else "(trial, z, y, x)"
    if len(shape) != n_axes or 0 in shape:
        raise DatasetError(f"{path}: betas have the shape {shape}; expected {expected}.")
    _require_integers(path, dtype)
    return Hdf5Betas(path, shape)


def _open_overlay(path: Path) -> FrameBetas:
    header = overlay_header(path)
    if len(header.shape) != 4 or header.shape[1:3] != (1, 1) or header.dtype.kind != "f":
        raise DatasetError(
            f"{path} is {header.dtype} {header.shape}; expected floating point (vertex, 1, 1, trial), percent signal "
            "change."
        )
    return FrameBetas(path, header.shape[:1], header.shape[3], header.dtype, header.offset, 1.0)


def _open_nifti(path: Path) -> FrameBetas:
    image = load_image(path)
    data: Any = image.dataobj
    shape, dtype = tuple(image.shape), data.dtype
    if len(shape) != 4:
        raise DatasetError(f"{path} has the shape {shape}; expected (x, y, z, trial).")
    _require_integers(path, dtype)
    slope, intercept = float(data.slope), float(data.inter)
    if intercept != 0 or not slope > 0:
        raise DatasetError(f"{path} scales by {slope} and {intercept} in its header; NSD's integers are not offset.")
    grid = (int(shape[0]), int(shape[1]), int(shape[2]))
    return FrameBetas(path, grid, int(shape[3]), dtype, int(data.offset), SCALE / slope)


def _require_integers(path: Path, dtype: np.dtype[Any]) -> None:
    if dtype.kind != "i":
        raise DatasetError(
            f"{path} holds {dtype}; expected int16, percent signal change times {SCALE:.0f}. Of other numbers the "
            "scale is not known: fetch the released file."
        )

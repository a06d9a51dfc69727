"""Whether a file is whole, told from its header, its length and its last bytes, without reading it."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np

from brainalign.datasets.matrices import load_array
from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.foreign.read_through import is_packed
from brainalign.foreign.rehearsal import rehearse

__all__ = ["check_sound", "require_length"]

_MAT_HEADER = 128
_MORE = 1 << 20  # bytes that may follow the numbers: MGH keeps its parameters and history there


def check_sound(path: Path) -> None:
    """Look at a file of a kind that datasets come in; others pass.

    Raises
    ------
    DatasetError
        If the file is empty, cut off, or not what its ending says.
    InputError
        If an ``.npy`` file holds pickled objects.

    Notes
    -----
    Reads headers and last bytes only; a flipped bit in the middle is not seen. A pickle is not unpickled.
    """
    if path.stat().st_size == 0:
        raise DatasetError(f"{path} is empty. Fetch it again.")
    unpacked = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    look = _LOOKS.get(unpacked.suffix.lower())
    if look is None:
        return
    with damage(path, "what its ending says"):
        look(path)


def require_length(path: Path, expected: int) -> None:
    """Raise unless a file holds ``expected`` bytes; a gzipped one states the length of its content at its end.

    Raises
    ------
    DatasetError
        If it is shorter, or, compressed, states a length that is shorter, or longer by a megabyte.
    """
    if is_packed(path):
        with path.open("rb") as packed:
            packed.seek(-4, 2)
            whole = (int.from_bytes(packed.read(4), "little") - expected) % 2**32 < _MORE
    else:
        whole = path.stat().st_size >= expected
    if not whole:
        raise DatasetError(f"{path} is cut off: fetch it again.")


def _volume(path: Path) -> None:
    with damage(path, "a NIfTI volume"):
        image: Any = nib.load(path)
        data = image.dataobj
    require_length(path, int(data.offset) + int(np.prod(image.shape)) * np.dtype(data.dtype).itemsize)


def _hdf5(path: Path) -> None:
    rehearse(path, "hdf5")
    with h5py.File(path, "r"):
        pass


def _matlab(path: Path) -> None:
    """Walk over the elements of a version 5 file, each of which states its length."""
    if h5py.is_hdf5(path):  # version 7.3; opening it looks at its length
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        order = ">" if file.read(_MAT_HEADER)[-2:] == b"MI" else "<"
        at = _MAT_HEADER
        while at < size:
            file.seek(at)
            kind, length = struct.unpack(f"{order}ii", file.read(8))
            at += 8 + length
            if not 0 < kind < 19 or length < 0 or at > size:
                raise DatasetError(f"{path} is cut off, or no MATLAB file. Fetch it again.")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.infolist()


def _tar(path: Path) -> None:
    with tarfile.open(path) as archive:
        archive.getmembers()


def _ends_with(*ends: bytes) -> Callable[[Path], None]:
    def look(path: Path) -> None:
        with path.open("rb") as file:
            file.seek(-min(path.stat().st_size, max(map(len, ends))), 2)
            last = file.read()
        if not last.endswith(ends):
            raise DatasetError(f"{path} is cut off. Fetch it again.")

    return look


def _array(path: Path) -> None:
    load_array(path)


_LOOKS: dict[str, Callable[[Path], None]] = {
    ".nii": _volume,
    ".npy": _array,
    ".npz": _zip,
    ".zip": _zip,
    ".tar": _tar,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".mat": _matlab,
    ".pkl": _ends_with(b"."),
    ".png": _ends_with(b"IEND\xaeB`\x82"),
    ".jpg": _ends_with(b"\xff\xd9", b"\xff\xd9\n"),
}

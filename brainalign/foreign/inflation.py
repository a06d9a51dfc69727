"""Files that say they hold far more than they are: refused before anything of that size is made."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import DatasetError

__all__ = [
    "ARCHIVE_ERRORS",
    "HDF5_ERRORS",
    "place_within",
    "read_hdf5",
    "refuse_inflated",
    "read_npz",
    "refuse_inflated_image",
    "require_inside",
    "unpacked",
]

ARCHIVE_ERRORS = (
    EOFError,
    OSError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    OverflowError,
    MemoryError,
    IndexError,
    AttributeError,
    tokenize.TokenError,
    RecursionError,
)
"""What readers of damaged ``.npy`` and zip files raise; ValueError aside, which also says that a file is pickled."""
HDF5_ERRORS = (
    OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError, MemoryError, OverflowError,
    NotImplementedError, UnicodeError, RecursionError,
)  # fmt: skip
"""What h5py raises of damaged files."""

RATIO = 1200
"""No compression of a public data set comes near: deflate ends at 1032 to 1, and that of zeros."""
FREE = 256 << 20
"""Bytes that are never too many."""


def refuse_inflated(declared: int, stored: int, what: str) -> None:
    """Raise unless the bytes that a file declares are in a sane relation to those that it holds.

    Raises
    ------
    DatasetError
        If more than 256 MiB are declared, and more than 1200 times what is there.
    """
    if declared > FREE and declared > RATIO * max(stored, 1):
        raise DatasetError(
            f"{what} declares {declared} bytes and holds {stored}: damaged, or made to fill the memory; it is refused."
        )


def refuse_inflated_image(shape: Sequence[int], dtype: Any, path: Path) -> None:
    """Look at what the header of an image promises, before it is read.

    Raises
    ------
    DatasetError
        If a side is negative, or the whole far larger than the file can hold.
    """
    sides = tuple(map(int, shape))
    if any(side < 0 for side in sides):
        raise DatasetError(f"{path} declares the shape {sides}: its header is damaged. Fetch it again.")
    refuse_inflated(math.prod(sides) * dtype.itemsize, path.stat().st_size, str(path))


def read_npz(archive: Any, name: str, path: Path) -> npt.NDArray[Any]:
    """Return an array of an open ``.npz``, having looked at its size.

    Raises
    ------
    DatasetError
        If it is a bomb, or no array: NumPy returns the bytes of a member that does not begin like one.
    """
    known = archive.zip.namelist()
    info = archive.zip.getinfo(name if name in known else f"{name}.npy")
    refuse_inflated(info.file_size, info.compress_size, f"array {name!r} of {path}")
    member = archive[name]
    if not isinstance(member, np.ndarray):
        raise DatasetError(f"{path} is damaged: its member {name!r} is no array.")
    return member


def unpacked(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Return a member of a zip, having looked at its size."""
    info = archive.getinfo(name)
    refuse_inflated(info.file_size, info.compress_size, f"member {name!r} of {path}")
    return archive.read(info)


def require_inside(item: Any, path: Path) -> None:
    """Raise unless an HDF5 dataset keeps its values in its own file: a file could show those of any other by its links.

    Raises
    ------
    DatasetError
        If it is no dataset, or its values lie in another file, by an external link, virtual, or stored outside.
    """
    if not hasattr(item, "external"):
        raise DatasetError(f"{item.name!r} of {path} is a group; a dataset was expected.")
    if Path(item.file.filename).resolve() != path.resolve() or item.external or item.is_virtual:
        raise DatasetError(
            f"{item.name!r} of {path} lies in other files, which are not read; give one file that holds its values."
        )


def read_hdf5(item: Any, path: Path) -> Any:
    """Return an HDF5 dataset whole, having looked at its size; links out of the file are refused.

    Raises
    ------
    DatasetError
        If it is a bomb, or its values lie in another file.
    """
    require_inside(item, path)
    what = f"{item.name!r} of {path}"
    refuse_inflated(item.size * item.dtype.itemsize if item.shape else 0, item.id.get_storage_size(), what)
    return item[()]


def place_within(folder: Path, name: str) -> Path:
    """Return the place of a relative name in a folder.

    Raises
    ------
    DatasetError
        If the name is absolute, or leads out of the folder by ``..`` or by a link.
    """
    strange = PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in PurePosixPath(name).parts
    place = folder / name
    if strange or "\\" in name or not place.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"the name {name!r} leads out of {folder}; it is refused.")
    return place

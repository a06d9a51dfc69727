"""Compressed files are read to their end, where their checksum stands.

nibabel stops at the last number that the header promises, so that a damaged ``.nii.gz`` gives wrong numbers without a
word.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["is_packed", "open_unpacked", "read_through", "values_of"]

_PIECE = 1 << 20


def is_packed(path: Path) -> bool:
    """Tell by its ending, in any case as nibabel does, whether an image is compressed by gzip.

    >>> is_packed(Path("bold.nii.GZ")), is_packed(Path("lh.V1.mgz")), is_packed(Path("bold.nii"))
    (True, True, False)
    """
    return path.suffix.lower() in (".gz", ".mgz")


def open_unpacked(path: Path) -> Any:
    """Open a file for reading its bytes as they were before it was compressed."""
    return gzip.open(path) if is_packed(path) else path.open("rb")


def read_through(stream: Any) -> None:
    """Read what is left of a stream; one that unpacks compares length and checksum at the end.

    Raises
    ------
    OSError, EOFError, zlib.error
        If what was unpacked is not what was packed.
    """
    while stream.read(_PIECE):
        pass


def values_of(image: Any, path: Path) -> npt.NDArray[Any]:
    """Return the values of a small image that nibabel has opened, after its whole file was compared.

    Raises as `read_through`, and what nibabel raises. A compressed file is unpacked twice.
    """
    if is_packed(path):
        with gzip.open(path) as file:
            read_through(file)
    return np.asanyarray(image.dataobj)

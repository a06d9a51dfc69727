"""FreeSurfer overlays (MGH, MGZ): one value, or one value a frame, of every vertex of a hemisphere.

Read here and not through ``nibabel.load``, which leaves the file open.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.openers import ImageOpener

from brainalign.datasets.nsd.maps import require_file
from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import refuse_inflated_image
from brainalign.foreign.read_through import read_through

__all__ = ["OverlayHeader", "overlay_header", "read_overlay"]


@dataclass(frozen=True)
class OverlayHeader:
    """Shape (vertex, 1, 1) or (vertex, 1, 1, frame), type on disk, and where the values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int


def overlay_header(path: Path) -> OverlayHeader:
    """Return the header of an overlay.

    Raises
    ------
    DatasetError
        If the file is absent or no MGH.
    """
    require_file(path)
    header: Any
    with damage(path), ImageOpener(str(path)) as file:
        header = MGHHeader.from_fileobj(file)  # type: ignore[no-untyped-call]
    found = OverlayHeader(
        tuple(int(n) for n in header.get_data_shape()), header.get_data_dtype(), int(header.get_data_offset())
    )
    refuse_inflated_image(found.shape, found.dtype, path)
    return found


def read_overlay(path: Path, n_vertices: int, *, of: str) -> npt.NDArray[Any]:
    """Return a map of one hemisphere, shape (n_vertices,), in native byte order.

    Parameters
    ----------
    path : path
    n_vertices : int
        Vertices that it must have; ``of`` names whose they are, for the message.

    Raises
    ------
    DatasetError
        If the file is absent or damaged, or has other vertices.
    """
    header = overlay_header(path)
    size = int(np.prod(header.shape))
    if size != n_vertices:
        raise DatasetError(
            f"{path} has {size} vertices; {of} has {n_vertices}. They are of another subject or surface."
        )
    with damage(path), ImageOpener(str(path)) as file:
        file.seek(header.offset)
        data = file.read(size * header.dtype.itemsize)
        read_through(file)
    if len(data) < size * header.dtype.itemsize:
        raise DatasetError(f"{path} is cut off: fetch it again.")
    values = np.frombuffer(data, dtype=header.dtype)
    return values.astype(header.dtype.newbyteorder("="))

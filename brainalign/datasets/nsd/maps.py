"""Maps of one value a voxel, from NIfTI, with their grid checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import refuse_inflated_image
from brainalign.foreign.read_through import values_of

__all__ = ["load_image", "read_volume", "require_file", "whole_numbers"]

Array = npt.NDArray[Any]


def require_file(path: Path) -> None:
    """Raise DatasetError unless there is a file."""
    if not path.is_file():
        raise DatasetError(f"{path} is not there; fetch it, or choose options that do not need it.")


def load_image(path: Path) -> Any:
    """Open an image without reading its values.

    Raises
    ------
    DatasetError
        If the file is absent or its header is damaged.
    """
    require_file(path)
    with damage(path):
        image: Any = nibabel.load(path)
        refuse_inflated_image(image.shape, image.get_data_dtype(), path)
        return image


def read_volume(path: Path, shape: tuple[int, ...], *, of: str) -> Array:
    """Return a three-dimensional map, flat in C order over (x, y, z).

    Parameters
    ----------
    path : path
        NIfTI.
    shape : tuple of int
        The grid that it must have; ``of`` names whose grid this is, for the message.
    """
    image = load_image(path)
    found = tuple(image.shape)
    found = found[:3] if len(found) > 3 and set(found[3:]) == {1} else found
    if found != shape:
        raise DatasetError(
            f"{path} has the grid {found}; {of} has {shape}. They are of another subject or space: fetch the file of "
            "this space, never resample it by the affine."
        )
    return _values(image, path).reshape(-1)


def whole_numbers(values: Array, path: Path) -> npt.NDArray[np.int32]:
    """Return labels as integers.

    Raises
    ------
    DatasetError
        If a value is no whole number, as after resampling.
    """
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        if not finite.all() or (values != np.rint(values)).any():
            raise DatasetError(
                f"{path} holds numbers that are no labels (NaN or fractions, as after resampling); "
                "expected -1 or 0 outside and 1, 2, … for the regions: fetch it again."
            )
    return values.astype(np.int32)


def _values(image: Any, path: Path) -> Array:
    with damage(path):
        return values_of(image, path)

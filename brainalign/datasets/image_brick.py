"""Images as rows of one HDF5 array, of pixels or of encoded files: read where they lie, never extracted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from brainalign.datasets.colour_print import colour_print
from brainalign.datasets.image_decoding import decode_pixels
from brainalign.errors import DatasetError, ImageError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import HDF5_ERRORS, require_inside
from brainalign.foreign.rehearsal import rehearse

__all__ = ["brick_shape", "describe_brick", "describe_encoded", "iter_brick", "iter_recorded"]

Pixels = npt.NDArray[np.uint8]

_BLOCK_BYTES = 128 << 20


def brick_shape(path: Path, dataset: str) -> tuple[int, int, int]:
    """Return number, height and width of the images of a brick (image, row, column, 3) of uint8.

    Raises
    ------
    DatasetError
        If the file is damaged, or the array is not there or of another form.
    """
    rehearse(path)
    with damage(path), h5py.File(path, "r") as file:
        if dataset not in file:
            raise DatasetError(f"{path} holds {', '.join(file) or 'nothing'}; expected the dataset {dataset!r}.")
        require_inside(file[dataset], path)
        shape, dtype = tuple(file[dataset].shape), file[dataset].dtype
    if len(shape) != 4 or shape[3] != 3 or dtype != np.uint8:
        raise DatasetError(f"{path}: {dataset} is {dtype} {shape}; expected uint8 (image, row, column, 3).")
    return int(shape[0]), int(shape[1]), int(shape[2])


def describe_brick(path: Path, dataset: str, *, hash_pixels: bool = True) -> pd.DataFrame:
    """Return one row an image: ``file`` (``<dataset>/<row>``), ``bytes``, ``sha256``, ``print``, ``width``, ``height``.

    Parameters
    ----------
    path, dataset
        HDF5 file and the array in it.
    hash_pixels : bool
        Read every image for the SHA-256 of its pixel bytes and its colour print; else both stay empty.

    Raises
    ------
    DatasetError
        If the file is damaged or not such an array.

    Notes
    -----
    Reads the array once, 128 MB at a time.
    """
    n, height, width = brick_shape(path, dataset)
    sha256, prints = [""] * n, [""] * n
    if hash_pixels:
        for row, pixels in enumerate(iter_brick(path, dataset)):
            sha256[row] = hashlib.sha256(pixels.tobytes()).hexdigest()
            prints[row] = colour_print(Image.fromarray(pixels))
    return pd.DataFrame(
        {
            "file": [f"{dataset}/{row}" for row in range(n)],
            "bytes": height * width * 3,
            "sha256": sha256,
            "print": prints,
            "width": width,
            "height": height,
        }
    )


def describe_encoded(path: Path, ids: Mapping[int, str]) -> pd.DataFrame:
    """Return one row an image for images that are kept as encoded files, one a row of an HDF5 array.

    Parameters
    ----------
    path : Path
        HDF5 file with one array, or one of the name ``images``, of variable-length bytes.
    ids : mapping
        Stimulus ids by row; other rows are not read.

    Returns
    -------
    DataFrame
        ``stimulus`` and the columns of :func:`describe_brick`.

    Raises
    ------
    DatasetError
        If the file is damaged, holds no such array, or fewer rows.
    ImageError
        If an image does not decode.
    """
    rows = []
    rehearse(path)
    with damage(path, "of this release"), h5py.File(path, "r") as file:
        name = _encoded_name(file, path)
        require_inside(file[name], path)
        for row, stimulus in sorted(ids.items()):
            data = np.asarray(file[name][row], dtype=np.uint8).tobytes()
            image = decode_pixels(data, f"{name}/{row}")
            rows.append({
                "stimulus": stimulus, "file": f"{name}/{row}", "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(), "print": colour_print(image),
                "width": image.width, "height": image.height,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _encoded_name(file: Any, path: Path) -> str:
    arrays = [name for name in file if isinstance(file[name], h5py.Dataset)]
    encoded = [name for name in arrays if file[name].ndim == 1 and h5py.check_vlen_dtype(file[name].dtype) is not None]
    if "images" in encoded:
        return "images"
    if len(encoded) != 1:
        raise DatasetError(f"{path} holds {', '.join(arrays) or 'nothing'}; one array of encoded images was expected.")
    return str(encoded[0])


def iter_brick(path: Path, dataset: str) -> Iterator[Pixels]:
    """Yield the pixels of every image, shape (height, width, 3), in order of the rows."""
    n, height, width = brick_shape(path, dataset)
    step = max(1, _BLOCK_BYTES // (height * width * 3))
    for start in range(0, n, step):
        block: Any
        try:
            with h5py.File(path, "r") as file:
                block = file[dataset][start : start + step]
        except HDF5_ERRORS as error:
            raise ImageError(f"images {start} to {min(start + step, n) - 1} of {path} do not read: {error}") from error
        yield from block


def iter_recorded(path: Path, table: pd.DataFrame) -> Iterator[tuple[str, Pixels]]:
    """Yield (stimulus, row) for the rows of a stimulus table whose ``file`` is ``<dataset>/<row>``.

    A row is pixels (height, width, 3), or the bytes (n,) of an image file.

    Raises
    ------
    DatasetError
        If the file or a row is gone, or its pixels are not those whose hash was recorded.
    """
    looked_at: set[str] = set()
    try:
        with h5py.File(path, "r") as file:
            for row in table.itertuples():
                dataset, _, index = str(row.file).rpartition("/")
                if dataset not in looked_at:
                    require_inside(file[dataset], path)
                    looked_at.add(dataset)
                pixels = np.asarray(file[dataset][int(index)])
                if row.sha256 and hashlib.sha256(pixels.tobytes()).hexdigest() != row.sha256:
                    raise DatasetError(
                        f"{row.file} in {path} is not the image that was recorded as stimulus {row.stimulus!r} (sha256 "
                        "differs); restore the file or record the images again."
                    )
                yield str(row.stimulus), pixels
    except HDF5_ERRORS as error:
        raise DatasetError(f"{path} does not hold the images that were recorded: {error}") from error

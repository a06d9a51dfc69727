"""The images of LAION-fMRI: encoded files in one HDF5 array, whose rows a table names, or files of a folder or zip."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from brainalign.datasets.image_brick import describe_encoded
from brainalign.datasets.matrices import load_table
from brainalign.datasets.stimulus_sets import with_images
from brainalign.datasets.trees import find_files
from brainalign.errors import DatasetError

__all__ = ["laion_images"]

ARCHIVE, NAMES = "task-images_stimuli.h5", "task-images_metadata.csv"


def laion_images(
    root: Path, table: pd.DataFrame, images: str | Path | None
) -> tuple[pd.DataFrame, str | None, str | None]:
    """Add file, hash and colour print of each image; return the table, the source and its kind.

    Parameters
    ----------
    root : Path
        Where the archive is looked for if ``images`` is None.
    table : DataFrame
        ``stimulus`` and ``filename``.
    images : path, optional
        The archive, with its table of names beside it, or a folder or zip.

    Raises
    ------
    DatasetError
        If the archive has no table of names, or an image is not in it.
    """
    archives = find_files(root, ARCHIVE) if images is None else [Path(images)]
    if not archives or archives[0].suffix not in (".h5", ".hdf5"):
        return with_images(table, images)
    names = archives[0].with_name(NAMES)
    if not names.is_file():
        raise DatasetError(f"{archives[0]} has no {NAMES} beside it, which names its rows; fetch it too.")
    listed = load_table(names, text=["image_name"])
    if "image_name" not in listed:
        raise DatasetError(f"{names} has the columns {', '.join(map(str, listed.columns))}; 'image_name' is needed.")
    row_of = {str(name): row for row, name in enumerate(listed["image_name"])}
    absent = [name for name in table["filename"] if name not in row_of]
    if absent:
        raise DatasetError(f"{names} does not name {len(absent)} of {len(table)} images, first {absent[0]!r}.")
    ids = {row_of[name]: stimulus for stimulus, name in zip(table["stimulus"], table["filename"], strict=True)}
    described = describe_encoded(archives[0], ids)
    return table.merge(described, on="stimulus", validate="one_to_one"), str(archives[0].resolve()), "hdf5"

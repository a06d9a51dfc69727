"""The tables of THINGS-fMRI: trials, voxels, and the matrix of responses in the HDF5 file that pandas wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.matrices import column_of_texts, load_table
from brainalign.datasets.roi_masks import Masks
from brainalign.errors import DatasetError
from brainalign.foreign.inflation import HDF5_ERRORS, require_inside
from brainalign.foreign.rehearsal import rehearse

__all__ = ["ResponseBlock", "Voxels", "read_trials", "read_voxels", "response_block"]

Array = npt.NDArray[Any]

COORDINATES = {
    "voxel_x": "x",
    "voxel_y": "y",
    "voxel_z": "z",
    "nc_singletrial": "nc_singletrial",
    "nc_testset": "nc_testset",
    "splithalf_uncorrected": "splithalf_uncorrected",
    "splithalf_corrected": "splithalf_corrected",
    "prf-eccentricity": "prf_eccentricity",
    "prf-polarangle": "prf_polarangle",
    "prf-rsquared": "prf_rsquared",
    "prf-size": "prf_size",
}
"""Columns of VoxelMetadata.csv that become coordinates; noise ceilings are in percent. All others are regions."""


@dataclass(frozen=True)
class Voxels:
    """Rows of ``VoxelMetadata.csv``: regions, and what else is known of each voxel."""

    path: Path
    n: int
    masks: Masks
    coordinates: dict[str, Array]
    ids: Array | None


@dataclass(frozen=True)
class ResponseBlock:
    """Responses (voxel, trial) in an HDF5 file; ``offset`` is where they lie if in one piece, uncompressed."""

    path: Path
    name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int | None

    def trials(self, columns: npt.NDArray[np.intp]) -> Array:
        """Return some trials, ascending, shape (n_trials, n_voxels)."""
        if self.offset is not None:
            # HDF5 would read 64 kB around the few numbers of every row
            mapped = np.memmap(self.path, mode="r", dtype=self.dtype, shape=self.shape, offset=self.offset)
            return np.ascontiguousarray(mapped[:, columns].T)
        try:
            with h5py.File(self.path, "r") as file:
                return np.ascontiguousarray(file[self.name][:, columns].T)
        except HDF5_ERRORS as error:
            raise DatasetError(f"{self.path} is damaged: {error}. Fetch it again.") from error


def read_trials(path: Path) -> pd.DataFrame:
    """Read ``StimulusMetadata.csv``: stimulus, split, filename and, where given, session, run, trial, concept.

    Raises
    ------
    DatasetError
        If the file does not read as a table, lacks the columns ``trial_type`` and ``stimulus``, or a row lacks either.
    """
    table = load_table(path)
    absent = [column for column in ("trial_type", "stimulus") if column not in table]
    if absent:
        raise DatasetError(f"{path} has the columns {', '.join(map(str, table.columns))}; {absent[0]!r} is needed.")
    files = column_of_texts(table, "stimulus", path)
    found: dict[str, Any] = {
        "stimulus": [PurePosixPath(file).stem for file in files],
        "split": column_of_texts(table, "trial_type", path),
        "filename": [PurePosixPath(file).name for file in files],
    }
    for name, given in (("session", "session"), ("run", "run"), ("trial", "trial_id"), ("concept", "concept")):
        if given in table:
            found[name] = table[given]
    return pd.DataFrame(found)


def read_voxels(path: Path) -> Voxels:
    """Read ``VoxelMetadata.csv``; two of its region names hold a newline, which is dropped.

    Raises
    ------
    DatasetError
        If the file does not read as a table, or a region is neither 0 nor 1.
    """
    table = load_table(path)
    table.columns = pd.Index([str(column).replace("\n", "") for column in table.columns])
    masks: Masks = {}
    for name in table.columns:
        if name in COORDINATES or name in ("voxel_id", "subject_id") or name.startswith("Unnamed"):
            continue
        column = table[name]
        if not pd.api.types.is_numeric_dtype(column) or not column.isin((0, 1)).all():
            raise DatasetError(f"{path}, column {name!r}: a region is 0 or 1 in every voxel, found {_other(column)!r}.")
        masks[name] = column.to_numpy().astype(bool)
    coordinates = {name: table[column].to_numpy() for column, name in COORDINATES.items() if column in table}
    ids = table["voxel_id"].to_numpy() if "voxel_id" in table else None
    return Voxels(path, len(table), masks, coordinates, ids)


def response_block(path: Path, voxels: Voxels, n_trials: int) -> ResponseBlock:
    """Find the matrix of responses; column labels, which pandas pickled, are not read.

    Raises
    ------
    DatasetError
        If the file is damaged, holds no block of this size, or lists voxels in another order.
    """
    rehearse(path)
    try:
        with h5py.File(path, "r") as file:
            group = file.get("ResponseData", file)
            blocks = [group[key] for key in group if re.fullmatch(r"block\d+_values", key)]
            fitting = [b for b in blocks if b.shape == (voxels.n, n_trials) and b.dtype.kind == "f"]
            if len(fitting) != 1:
                shapes = ", ".join(f"{b.name.split('/')[-1]} {b.shape}" for b in blocks) or "no block of values"
                raise DatasetError(
                    f"{path} holds {shapes}; expected ResponseData/block0_values of {voxels.n} voxels (rows of "
                    f"{voxels.path.name}) x {n_trials} trials (rows of StimulusMetadata.csv). The three files "
                    "must be of one subject and release."
                )
            for ids in (b for b in blocks if b.shape == (voxels.n, 1)):
                if voxels.ids is not None and not np.array_equal(ids[:, 0], voxels.ids):
                    raise DatasetError(f"{path} and {voxels.path} have other voxels, or in another order (voxel_id).")
            values = fitting[0]
            require_inside(values, path)
            return ResponseBlock(path, values.name, values.shape, values.dtype, values.id.get_offset())
    except HDF5_ERRORS as error:
        raise DatasetError(f"{path} is damaged or no HDF5 file of pandas: {error}. Fetch it again.") from error


def _other(column: pd.Series[Any]) -> Any:
    return next((value for value in column if value not in (0, 1)), f"{len(column)} values of {column.dtype}")

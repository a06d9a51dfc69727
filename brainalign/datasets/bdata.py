"""BData, the format of the Kamitani laboratory: a matrix of samples x columns, and what the columns are.

HDF5 files hold ``dataset`` and ``metadata`` (older ones ``dataSet`` and ``metaData``), MATLAB files ``dataSet`` and the
struct ``metaData``. A row of the metadata has one value a column: 1 where the column belongs to the key, NaN where it
does not, or the value of an attribute such as a coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from brainalign.errors import DatasetError, near_names
from brainalign.foreign.inflation import HDF5_ERRORS, read_hdf5
from brainalign.foreign.matlab import load_matlab
from brainalign.foreign.rehearsal import rehearse

__all__ = ["BData", "read_bdata"]

Array = npt.NDArray[Any]
SPELLINGS = (("dataset", "metadata"), ("dataSet", "metaData"))


@dataclass(frozen=True)
class BData:
    """A BData file.

    Attributes
    ----------
    path : Path
    samples : array, shape (n_samples, n_columns)
    metadata : dict of arrays, shape (n_columns,)
        By key.
    """

    path: Path
    samples: Array
    metadata: dict[str, Array]

    def columns(self, key: str) -> npt.NDArray[np.intp]:
        """Columns that belong to a key.

        Raises
        ------
        DatasetError
            If the key is absent (near names are offered) or no column belongs to it.
        """
        if key not in self.metadata:
            raise DatasetError(f"{self.path} has no metadata {key!r}.{near_names(key, self.metadata)}")
        found = np.flatnonzero(self.metadata[key] == 1)
        if not len(found):
            raise DatasetError(f"{self.path}: no column belongs to {key!r}.")
        return found

    def column(self, *keys: str) -> Array:
        """Samples of the first column of the first key that is there.

        Raises
        ------
        DatasetError
            If none of the keys is there.
        """
        key = next((key for key in keys if key in self.metadata), keys[0])
        values: Array = self.samples[:, self.columns(key)[0]]
        return values


def read_bdata(path: Path) -> BData:
    """Read an HDF5 or MATLAB file of either spelling.

    Raises
    ------
    DatasetError
        If the file is absent, damaged or not BData, or data and metadata have different numbers of columns.
    """
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    samples, keys, values = _hdf5(path) if h5py.is_hdf5(path) else _mat(path)
    if samples.ndim != 2 or values.shape != (len(keys), samples.shape[1]):
        raise DatasetError(
            f"{path} holds data of shape {samples.shape} and metadata of {len(keys)} keys with values {values.shape}; "
            "expected (sample, column) and (key, column)."
        )
    if samples.dtype.kind not in "biuf":
        raise DatasetError(f"{path} holds {samples.dtype}; numbers were expected.")
    return BData(path, samples, dict(zip(keys, values, strict=True)))


def _hdf5(path: Path) -> tuple[Array, list[str], Array]:
    rehearse(path, "hdf5")
    try:
        with h5py.File(path, "r") as file:
            for data, about in SPELLINGS:
                if data in file and about in file:
                    keys = [_text(key) for key in np.asarray(read_hdf5(file[about]["key"], path)).ravel()]
                    return read_hdf5(file[data], path), keys, np.atleast_2d(read_hdf5(file[about]["value"], path))
            there = ", ".join(file)
    except HDF5_ERRORS as error:
        raise DatasetError(f"{path} is damaged or no BData file: {error}. Fetch it again.") from error
    raise DatasetError(
        f"{path} holds {there or 'nothing'}; a BData file has 'dataset' and 'metadata' (or 'dataSet', …)."
    )


def _mat(path: Path) -> tuple[Array, list[str], Array]:
    file = load_matlab(path, "an HDF5 or MATLAB file", simplify_cells=True)
    for data, about in SPELLINGS:
        if data in file and isinstance(file.get(about), dict) and {"key", "value"} <= set(file[about]):
            keys = [_text(key) for key in np.atleast_1d(np.asarray(file[about]["key"], dtype=object)).ravel()]
            return np.atleast_2d(file[data]), keys, np.atleast_2d(file[about]["value"])
    there = ", ".join(name for name in file if not name.startswith("__"))
    raise DatasetError(f"{path} holds {there or 'nothing'}; a BData file has 'dataSet' and the struct 'metaData'.")


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)

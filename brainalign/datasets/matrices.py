"""A laboratory's files as arrays: matrices, tables, id lists."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.errors import BrainalignError, DatasetError, InputError, NonFiniteError, near_names
from brainalign.foreign.damage import read_lines
from brainalign.foreign.inflation import ARCHIVE_ERRORS, read_npz

__all__ = [
    "Labels",
    "column_of_texts",
    "load_array",
    "load_labels",
    "load_table",
    "parse_array",
    "real_numbers",
    "refuse_non_finite",
    "table_matrix",
    "whole_numbers",
]

PathLike = str | os.PathLike[str]
Labels = PathLike | Sequence[Any] | npt.NDArray[Any]
TABLES = frozenset({".csv", ".tsv", ".parquet"})


def load_array(path: PathLike, *, key: str | None = None) -> npt.NDArray[Any]:
    """Read one array of an ``.npy`` (mapped, not loaded) or ``.npz`` file.

    Raises
    ------
    DatasetError
        If the file is absent, damaged, of another kind, or an ``.npz`` with several arrays and no ``key``.
    InputError
        If it holds Python objects: they would have to be unpickled, which can run code.
    """
    path = Path(path)
    _require_file(path)
    try:
        if path.suffix == ".npy":
            mapped: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return mapped
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                name = _key(archive.files, key, path)
                return read_npz(archive, name, path)
    except (*ARCHIVE_ERRORS, ValueError) as error:
        raise _no_array(error, str(path)) from error
    raise DatasetError(
        f"{path.name}: {path.suffix or 'no ending'} is not read; give .npy, .npz, .csv, .tsv or .parquet."
    )


def parse_array(data: bytes, what: str) -> npt.NDArray[Any]:
    """Return the array of the bytes of an ``.npy`` file; raises as `load_array`, with ``what`` for its name."""
    try:
        array: npt.NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (*ARCHIVE_ERRORS, ValueError) as error:
        raise _no_array(error, what) from error
    return array


def _no_array(error: Exception, what: str) -> BrainalignError:
    if isinstance(error, ValueError) and re.search("pickle|object", str(error), re.IGNORECASE):
        return InputError(
            f"{what} holds Python objects (pickled, which can run code), not numbers; save it with a numeric dtype."
        )
    return DatasetError(f"{what} is damaged or not what its ending says: {error}")


def load_table(path: PathLike, *, text: Sequence[str] = ()) -> pd.DataFrame:
    """Read a ``.csv``, ``.tsv`` or ``.parquet`` file; columns of ``text`` stay text (``001`` stays ``001``)."""
    path = Path(path)
    _require_file(path)
    try:
        if path.suffix == ".parquet":
            return _parquet(path)
        separator = "\t" if path.suffix == ".tsv" else ","
        as_text = dict.fromkeys(text, "str")
        return pd.read_csv(path, sep=separator, dtype=as_text, keep_default_na=True)
    except (ValueError, OSError) as error:  # pandas and pyarrow parse errors are ValueErrors
        raise DatasetError(f"{path} does not read as a table: {error}") from error


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow fails with nearly any error on damaged metadata
        raise DatasetError(f"{path} does not read as a table: {error!r}") from error


def table_matrix(table: pd.DataFrame, what: str) -> npt.NDArray[Any]:
    """Return the columns of a table as one matrix of numbers.

    Raises
    ------
    InputError
        Naming the columns that do not hold numbers.
    """
    wrong = [str(name) for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        shown = ", ".join(map(repr, wrong[:5]))
        raise InputError(
            f"{what}: {len(wrong)} of {table.shape[1]} columns do not hold numbers, first {shown}; "
            "name the column of stimulus ids (stimuli=), of repeats or of sessions, and drop other text."
        )
    return table.to_numpy(dtype=np.float64 if table.dtypes.nunique() > 1 else None, na_value=np.nan)


def load_labels(given: Labels, n: int, what: str, *, table: pd.DataFrame | None = None) -> list[str]:
    """Return one text a row.

    Parameters
    ----------
    given : str, path or sequence
        Column of ``table``; or a file: ``.txt`` (one a line), ``.npy`` of text or integers, a table with a column
        called ``stimulus``, ``what``, or one column only; or the labels themselves.
    n : int
        How many there must be.
    what : str
        Name of the labels in errors.
    table : DataFrame, optional
        The table that the matrix came from.
    """
    if isinstance(given, (str, os.PathLike)):
        values = _labels_of_name(given, what, table)
    else:
        values = list(np.asarray(given).tolist() if isinstance(given, np.ndarray) else given)
    labels = [_as_text(value, what, row) for row, value in enumerate(values)]
    if len(labels) != n:
        raise DatasetError(
            f"{len(labels)} {what} labels were given for {n} rows of the matrix; one is needed for each."
        )
    return labels


def real_numbers(values: Any, what: str) -> npt.NDArray[Any]:
    """Return an array of float32 or float64 in native byte order; complex, text and objects are refused.

    Integers become float64, float16 becomes float32. A mapped array of the right kind stays mapped.
    """
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{what} holds {array.dtype}; real numbers are needed.")
    if array.dtype.kind != "f":
        return array.astype(np.float64)
    kind = np.float32 if array.dtype.itemsize <= 4 else np.float64
    return array if array.dtype == np.dtype(kind) else array.astype(kind)


def whole_numbers(values: npt.ArrayLike, where: str) -> npt.NDArray[np.int64]:
    """Return labels or counts as integers.

    Raises
    ------
    DatasetError
        If there is none, or a value is no whole number.
    """
    found = np.asarray(values)
    whole = found.dtype.kind in "biu" or (found.dtype.kind == "f" and bool((np.abs(found) < 2**63).all()))
    if not found.size or not whole or not np.array_equal(found, np.round(found)):
        raise DatasetError(f"{where} holds {found.size} {found.dtype} values that are no whole numbers.")
    return found.astype(np.int64)


def column_of_texts(table: pd.DataFrame, column: str, path: Path) -> list[str]:
    """Return the texts of a column that names something in every row.

    Raises
    ------
    DatasetError
        If a row has none.
    """
    missing = table[column].isna().to_numpy()
    if missing.any():
        raise DatasetError(
            f"{path}, column {column!r}: {int(missing.sum())} of {len(table)} rows are empty, first row "
            f"{int(np.argmax(missing)) + 1}; every row needs one."
        )
    return [str(value) for value in table[column]]


def refuse_non_finite(matrix: npt.NDArray[Any], rows: Sequence[str], columns: str, what: str) -> None:
    """Raise at the first NaN or inf, naming its row; reads 64 MB at a time."""
    step = max(1, (64 << 20) // max(1, matrix.shape[1] * matrix.dtype.itemsize))
    for start in range(0, len(matrix), step):
        bad = ~np.isfinite(matrix[start : start + step])
        if bad.any():
            row, column = (int(at[0]) for at in np.nonzero(bad))
            raise NonFiniteError(
                f"{what} holds {int(bad.sum())} NaN or inf in rows {start} to {start + len(bad) - 1}, first at "
                f"stimulus {rows[start + row]!r} (row {start + row}), {columns} {column}; drop these rows or columns. "
                "Repeats that were not shown go on an axis of their own: axes=('stimulus', 'repetition', 'neuroid')."
            )


def _require_file(path: Path) -> None:
    if not path.is_file():
        near = near_names(path.name, [p.name for p in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise DatasetError(f"there is no file {path}.{near}")


def _key(names: list[str], key: str | None, path: Path) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if key is None or key not in names:
        hint = near_names(key or "", names)
        given = "no array of it was named" if key is None else f"it has no array {key!r}"
        raise DatasetError(f"{path} holds {len(names)} arrays and {given} (key=).{hint}")
    return key


def _labels_of_name(given: PathLike, what: str, table: pd.DataFrame | None) -> list[Any]:
    if table is not None and str(given) in table.columns:
        return table[str(given)].tolist()
    path = Path(given)
    if not path.is_file():
        columns = [] if table is None else [str(name) for name in table.columns]
        neither = "a file" if table is None else "a column of the matrix or a file"
        raise DatasetError(f"{what}: {str(given)!r} is not {neither}.{near_names(str(given), columns)}")
    if path.suffix == ".txt":
        return read_lines(path)
    if path.suffix in (".npy", ".npz"):
        return list(load_array(path).tolist())
    labels = load_table(path)
    for name in (what, "stimulus", *labels.columns[: 1 if labels.shape[1] == 1 else 0]):
        if name in labels.columns:
            found: list[Any] = load_table(path, text=[str(name)])[name].tolist()
            return found
    raise DatasetError(f"{path} has columns {', '.join(map(str, labels.columns))}; one must be called {what!r}.")


def _as_text(value: Any, what: str, row: int) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None or value != value else str(value).strip()
    if not text or isinstance(value, float):
        raise DatasetError(f"{what}: row {row} has no usable label ({value!r}).")
    return text

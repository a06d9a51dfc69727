"""What is known of each neuroid: ROI labels, places, signal-to-noise."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.matrices import PathLike, load_table
from brainalign.errors import DatasetError

__all__ = ["ALL", "neuroid_variables"]

ALL = "all"
"""Label of all neuroids where no ROI is named."""
COORDINATES = ("x", "y", "z", "vertex", "hemisphere", "ncsnr", "noise_variance", "signal_variance", "exact_ceiling")


def neuroid_variables(
    rois: PathLike | pd.DataFrame | None, n_neuroids: int, names: list[str] | None
) -> tuple[npt.NDArray[np.bool_], list[str], dict[str, npt.NDArray[Any]]]:
    """Read a table with one row a neuroid.

    Parameters
    ----------
    rois : path or DataFrame, optional
        Column ``roi`` (one label a neuroid; empty for none) and any columns of booleans or 0/1, each a ROI that may
        overlap others; ``neuroid`` (names, as the columns of the matrix, in any order); the rest become coordinates.
    n_neuroids : int
    names : list of str, optional
        Names of the neuroids in the matrix.

    Returns
    -------
    roi : array, shape (n_neuroids, n_labels)
    labels : list of str
        ``["all"]`` where no ROI is named.
    coordinates : dict of arrays, shape (n_neuroids,)
    """
    if rois is None:
        return np.ones((n_neuroids, 1), dtype=bool), [ALL], {}
    table = load_table(rois, text=["neuroid"]) if isinstance(rois, (str, os.PathLike)) else rois
    table = _aligned(table, n_neuroids, names)
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    coordinates: dict[str, npt.NDArray[Any]] = {}
    for column in map(str, table.columns):
        values = table[column]
        if column == "neuroid":
            continue
        if column == "roi":
            given = values.fillna("").astype(str)
            masks |= {label: (given == label).to_numpy() for label in sorted(set(given) - {""})}
        elif column not in COORDINATES and _is_mask(values):
            masks[column] = values.to_numpy().astype(bool)
        else:
            numeric = pd.api.types.is_numeric_dtype(values)
            coordinates[column] = values.to_numpy() if numeric else values.astype(str).to_numpy(dtype=object)
    empty = [label for label, mask in masks.items() if not mask.any()]
    if empty:
        raise DatasetError(f"ROIs {', '.join(map(repr, empty))} hold no neuroid.")
    if not masks:
        return np.ones((n_neuroids, 1), dtype=bool), [ALL], coordinates
    return np.stack(list(masks.values()), axis=1), list(masks), coordinates


def _is_mask(values: pd.Series[Any]) -> bool:
    if pd.api.types.is_bool_dtype(values):
        return True
    return bool(pd.api.types.is_integer_dtype(values) and values.isin((0, 1)).all())


def _aligned(table: pd.DataFrame, n_neuroids: int, names: list[str] | None) -> pd.DataFrame:
    if len(table) != n_neuroids:
        raise DatasetError(f"the table of neuroids has {len(table)} rows; the matrix has {n_neuroids} neuroids.")
    if "neuroid" not in table.columns or names is None:
        return table
    given = table["neuroid"].astype(str)
    if given.duplicated().any():
        raise DatasetError(f"the table of neuroids names {given[given.duplicated()].iloc[0]!r} twice.")
    absent = sorted(set(names) - set(given))
    if absent:
        raise DatasetError(f"the table of neuroids lacks {len(absent)} of the matrix, first {absent[0]!r}.")
    return table.set_index(given).loc[names].reset_index(drop=True)

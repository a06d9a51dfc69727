"""Standardising responses within sessions or runs: the one place where that is done in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import DatasetError, PairingError, ShapeError

__all__ = ["standardize_within", "zscore_sessions"]


def zscore_sessions(values: npt.NDArray[Any], sessions: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return responses with mean 0 and standard deviation 1 in every session and neuroid.

    Parameters
    ----------
    values : array, shape (n_presentations, n_neuroids)
    sessions : array, shape (n_presentations,)
        Session of each presentation, in any order.

    Returns
    -------
    array, shape (n_presentations, n_neuroids)
        float32 for float32, else float64; sums in float64. The standard deviation is that of the session's
        presentations (n in the denominator). A neuroid that does not vary in a session is 0 there.

    Raises
    ------
    ShapeError, PairingError
        If ``values`` is no matrix, or the sessions are not one a row.

    Examples
    --------
    >>> zscore_sessions(np.array([[1.0], [3.0], [10.0], [10.0]]), [1, 1, 2, 2]).ravel()
    array([-1.,  1.,  0.,  0.])
    """
    labels = np.asarray(sessions)
    if values.ndim != 2:
        raise ShapeError(f"expected responses (presentation, neuroid), got shape {values.shape}.")
    if labels.shape != (len(values),):
        raise PairingError(f"{labels.shape} sessions do not pair with {len(values)} presentations; one is needed each.")
    return standardize_within(values, labels, least=1)


def standardize_within(
    values: npt.NDArray[Any], groups: npt.ArrayLike, *, detrend: bool = False, least: int | None = None
) -> npt.NDArray[Any]:
    """Z-score each column within each group of rows, with population standard deviations.

    Parameters
    ----------
    values : array, shape (n_rows, n_columns)
    groups : sequence of length n_rows
        Session or run of each row.
    detrend : bool
        First take out the straight line through the rows of a group, in their order.
    least : int, optional
        Rows that a group must have; default 2, or 3 with ``detrend``.

    Returns
    -------
    array, shape (n_rows, n_columns)
        float32 for float32, else float64; computed in float64. Columns that do not vary within a group are 0 there.

    Raises
    ------
    DatasetError
        If a group has fewer rows than that.
    """
    labels = np.asarray(groups)
    out = np.empty(values.shape, dtype=np.float32 if values.dtype == np.float32 else np.float64)
    precision = 8 * np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).eps
    needed = (3 if detrend else 2) if least is None else least
    for group in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == group)
        if len(rows) < needed:
            raise DatasetError(f"{group!r} has {len(rows)} rows; {needed} are needed to standardize within it.")
        block = values[rows].astype(np.float64)
        varies = block.max(axis=0) > block.min(axis=0)  # a constant has a spread of rounding errors, not of zero
        size = np.abs(block).max(axis=0)
        block -= block.mean(axis=0)
        if detrend:
            time = np.arange(len(rows)) - (len(rows) - 1) / 2
            block -= np.outer(time, time @ block / (time @ time))
            varies &= block.std(axis=0) > precision * size  # and so has a straight line
        spread = block.std(axis=0)
        out[rows] = np.where(varies, block / np.where(varies, spread, 1.0), 0.0)
    return out

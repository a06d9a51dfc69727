"""Kendall's tau of a property with a score: how often two units stand in the same order on both."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import UndefinedError

__all__ = ["kendall_tau", "tau_null", "tau_samples"]

FloatArray = npt.NDArray[np.float64]
PlaceArray = npt.NDArray[np.signedinteger[Any]]

# relative difference below which two values are tied: rounding of permuted family means
TIED = 1e-12
CHUNK = 1 << 21


def kendall_tau(x: FloatArray, y: FloatArray) -> float:
    """Return Kendall's tau-b of two vectors (n,).

    Raises
    ------
    UndefinedError
        If either is constant.

    Notes
    -----
    Kendall 1945, doi:10.2307/2332303. Cost: n² / 2 comparisons.

    Examples
    --------
    >>> round(kendall_tau(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4])), 4)
    0.6667
    """
    first, second = _order(x[None])[0], _order(y[None])[0]
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    if length == 0:
        raise UndefinedError("x or y is the same for all units: they stand in no order.")
    return float(first @ second) / length


def tau_null(x: FloatArray, rearranged: FloatArray) -> FloatArray:
    """Return tau-b of x (n,) with each row of (R, n), shape (R,); 0 for a row without order.

    Cost: a sort of each row, and R n² comparisons of small integers.
    """
    at = np.argsort(x, kind="stable")
    placed = _places(x[None, at])[0]
    # for each unit in the order of x, the first one that is above it
    above = np.searchsorted(placed, placed, side="right")
    out = np.zeros(len(rearranged))
    step = max(1, CHUNK // max(1, len(at)))
    for start in range(0, len(rearranged), step):
        rows = _places(rearranged[start : start + step])
        length = np.sqrt(_n_untied(placed[None]) * _n_untied(rows))
        excess = _concordant(np.ascontiguousarray(rows[:, at].T), above)
        np.divide(excess, length, out=out[start : start + step], where=length > 0)
    return out


def _concordant(rows: PlaceArray, above: npt.NDArray[np.intp]) -> FloatArray:
    """Pairs in the order of x less those against it: rows (n, R) sorted by x, shape (R,)."""
    excess = np.zeros(rows.shape[1], dtype=np.int64)
    for i, first in enumerate(above):
        higher = rows[first:]
        # at most 127 at a time, so that signs add up in one byte
        for part in np.split(higher, range(127, len(higher), 127)):
            signs = (part > rows[i]).view(np.int8) - (part < rows[i]).view(np.int8)
            excess += np.add.reduce(signs, axis=0, dtype=np.int8)
    return excess.astype(np.float64)


def _places(values: FloatArray) -> PlaceArray:
    """Places of values (R, n) in the order of their row, from 0; those that are tied share one."""
    at = np.argsort(values, axis=1)
    steps = np.diff(np.take_along_axis(values, at, axis=1), axis=1) > _slack(values)
    places = np.zeros(values.shape, dtype=np.int32)
    np.cumsum(steps, axis=1, out=places[:, 1:])
    found = np.empty_like(places)
    np.put_along_axis(found, at, places, axis=1)
    return found.astype(np.int16) if values.shape[1] < 1 << 15 else found


def _n_untied(places: PlaceArray) -> FloatArray:
    """Pairs of each row that are not tied, (R,)."""
    n = places.shape[1]
    ordered = np.sort(places, axis=1)
    # a unit that is the m-th of its tie is tied with m - 1 before it
    begins = np.where(np.diff(ordered, axis=1, prepend=-1) > 0, np.arange(n), 0)
    tied = (np.arange(n) - np.maximum.accumulate(begins, axis=1)).sum(axis=1)
    untied: FloatArray = n * (n - 1) / 2 - tied.astype(np.float64)
    return untied


def tau_samples(x: FloatArray, y: FloatArray, counts: FloatArray) -> FloatArray:
    """Return tau-b in bootstrap samples that take unit i ``counts[r, i]`` times, shape (R,); NaN without order.

    Copies of one unit are tied with each other. Cost: three products (R, n) by (n, n).
    """
    first, second = _square(x), _square(y)
    agree, one, other = (
        np.einsum("ri,ri->r", counts @ signs, counts) for signs in (first * second, first**2, second**2)
    )
    length = np.sqrt(one * other)
    return np.where(length > 0, agree / np.where(length > 0, length, 1.0), np.nan)


def _order(values: FloatArray) -> FloatArray:
    """Signs of the differences of all pairs, (R, n) to (R, n (n - 1) / 2)."""
    one, other = np.triu_indices(values.shape[1], 1)
    return _signs(values[:, one] - values[:, other], values)


def _square(values: FloatArray) -> FloatArray:
    return _signs(values[:, None] - values[None, :], values)


def _signs(difference: FloatArray, values: FloatArray) -> FloatArray:
    signs: FloatArray = np.where(np.abs(difference) <= _slack(values), 0.0, np.sign(difference))
    return signs


def _slack(values: FloatArray) -> float:
    return TIED * float(np.abs(values).max(initial=0.0))

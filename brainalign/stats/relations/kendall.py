"""Kendall's tau of a property with a score: how often two units stand in the same order on both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brainalign.errors import UndefinedError

__all__ = ["kendall_tau", "tau_null", "tau_samples"]

FloatArray = npt.NDArray[np.float64]

# relative difference below which two values are tied: rounding of permuted family means
TIED = 1e-12
CHUNK = 1 << 23


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
    """Return tau-b of x (n,) with each row of (R, n), shape (R,); 0 for a row without order. Cost: R n² / 2."""
    order = _order(x[None])[0]
    length = float(np.linalg.norm(order))
    out = np.zeros(len(rearranged))
    step = max(1, CHUNK // max(1, len(order)))
    for start in range(0, len(rearranged), step):
        signs = _order(rearranged[start : start + step])
        norm = np.sqrt((signs != 0).sum(axis=1)) * length
        np.divide(signs @ order, norm, out=out[start : start + step], where=norm > 0)
    return out


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
    slack = TIED * float(np.abs(values).max(initial=0.0))
    signs: FloatArray = np.where(np.abs(difference) <= slack, 0.0, np.sign(difference))
    return signs

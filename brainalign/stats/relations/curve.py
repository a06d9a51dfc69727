"""A score against a property over all its scales: the whole curve of correlations, with the search over it paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ShapeError, UndefinedError
from brainalign.stats.relations.correlation import as_columns, as_vector, unit_columns
from brainalign.stats.relations.exchange import Exchange, p_of
from brainalign.stats.relations.relation import correlations_with

__all__ = ["RelationCurve", "relation_curve"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RelationCurve:
    """Correlation of a score with a property at each of its scales.

    Attributes
    ----------
    scales : array, shape (K,)
    r : array, shape (K,)
        Correlation at each scale, given the covariates if any; NaN where the property is undefined for a unit or the
        same for all.
    p_each : array, shape (K,)
        p of each against the largest |r| over all scales under the same permutations.
    p : float
        The smallest of them, that of the best scale: the search over scales is paid for.
    best_scale, best_r : float
        Where |r| is largest, and r there.
    null_low, null_high : arrays, shape (K,)
        Middle 95 % of r under permutation, scale by scale.
    null_max : float
        95 % quantile of the largest |r| over scales.
    n, n_permutations : int
    """

    scales: FloatArray
    r: FloatArray
    p_each: FloatArray
    p: float
    best_scale: float
    best_r: float
    null_low: FloatArray
    null_high: FloatArray
    null_max: float
    n: int
    n_permutations: int


def relation_curve(
    values: npt.ArrayLike,
    y: npt.ArrayLike,
    scales: npt.ArrayLike,
    *,
    groups: Any = None,
    covariates: npt.ArrayLike | None = None,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> RelationCurve:
    """Relate a score with a property at every scale, and test the largest correlation of all.

    Parameters
    ----------
    values : array, shape (n, K)
        The property of each unit at each scale, NaN where undefined.
    y : array, shape (n,)
        The score.
    scales : array, shape (K,)
    groups, covariates, n_permutations, seed
        As in `relation_of`; the same permutation serves all scales.

    Raises
    ------
    ShapeError, NonFiniteError
        For inputs that do not pair.
    UndefinedError
        If no scale has a value that differs among the units, or y is constant.

    Notes
    -----
    Two-sided; Westfall & Young 1993. Cost: n_permutations n K multiplications.
    """
    X, at = np.asarray(values, dtype=np.float64), np.asarray(scales, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != len(at):
        raise ShapeError(f"values {X.shape} do not match {len(at)} scales; expected (units, scales).")
    other, Z = as_vector(y, name="y", n=len(X)), as_columns(covariates, len(X))
    defined = np.flatnonzero(np.isfinite(X).all(axis=0) & (np.ptp(X, axis=0) > 0))
    if not len(defined):
        raise UndefinedError("at no scale is the property defined for all units and different among them.")
    a, b = unit_columns(X[:, defined], Z, name="x"), unit_columns(other, Z, name="y")
    drawn = Exchange(groups, len(X)).rearrange(b, count=n_permutations, seed=seed)
    null, found = correlations_with(a, drawn.values, Z), np.clip(b @ a, -1, 1)
    largest = np.abs(null).max(axis=1)
    low, high = np.quantile(null, (0.025, 0.975), axis=0)
    best = int(np.argmax(np.abs(found)))
    p_each = np.array([p_of(abs(r), largest) for r in found])

    def spread(part: FloatArray) -> FloatArray:
        whole = np.full(len(at), np.nan)
        whole[defined] = part
        return whole

    return RelationCurve(
        scales=at,
        r=spread(found),
        p_each=spread(p_each),
        p=float(p_each[best]),
        best_scale=float(at[defined[best]]),
        best_r=float(found[best]),
        null_low=spread(low),
        null_high=spread(high),
        null_max=float(np.quantile(largest, 0.95)),
        n=len(X),
        n_permutations=len(null),
    )

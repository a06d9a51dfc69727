"""Local intrinsic dimension: how the number of neighbours of a point grows with the distance from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError, near_names
from brainalign.kernels.neighbours import Neighbours, check_k, neighbour_graph

__all__ = ["LocalDimension", "local_dimension"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

ESTIMATORS = ("mle", "twonn")
AVERAGES = ("arithmetic", "harmonic", "unbiased")
KEPT_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class LocalDimension:
    """Intrinsic dimension of a cloud of points.

    Attributes
    ----------
    value : float
        The dimension.
    pointwise : array of float64, shape (n,), or None
        The dimension around each point that was kept; infinite where all its neighbours are equally far. None for
        estimators that have no pointwise form (TwoNN).
    k : int
        Number of neighbours that were used.
    n : int
        Number of points that were used.
    dropped : int
        Number of points left out because they equal an earlier one.
    rows : array of int, shape (n,)
        The points that were kept.
    """

    value: float
    pointwise: FloatArray | None
    k: int
    n: int
    dropped: int
    rows: IndexArray


def local_dimension(X: Any, *, estimator: str = "mle", k: int = 50, average: str = "arithmetic") -> LocalDimension:
    """Estimate the local intrinsic dimension of a cloud of points.

    Parameters
    ----------
    X : array, shape (n, p), or Neighbours
        Points in rows, or their neighbour graph with at least ``k`` neighbours, so that many estimates share one.
    estimator : {"mle", "twonn"}
        ``mle``: maximum likelihood from the distances T_1 ≤ … ≤ T_k of each point,
        m = [Σ_{j<k} log(T_k / T_j) / (k - 1)]⁻¹.
        ``twonn``: slope through the origin of -log(1 - i/n) on the i-th smallest log(T_2 / T_1), lowest 90 % of points.
    k : int
        Number of neighbours for ``mle``, at least 2 (3 for ``unbiased``); ``twonn`` takes two.
    average : {"arithmetic", "harmonic", "unbiased"}
        How ``mle`` is averaged over points: the mean of m; 1 / mean(1/m), the maximum likelihood of all points
        together; or the mean of m with k - 2 in the place of k - 1.

    Returns
    -------
    LocalDimension
        Value, pointwise estimates, k, number of points used and dropped.

    Raises
    ------
    ShapeError
        If there are not more than ``k`` points, or the graph holds fewer than ``k`` neighbours.
    ChoiceError, InputError, NonFiniteError
        For an unknown name, a ``k`` that is no number of neighbours, NaN or inf.
    UndefinedError
        If too few distinct points are left, or if distances do not differ, so that the estimate is infinite.

    Notes
    -----
    Of equal points the first is kept and the others are dropped and counted, before neighbours are counted; nearly
    equal points stay. All estimators fall short of the truth above about ten dimensions, the more so the fewer the
    points: compare only at the same n and k. Cost: that of `neighbour_graph`, then n k.

    References
    ----------
    Levina & Bickel 2004 (mle); MacKay & Ghahramani 2005 (harmonic); Facco et al. 2017, doi:10.1038/s41598-017-11873-y
    (twonn).

    Examples
    --------
    >>> square = np.random.default_rng(0).random((1000, 2)) @ np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    >>> round(local_dimension(square, k=20, average="harmonic").value, 1)
    1.9
    """
    _check(estimator, average, k)
    needed = k if estimator == "mle" else 2
    distance, rows, dropped = _distances(X, needed)
    value, pointwise = (_twonn(distance), None) if estimator == "twonn" else _mle(distance, average)
    return LocalDimension(value, pointwise, needed, len(rows), dropped, rows)


def _check(estimator: str, average: str, k: int) -> None:
    for what, name, choices in (("estimator", estimator, ESTIMATORS), ("average", average, AVERAGES)):
        if name not in choices:
            raise ChoiceError(f"{what}={name!r} is unknown.{near_names(str(name), choices)}")
    check_k(k)
    least = 3 if average == "unbiased" else 2
    if estimator == "mle" and k < least:
        raise InputError(f"k={k} is too small: mle with average={average!r} needs at least {least} neighbours.")


def _distances(X: Any, k: int) -> tuple[FloatArray, IndexArray, int]:
    """Return distances (n, k) among the points that differ, their rows, and how many equal ones were dropped."""
    graph = X if isinstance(X, Neighbours) else neighbour_graph(X, k=k)
    if graph.k < k:
        raise ShapeError(f"the graph holds {graph.k} neighbours of each point, {k} are needed; build it with k={k}.")
    everyone = np.arange(graph.n)
    # equal points are ordered by row, so the first neighbour at distance zero is the first of the set, itself apart
    kept = (graph.distance[:, 0] > 0) | (graph.index[:, 0] > everyone)
    rows: IndexArray = everyone[kept]
    if len(rows) <= k:
        raise UndefinedError(
            f"only {len(rows)} of {graph.n} points differ from one another, so they have no {k} neighbours apart from "
            f"themselves; give at least {k + 1} different points."
        )
    if len(rows) == graph.n:
        return _euclidean(graph)[:, :k], rows, 0
    inside = kept[graph.index[rows]]
    count = np.cumsum(inside, axis=1)
    if (count[:, -1] < k).any():
        rebuilt = neighbour_graph(graph.points[rows], k=k, metric=graph.metric)
        return _euclidean(rebuilt), rows, graph.n - len(rows)
    taken = inside & (count <= k)
    return _euclidean(graph)[rows][taken].reshape(-1, k), rows, graph.n - len(rows)


def _euclidean(graph: Neighbours) -> FloatArray:
    """Distances whose growth gives a dimension: for cosine those between unit vectors."""
    return np.sqrt(2 * graph.distance) if graph.metric == "cosine" else graph.distance


def _mle(distance: FloatArray, average: str) -> tuple[float, FloatArray]:
    k = distance.shape[1]
    inverse = np.log(distance[:, -1:] / distance[:, :-1]).sum(1) / (k - 2 if average == "unbiased" else k - 1)
    n_flat = int(np.sum(inverse == 0))
    if n_flat and (average != "harmonic" or n_flat == len(inverse)):
        advice = "" if n_flat == len(inverse) else " Use average='harmonic', which is finite, or a larger k."
        raise UndefinedError(
            f"around {n_flat} of {len(inverse)} points all {k} neighbours are equally far, so the dimension there is "
            f"infinite.{advice}"
        )
    with np.errstate(divide="ignore"):
        pointwise: FloatArray = 1 / inverse
    value = 1 / inverse.mean() if average == "harmonic" else pointwise.mean()
    return float(value), pointwise


def _twonn(distance: FloatArray) -> float:
    n = len(distance)
    kept = int(n * KEPT_SHARE)
    x = np.sort(np.log(distance[:, 1] / distance[:, 0]))[:kept]
    y = -np.log1p(-np.arange(1, kept + 1) / n)
    if not x.any():
        raise UndefinedError(
            f"the first two neighbours are equally far for {kept} of {n} points, so the slope is infinite."
        )
    return float(x @ y / (x @ x))

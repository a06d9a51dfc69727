"""Local intrinsic dimension: how the number of neighbours of a point grows with the distance from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, InputError, UndefinedError, near_names
from brainalign.geometry.abide import abide
from brainalign.geometry.by_distance import BY_DISTANCE, Estimate
from brainalign.geometry.by_position import BY_POSITION
from brainalign.geometry.distinct import neighbourhoods
from brainalign.geometry.shells import shells_of_neighbourhoods
from brainalign.kernels.neighbours import check_k

__all__ = ["AVERAGES", "ESTIMATORS", "LocalDimension", "averaged", "check_choices", "local_dimension"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

AVERAGES = ("arithmetic", "harmonic", "unbiased")
TWO = frozenset({"twonn", "twonn-ml"})
LEAST = {"mle": 2, "mom": 2, "mada": 2, "gride": 2, "tle": 2, "ess": 3, "abide": 6}
ESTIMATORS = (*(name for name in BY_DISTANCE if name != "mle-unbiased"), *BY_POSITION, "abide")
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class LocalDimension:
    """Intrinsic dimension of a cloud of points.

    Attributes
    ----------
    value : float
        The dimension.
    pointwise : array of float64, shape (n,), or None
        The dimension around each point that was kept; infinite where all its neighbours are equally far. None for
        estimators that have no pointwise form (TwoNN, GRIDE, ABIDE).
    k : int
        Number of neighbours that were used.
    n : int
        Number of points that were used.
    dropped : int
        Number of points left out because they equal an earlier one, exactly or nearly.
    rows : array of int, shape (n,)
        The points that were kept.
    nearly_equal : int
        Number of those left out that are only nearly equal to an earlier one.
    error : float
        Standard error of ``value``, over points drawn anew from the same law; NaN where it has no value.
    """

    value: float
    pointwise: FloatArray | None
    k: int
    n: int
    dropped: int
    rows: IndexArray = field(repr=False)
    nearly_equal: int = 0
    error: float = np.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, ``value`` ± 1.96 ``error``."""
        return self.value - NORMAL_95 * self.error, self.value + NORMAL_95 * self.error


def local_dimension(X: Any, *, estimator: str = "mle", k: int = 50, average: str = "arithmetic") -> LocalDimension:
    """Estimate the local intrinsic dimension of a cloud of points.

    Parameters
    ----------
    X : array, shape (n, p), or Neighbours
        Points in rows, or their neighbour graph with at least ``k`` neighbours, so that many estimates share one.
    estimator : str
        With the distances T_1 ≤ … ≤ T_k of each point and h = k // 2:

        - ``mle``: maximum likelihood, m = [Σ_{j<k} log(T_k / T_j) / (k - 1)]⁻¹.
        - ``twonn``: slope through the origin of -log(1 - i/n) on the i-th smallest log(T_2 / T_1), lowest 90 % of
          points; ``twonn-ml``: (n - 1) / Σ log(T_2 / T_1).
        - ``gride``: maximum likelihood of all T_k / T_h together.
        - ``mom``: m̄ / (T_k - m̄), m̄ the mean of all T_j; ``mada``: log(k / h) / log(T_k / T_h).
        - ``tle``: tight maximum likelihood, from all pairs of neighbours.
        - ``ess``: expected simplex skewness, from the angles between neighbours.
        - ``lpca``: eigenvalues of the neighbours' covariance above 5 % of the first; ``lpca-ratio``: number that holds
          95 % of the variance; ``lpca-participation-ratio``; ``lpca-maxgap``: position of the largest ratio of
          consecutive ones; ``lpca-kaiser``: number above their mean; ``lpca-broken-stick``: number of leading ones
          above the lengths of a broken stick.
        - ``abide``: neighbourhoods of at most ``k`` points that end where the density changes.
    k : int
        Number of neighbours, at least 2 (3 for ``unbiased``, ``ess``, ``lpca``; 6 for ``abide``); TwoNN takes two.
    average : {"arithmetic", "harmonic", "unbiased"}
        How pointwise estimates are averaged: the mean of m; 1 / mean(1/m), which for ``mle`` is the maximum likelihood
        of all points together; or, for ``mle``, the mean of m with k - 2 in the place of k - 1. Of no effect on
        estimators without a pointwise form.

    Returns
    -------
    LocalDimension
        Value, error, pointwise estimates, k, number of points used and dropped.

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
    Of equal points the first is kept, and of points closer than 1e-5 of the median distance to the tenth neighbour
    too; the others are dropped and counted, before neighbours are counted. All estimators fall short of the truth
    above about ten dimensions, the more so the fewer the points: compare only at the same n and k.

    The error weighs each pair of points by the share of neighbours that their neighbourhoods have in common. For GRIDE
    and ABIDE it is that of the likelihood, which takes points as independent and falls short by a quarter. It says
    nothing of the bias. ``lpca-maxgap``, ``lpca-kaiser`` and ``lpca-broken-stick`` depend on the number of columns, by
    definition.

    Cost: that of `neighbour_graph`, then n k; n k² p for ``tle``, ``ess`` and ``lpca``, and n min(k, p)³ for ``lpca``.

    References
    ----------
    Levina & Bickel 2004 (mle); MacKay & Ghahramani 2005 (harmonic); Facco et al. 2017, doi:10.1038/s41598-017-11873-y
    (twonn); Denti et al. 2022, doi:10.1038/s41598-022-20991-1 (gride); Amsaleg et al. 2018,
    doi:10.1007/s10618-018-0578-6 (mom); Farahmand et al. 2007, doi:10.1145/1273496.1273530 (mada); Amsaleg et al. 2019,
    doi:10.1137/1.9781611975673.21 (tle); Johnsson et al. 2015, doi:10.1109/TPAMI.2014.2343220 (ess); Fukunaga & Olsen
    1971, doi:10.1109/T-C.1971.223208 (lpca); Di Noia et al. 2024, arXiv:2405.15132 (abide).

    Examples
    --------
    >>> square = np.random.default_rng(0).random((1000, 2)) @ np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    >>> round(local_dimension(square, k=20, average="harmonic").value, 1)
    1.9
    """
    check_choices(estimator, average, k)
    needed = 2 if estimator in TWO else k
    near = neighbourhoods(X, needed)
    if estimator in BY_POSITION:
        estimate = _of_pointwise(BY_POSITION[estimator](near, needed))
    elif estimator == "abide":
        estimate = abide(near, needed)
    else:
        estimate = _by_distance(estimator, average)(shells_of_neighbourhoods(near, [needed]), 0)
    value, error, pointwise = estimate.value, estimate.error, None
    index = near.index[:, :needed]
    if estimate.terms is not None:
        error = value * _error_of_mean(estimate.terms, index) / float(estimate.terms.mean())
    if estimate.inverse is not None:
        value, pointwise = averaged(estimate.inverse, needed, average)
        harmonic = average == "harmonic"
        error = _error_of_mean(estimate.inverse if harmonic else pointwise, index) * (value**2 if harmonic else 1)
    dropped = near.equal + near.nearly_equal
    return LocalDimension(value, pointwise, needed, near.n, dropped, near.rows, near.nearly_equal, error)


def check_choices(estimator: str, average: str, k: int) -> None:
    """Refuse an unknown estimator or average, or a ``k`` that is too small for it."""
    for what, name, choices in (("estimator", estimator, ESTIMATORS), ("average", average, AVERAGES)):
        if name not in choices:
            raise ChoiceError(f"{what}={name!r} is unknown.{near_names(str(name), choices)}")
    check_k(k)
    if average == "unbiased" and estimator not in ("mle", *TWO):
        raise ChoiceError(f"average='unbiased' belongs to estimator='mle'; {estimator!r} takes the other averages.")
    least = 3 if average == "unbiased" else LEAST.get(estimator, 3)
    if estimator not in TWO and k < least:
        raise InputError(f"k={k} is too small: {estimator} with average={average!r} needs at least {least} neighbours.")


def _by_distance(estimator: str, average: str) -> Callable[..., Estimate]:
    return BY_DISTANCE["mle-unbiased" if average == "unbiased" and estimator == "mle" else estimator]


def _of_pointwise(dimension: FloatArray) -> Estimate:
    with np.errstate(divide="ignore"):
        return Estimate(1 / dimension)


def averaged(inverse: FloatArray, k: int, average: str) -> tuple[float, FloatArray]:
    """Return the average over points of the dimensions with these inverses, and the dimensions.

    Raises
    ------
    UndefinedError
        If an infinite dimension enters the average.
    """
    n_flat = int(np.sum(inverse == 0))
    if n_flat and (average != "harmonic" or n_flat == len(inverse)):
        advice = "" if n_flat == len(inverse) else " Use average='harmonic', which is finite, or a larger k."
        raise UndefinedError(
            f"around {n_flat} of {len(inverse)} points all {k} neighbours are equally far, so the dimension there is "
            f"infinite.{advice}"
        )
    with np.errstate(divide="ignore"):
        pointwise: FloatArray = 1 / inverse
    return float(1 / inverse.mean() if average == "harmonic" else pointwise.mean()), pointwise


def _error_of_mean(terms: FloatArray, index: IndexArray) -> float:
    """Standard error of a mean over points, which count as dependent by the share of neighbours in common."""
    if not np.isfinite(terms).all():
        return np.nan
    n, k = index.shape
    deviation = terms - terms.mean()
    received = deviation + np.bincount(index.reshape(-1), weights=np.repeat(deviation, k), minlength=n)
    return float(np.sqrt((received**2).sum() / (k + 1)) / n)

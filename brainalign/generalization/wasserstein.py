"""How fast samples of an embedding approach its law: distances of two samples at growing sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

from brainalign.arrays import as_matrix
from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.generalization.distances import check_choices, directions_for, distance_between

__all__ = ["WassersteinRate", "wasserstein_rate"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

LARGEST_SIZE = 1600
SMALLEST_SIZE = 25
MOST_SIZES = 5
FITTED_SIZES = 3
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class WassersteinRate:
    """Distance between two independent samples of one law, at growing sample sizes.

    Attributes
    ----------
    sizes : array of int, shape (s,)
        Points in each of the two samples.
    distance : array, shape (s,)
        Mean distance over draws.
    interval : array, shape (s, 2)
        95 % interval of that mean over draws. Draws share points where ``2 size n_draws`` exceeds the number of points:
        then it speaks of these points, not of their law.
    slope : float
        Of log distance on log size over the last three sizes.
    slope_error : float
        Its standard error over draws; NaN for one draw.
    local_slopes : array, shape (s - 1,)
        From each size to the next: clustered laws converge fast at first and slowly later.
    dimension : float
        -1 / slope: the dimension that the rate implies. NaN where the slope is not negative, and for ``sliced``,
        whose rate does not depend on dimension.
    per_draw : array, shape (n_draws, s)
        The distances.
    p, method
        As given.
    """

    sizes: IndexArray
    distance: FloatArray
    interval: FloatArray
    slope: float
    slope_error: float
    local_slopes: FloatArray
    dimension: float
    per_draw: FloatArray
    p: float
    method: str


def wasserstein_rate(
    X: Any,
    *,
    sizes: Sequence[int] | None = None,
    p: float = 1,
    n_draws: int = 10,
    method: str = "exact",
    seed: int = 0,
) -> WassersteinRate:
    """Measure how the distance between two samples of an embedding falls with their size.

    Parameters
    ----------
    X : array, shape (n, d)
        Independent points of one law, in rows.
    sizes : sequence of int, optional
        Points in each of the two samples, ascending, at most n / 2. Default: up to five, doubling, the largest n / 2
        or 1,600.
    p : float
        Order of the distance, at least 1.
    n_draws : int
        Pairs of disjoint samples at each size.
    method : {"exact", "sinkhorn", "sliced"}
        Exact transport; or, for large sizes, the Sinkhorn divergence, which blurs what is smaller than a twentieth of
        the mean distance and so underestimates distances and, at large sizes, the dimension; or the mean over 200
        directions, which falls with n^-1/2 whatever the dimension and so says nothing of it.
    seed : int
        Of the draws and directions.

    Returns
    -------
    WassersteinRate

    Raises
    ------
    ShapeError
        If there are too few points for two sizes, or a size is above n / 2.
    InputError, ChoiceError, NonFiniteError
        For sizes, orders, counts that are none, an unknown method, NaN or inf.
    UndefinedError
        If two samples coincide, so that the distance has no logarithm.

    Notes
    -----
    For laws of dimension d > 2 the expected distance falls as n^(-1/d); at one dimension as n^(-1/2), at two as
    n^(-1/2) up to a logarithm, so ``dimension`` is at least about 2. Weed & Bach 2019, doi:10.3150/18-BEJ1065. At
    finite n the implied dimension falls short above about four dimensions: compare only at the same sizes.
    Cost: n_draws transports for each size: n² d and up to n³, .1 s at n = 800.

    Examples
    --------
    >>> rate = wasserstein_rate(np.random.default_rng(0).random((400, 3)), sizes=(25, 50, 100, 200), n_draws=4)
    >>> rate.sizes.tolist(), bool((np.diff(rate.distance) < 0).all()), 2 < rate.dimension < 4
    ([25, 50, 100, 200], True, True)
    """
    points = as_matrix(X, name="X", min_rows=4).double().cpu()
    check_choices(p, method, n_draws, "n_draws")
    wanted = _sizes(sizes, len(points))
    rng = np.random.default_rng(seed)
    directions = directions_for(points.shape[1], rng) if method == "sliced" else None
    drawn = np.empty((n_draws, len(wanted)))
    for j, size in enumerate(wanted):
        for i in range(n_draws):
            rows = torch.from_numpy(rng.choice(len(points), 2 * size, replace=False))
            drawn[i, j] = distance_between(points[rows[:size]], points[rows[size:]], p, method, directions)
    return _rate(np.array(wanted), drawn, p, method)


def _rate(sizes: IndexArray, drawn: FloatArray, p: float, method: str) -> WassersteinRate:
    mean = drawn.mean(axis=0)
    if not (mean > 0).all():
        raise UndefinedError("two samples coincide, so their distance has no logarithm: give points that differ.")
    log_size, log_mean = np.log(sizes), np.log(mean)
    slope = _slope(log_size, log_mean)
    error, half = math.nan, np.full(len(sizes), math.nan)
    if len(drawn) > 1:
        half = stats.t.ppf(0.5 + LEVEL / 2, len(drawn) - 1) * drawn.std(axis=0, ddof=1) / math.sqrt(len(drawn))
        # draws at one size are independent of those at another: to first order, log distances vary as distances / mean
        slopes = [_slope(log_size, log_mean + row / mean - 1) for row in drawn]
        error = float(np.std(slopes, ddof=1)) / math.sqrt(len(drawn))
    return WassersteinRate(
        sizes=sizes,
        distance=mean,
        interval=np.column_stack([mean - half, mean + half]),
        slope=slope,
        slope_error=error,
        local_slopes=np.diff(log_mean) / np.diff(log_size),
        dimension=-1 / slope if slope < 0 and method != "sliced" else math.nan,
        per_draw=drawn,
        p=p,
        method=method,
    )


def _slope(x: FloatArray, y: FloatArray) -> float:
    return float(np.polyfit(x[-FITTED_SIZES:], y[-FITTED_SIZES:], 1)[0])


def _sizes(sizes: Sequence[int] | None, n: int) -> tuple[int, ...]:
    if sizes is None:
        if n < 16:
            raise ShapeError(f"X has {n} points; two sizes of two disjoint samples need at least 16.")
        largest = min(n // 2, LARGEST_SIZE)
        least = min(SMALLEST_SIZE, n // 8)
        return tuple(sorted(largest // 2**i for i in range(MOST_SIZES) if largest // 2**i >= least))
    wanted = tuple(sizes)
    if (
        len(wanted) < 2
        or list(wanted) != sorted(set(wanted))
        or any(isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1 for size in wanted)
    ):
        raise InputError(f"sizes={wanted} must be at least two positive integers, ascending, each once.")
    if 2 * wanted[-1] > n:
        raise ShapeError(f"two disjoint samples of {wanted[-1]} points need {2 * wanted[-1]}; X has {n}.")
    return wanted

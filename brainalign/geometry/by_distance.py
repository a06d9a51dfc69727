"""Estimators of local dimension that see nothing but the distances to the neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from brainalign.errors import UndefinedError
from brainalign.geometry.shells import Shells

__all__ = ["BY_DISTANCE", "Estimate", "gride", "twonn"]

FloatArray = npt.NDArray[np.float64]

KEPT_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class Estimate:
    """A dimension: its inverse at each point, or one value of all points.

    The error of that value is known, or that of a function of the mean of ``terms``, one a point, inverse to it.
    """

    inverse: FloatArray | None = None
    value: float = math.nan
    error: float = math.nan
    terms: FloatArray | None = None


def mle(shells: Shells, s: int, unbiased: bool = False) -> Estimate:
    """Return the inverse of the maximum likelihood dimension: the mean of log(T_k / T_j) over the k - 1 inside."""
    k = int(shells.scales[s])
    inverse = shells.outer[:, s] - shells.inside[:, s]
    inverse[shells.outer[:, s] == 0] = 0.0
    return Estimate(inverse * (k - 1) / (k - 2) if unbiased else inverse)


def mom(shells: Shells, s: int) -> Estimate:
    """Return the inverse of the dimension by the method of moments, m / (T_k - m) with m the mean of all T_j."""
    return Estimate(np.exp(shells.outer[:, s]) / shells.mean[:, s] - 1)


def mada(shells: Shells, s: int) -> Estimate:
    """Return the inverse of log(k / h) / log(T_k / T_h), h = k // 2."""
    k = int(shells.scales[s])
    return Estimate((shells.outer[:, s] - shells.inner[:, s]) / math.log(k / (k // 2)))


def gride(shells: Shells, s: int) -> Estimate:
    """Maximise the likelihood of the ratios T_k / T_h, h = k // 2; the error is that of the Fisher information.

    The derivative of the log-likelihood times d, with x = d log(T_k / T_h), is
    n - 1 + (k - h - 1) Σ x / (1 - exp(-x)) - (k - 1) Σ x, which falls in d.
    """
    k = int(shells.scales[s])
    h = k // 2
    log = shells.outer[:, s] - shells.inner[:, s]
    n, between = len(log), k - h - 1
    if not log.any():
        raise UndefinedError(f"neighbours {h} and {k} are equally far for all {n} points: an infinite dimension.")
    if between == 0:
        value = (n - 1) / ((k - 1) * float(log.sum()))
    else:
        total = float(log.sum())
        value = _root(lambda d: (k - 1) * d * total - between * _growing(d * log).sum() - (n - 1), total / n)
    half = value * log / 2
    ratio = np.divide(half, np.sinh(np.minimum(half, 300)), out=np.ones(n), where=half > 0)
    information = (n + between * float((ratio**2).sum())) / value**2
    return Estimate(value=value, error=information**-0.5)


def _growing(x: FloatArray) -> FloatArray:
    """Return x / (1 - exp(-x)), 1 at zero."""
    return np.divide(x, -np.expm1(-x), out=np.ones_like(x), where=x > 0)


def _root(rising: Callable[[float], float], scale: float) -> float:
    low = high = 1 / scale
    while rising(low) > 0:
        low /= 2
    while rising(high) < 0:
        high *= 2
    return low if low == high else float(brentq(rising, low, high, xtol=1e-13 * low, rtol=1e-13))


def twonn(shells: Shells, s: int) -> Estimate:
    """Fit the slope through the origin of -log(1 - i/n) on the i-th smallest log(T_2 / T_1), lowest 90 % of points."""
    log = shells.outer[:, s]
    return Estimate(value=_slope(log), terms=log)


def _twonn_by_likelihood(shells: Shells, s: int) -> Estimate:
    return Estimate(value=gride(shells, s).value, terms=shells.outer[:, s])


def _slope(log: FloatArray) -> float:
    n = len(log)
    kept = int(n * KEPT_SHARE)
    x = np.sort(log)[:kept]
    y = -np.log1p(-np.arange(1, kept + 1) / n)
    if not x.any():
        raise UndefinedError(
            f"the first two neighbours are equally far for {kept} of {n} points, so the slope is infinite."
        )
    return float(x @ y / (x @ x))


def _unbiased_mle(shells: Shells, s: int) -> Estimate:
    return mle(shells, s, unbiased=True)


BY_DISTANCE: dict[str, Callable[[Shells, int], Estimate]] = {
    "mle": mle,
    "mle-unbiased": _unbiased_mle,
    "mom": mom,
    "mada": mada,
    "gride": gride,
    "twonn": twonn,
    "twonn-ml": _twonn_by_likelihood,
}

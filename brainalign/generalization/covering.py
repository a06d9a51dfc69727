"""Covering numbers: how many balls hold an embedding, and how fast its samples then must converge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix
from brainalign.errors import InputError, UndefinedError
from brainalign.kernels.cloud import make_cloud
from brainalign.kernels.distance_rows import distance_rows

__all__ = ["CoveringCurve", "convergence_constant", "covering_curve", "rate_exponent"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

FINEST = 60


@dataclass(frozen=True, eq=False)
class CoveringCurve:
    """Radii at which ever more balls cover a sample.

    Attributes
    ----------
    counts : array of int, shape (m,)
        Numbers of balls around points of the sample: powers of two.
    radii : array, shape (m,)
        Radius at which so many, chosen greedily, cover the sample; at most twice the best.
    dimension : float
        -slope of log count on log radius, the first scale left out.
    """

    counts: IndexArray
    radii: FloatArray
    dimension: float


def covering_curve(X: Any, *, seed: int = 0) -> CoveringCurve:
    """Cover a sample by balls around its points.

    Parameters
    ----------
    X : array, shape (n, d)
        Points in rows.
    seed : int
        Of the first centre.

    Returns
    -------
    CoveringCurve
        For 1, 2, 4, … balls, up to n / 8.

    Raises
    ------
    UndefinedError
        If fewer than 32 points differ.
    InputError, ShapeError, NonFiniteError
        As in `brainalign.arrays.as_matrix`.

    Notes
    -----
    Each next centre is the point farthest from all before (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5). The
    slope is the covering dimension that the bound's rate is about, where the local dimension of neighbours is not; of a
    finite sample it too falls short (1.6 for 1,500 points of a square). Cost: n² d / 8.
    """
    points = as_matrix(X, name="X", min_rows=32)
    cloud = make_cloud(points, "euclidean")
    n = len(points)
    centre = torch.tensor([int(np.random.default_rng(seed).integers(n))])
    nearest = torch.full((n,), torch.inf, dtype=torch.float64)
    radii = []
    for _ in range(n // 8):
        _, distance = next(iter(distance_rows(cloud, centre)))
        distance[0, centre] = 0.0
        nearest = torch.minimum(nearest, distance[0])
        centre = nearest.argmax()[None]
        radii.append(float(cloud.reported(nearest[centre])[0, 0]))
    counts = 2 ** np.arange(int(math.log2(n // 8)) + 1)
    at = np.array([radii[count - 1] for count in counts])
    if not at[-1] > 0:
        raise UndefinedError(f"fewer than {n // 8} of {n} points differ: there is no scale to cover them at.")
    slope = float(np.polyfit(np.log(at[1:]), np.log(counts[1:]), 1)[0])
    return CoveringCurve(counts, at, -slope)


def rate_exponent(dimension: float, epsilon: float) -> float:
    """Return the exponent of the rate: 1 / (d + epsilon), never faster than 1 / 2.

    >>> rate_exponent(4.0, 0.0), rate_exponent(1.0, 0.1)
    (0.25, 0.5)
    """
    return 1 / max(dimension + epsilon, 2.0)


def convergence_constant(dimension: float, n: int, *, epsilon: float = 0.1) -> float:
    """Return C for which E W1(law, sample of n) <= C diameter n^(-1 / (d + epsilon)), for laws no wilder than cubes.

    Parameters
    ----------
    dimension : float
        d: for every l the support splits into at most 2^(d l) nested parts of diameter 2^-l of the whole. A cube of d
        dimensions does.
    n : int
        Points of the sample.
    epsilon : float
        As in `embedding_bound`.

    Returns
    -------
    float
        n^(1 / (d + epsilon)) times the least over J of 2^-J + Σ_{l=1}^{J} 2^(1-l) sqrt(2^(d l) / n).

    Raises
    ------
    InputError
        For a dimension, number of points or epsilon that is none.

    Notes
    -----
    Weed & Bach 2019, doi:10.3150/18-BEJ1065, proposition 1, with parts halved and the mean absolute deviation of
    frequencies by Cauchy-Schwarz. Proven, and loose: five to twenty times the distance of uniform cubes.
    """
    if not (dimension > 0 and math.isfinite(dimension)) or n < 1 or not epsilon >= 0:
        raise InputError(f"dimension={dimension!r}, n={n!r}, epsilon={epsilon!r} must be positive numbers.")
    least, total = 1.0, 0.0
    for level in range(1, FINEST + 1):
        total += 2.0 ** (1 - level) * math.sqrt(2.0 ** min(dimension * level, 1000.0) / n)
        least = min(least, 2.0**-level + total)
        if total > least:
            break
    return least * math.pow(n, rate_exponent(dimension, epsilon))

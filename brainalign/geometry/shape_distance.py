"""How far two clouds of as many points differ in shape: Gromov-Wasserstein, and bounds from below."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist, squareform

from brainalign.errors import InputError, UndefinedError
from brainalign.kernels.gromov import distortion, gromov_plan, starting_plans, third_lower_bound

__all__ = ["BOUNDS", "first_lower_bound", "second_lower_bound", "shape_distance", "shape_of"]

FloatArray = npt.NDArray[np.float64]


def shape_of(points: FloatArray) -> FloatArray:
    """Return the distances (n, n) between points, divided by their mean over pairs.

    Raises
    ------
    UndefinedError
        If all points are equal.
    """
    distance = squareform(pdist(points))
    mean = distance.sum() / (len(points) * (len(points) - 1))
    if not mean > 0:
        raise UndefinedError(f"all {len(points)} points are equal, so their distances have no shape.")
    return np.asarray(distance / mean)


def shape_distance(C: FloatArray, D: FloatArray, *, n_starts: int = 1, seed: int = 0) -> float:
    """Return the squared Gromov-Wasserstein distance of two shapes: the best of the local optima from several starts.

    Cost: for each start a few tens of n³ products and transports.
    """
    if isinstance(n_starts, bool) or not isinstance(n_starts, int | np.integer) or n_starts < 1:
        raise InputError(f"n_starts={n_starts!r} is no number of starts; give an integer of at least 1.")
    plans = (gromov_plan(C, D, start) for start in starting_plans(C, D, int(n_starts), seed))
    return min(distortion(C, D, plan) for plan in plans)


def second_lower_bound(C: FloatArray, D: FloatArray) -> float:
    """Return the squared Wasserstein distance between all distances of one shape and all of the other. Cost: n²."""
    return float(((np.sort(C, axis=None) - np.sort(D, axis=None)) ** 2).mean())


def first_lower_bound(C: FloatArray, D: FloatArray) -> float:
    """Return the squared Wasserstein distance between root mean square distances of points from all others."""
    s, t = (np.sort(np.sqrt((M**2).mean(1))) for M in (C, D))
    return float(((s - t) ** 2).mean())


BOUNDS: dict[str, Callable[[FloatArray, FloatArray], float]] = {
    "tlb": lambda C, D: third_lower_bound(C, D)[0],
    "slb": second_lower_bound,
}

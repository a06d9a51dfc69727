"""ABIDE: dimension from neighbourhoods that grow as far as the density around a point stays the same."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from brainalign.errors import UndefinedError
from brainalign.geometry.by_distance import Estimate, twonn
from brainalign.geometry.distinct import Neighbourhoods
from brainalign.geometry.shells import shells_of_neighbourhoods

__all__ = ["abide", "constant_density"]

ROUNDS = 5
LEVEL = 1e-6
BEST_SHARE = 0.2032
WIDEST_RATIO = 0.975


def abide(near: Neighbourhoods, k: int) -> Estimate:
    """Alternate the size of neighbourhoods of constant density, at most ``k``, and the binomial estimate of dimension.

    With k* neighbours around each point, the share of those within r T_k* is r^d; r is the ratio of the least error at
    the dimension so far. The error is that of the binomial.
    """
    dimension = twonn(shells_of_neighbourhoods(near, [2]), 0).value
    error = math.nan
    for _ in range(ROUNDS):
        size = constant_density(near, k, dimension)
        ratio = min(WIDEST_RATIO, BEST_SHARE ** (1 / dimension))
        reach = ratio * near.distance[np.arange(near.n), size - 1]
        inside = float((near.distance[:, :k] < reach[:, None]).sum(1).mean())
        outside = float(size.mean()) - 1
        if not 0 < inside < outside:
            raise UndefinedError(
                f"{inside:.3g} of {outside:.3g} neighbours a point lie within {ratio:.3g} of the radius, so the "
                "dimension is zero or infinite; give a larger k."
            )
        share = inside / outside
        dimension = math.log(share) / math.log(ratio)
        error = math.sqrt((1 - share) / (share * outside * near.n)) / -math.log(ratio)
    return Estimate(value=dimension, error=error)


def constant_density(near: Neighbourhoods, k: int, dimension: float) -> npt.NDArray[np.intp]:
    """Return k* of each point: the neighbours up to which its density and that of the next do not differ.

    The likelihood ratio of two densities or one, from the volumes that hold j neighbours of the point and of its
    (j + 1)-th neighbour, stays below the level 1e-6 of χ² with one degree of freedom.
    """
    threshold = float(chi2.isf(LEVEL, 1))
    log = dimension * np.log(near.distance[:, :k])
    size = np.full(near.n, k - 1)
    growing = np.arange(near.n)
    for j in range(4, k):
        mine, other = log[growing, j - 2], log[near.index[growing, j - 1], j - 2]
        ratio = -2 * (j - 1) * (mine + other - 2 * np.logaddexp(mine, other) + math.log(4))
        size[growing[ratio >= threshold]] = j - 1
        growing = growing[ratio < threshold]
    return size

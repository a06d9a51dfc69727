"""Gromov-Wasserstein: how well two tables of distances fit each other under the best pairing of their points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

__all__ = ["distortion", "entropic_plan", "gromov_plan", "starting_plans", "third_lower_bound"]

FloatArray = npt.NDArray[np.float64]

ENTROPY = 0.02


def gromov_plan(C: FloatArray, D: FloatArray, start: FloatArray) -> FloatArray:
    """Return the plan (n, n) that the conditional gradient reaches from a start: a local optimum.

    ``C``, ``D`` (n, n) are distances, all points of equal mass. Cost: a few tens of n³ products and transports.
    """
    import ot

    p, q = (np.full(len(M), 1 / len(M)) for M in (C, D))
    plan: FloatArray = ot.gromov.gromov_wasserstein(C, D, p, q, "square_loss", symmetric=True, G0=start)
    return plan


def entropic_plan(C: FloatArray, D: FloatArray) -> FloatArray:
    """Return the plan (n, n) of proximal steps with an entropic penalty, for more points than `gromov_plan` affords."""
    import ot

    p, q = (np.full(len(M), 1 / len(M)) for M in (C, D))
    plan: FloatArray = ot.gromov.entropic_gromov_wasserstein(
        C, D, p, q, "square_loss", epsilon=ENTROPY, symmetric=True, solver="PPA", max_iter=200, tol=1e-7, warn=False
    )
    return plan


def distortion(C: FloatArray, D: FloatArray, plan: FloatArray) -> float:
    """Return ``Σ (C_ik - D_jl)² T_ij T_kl`` of a plan T. Cost: two products of n³."""
    p, q = plan.sum(axis=1), plan.sum(axis=0)
    value = p @ (C * C) @ p + q @ (D * D) @ q - 2 * float(((C @ plan @ D) * plan).sum())
    return max(float(value), 0.0)


def third_lower_bound(C: FloatArray, D: FloatArray) -> tuple[float, FloatArray]:
    """Return a lower bound of the least distortion, and the plan that attains it.

    Each point is described by its sorted distances, and points are paired by these alone.

    Notes
    -----
    Mémoli 2011, doi:10.1007/s10208-011-9093-5, without his factor one half. Cost: n³.
    """
    n = len(C)
    cost = cdist(np.sort(C, axis=1), np.sort(D, axis=1), "sqeuclidean") / n
    rows, columns = linear_sum_assignment(cost)
    plan = np.zeros((n, n))
    plan[rows, columns] = 1 / n
    return float(cost[rows, columns].mean()), plan


def starting_plans(C: FloatArray, D: FloatArray, count: int, seed: int) -> Iterator[FloatArray]:
    """Yield plans to start from: spread evenly, by sorted distances, each point to its own, then at random."""
    n = len(C)
    rng = np.random.default_rng(seed)
    for i in range(count):
        if i == 0:
            yield np.full((n, n), 1 / n**2)
        elif i == 1:
            yield third_lower_bound(C, D)[1]
        else:
            yield np.eye(n)[np.arange(n) if i == 2 else rng.permutation(n)] / n

"""Gromov-Wasserstein: how well two tables of distances fit each other under the best pairing of their points."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
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


def entropic_plan(C: FloatArray, D: FloatArray, *, steps: int = 100, scalings: int = 10) -> FloatArray:
    """Return a plan (n, n) by proximal steps with an entropic penalty, for more points than `gromov_plan` affords.

    Each step moves to the plan that is cheapest under the gradient at the last one, at the price of its divergence from
    it; the penalty vanishes as the steps converge. All in logarithms, so that no mass is lost.

    Notes
    -----
    Xu et al. 2019, arXiv:1901.06003. Cost: ``steps`` times two products of n³ and ``scalings`` passes over the plan.
    """
    n = len(C)
    first, second = torch.from_numpy(C), torch.from_numpy(D)
    share = -math.log(n)
    squares = (first**2).mean(dim=1)[:, None] + (second**2).mean(dim=1)[None, :]
    log_plan = torch.full((n, n), 2 * share, dtype=torch.float64)
    columns = torch.zeros(n, dtype=torch.float64)
    for _ in range(steps):
        gradient = squares - 2 * first @ log_plan.exp() @ second
        target = log_plan - gradient / ENTROPY
        for _ in range(scalings):
            rows = share - torch.logsumexp(target + columns[None, :], dim=1)
            columns = share - torch.logsumexp(target + rows[:, None], dim=0)
        log_plan = target + rows[:, None] + columns[None, :]
    return _rounded(log_plan.exp().numpy())


def _rounded(plan: FloatArray) -> FloatArray:
    """Return the plan with equal masses on both sides: what is too much is taken, and what lacks is spread."""
    mass = 1 / len(plan)
    plan = plan * np.minimum(1, mass / plan.sum(axis=1))[:, None]
    plan = plan * np.minimum(1, mass / plan.sum(axis=0))[None, :]
    rows, columns = mass - plan.sum(axis=1), mass - plan.sum(axis=0)
    return plan + np.outer(rows, columns) / rows.sum() if rows.sum() > 0 else plan


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

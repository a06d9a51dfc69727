"""How far training embeddings lie from test embeddings, in diameters, beside what one law would give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from brainalign.arrays import as_matrix
from brainalign.errors import ShapeError, UndefinedError
from brainalign.generalization.distances import check_choices, directions_for, distance_between
from brainalign.kernels.transport import diameter

__all__ = ["WassersteinSplit", "wasserstein_split"]


@dataclass(frozen=True)
class WassersteinSplit:
    """Distance between training and test embeddings, beside what two halves of one sample give.

    Attributes
    ----------
    distance : float
        Mean over draws of ``n`` points from either side.
    scaled : float
        ``distance`` over ``diameter``.
    diameter : float
        Largest distance between two of all points.
    null_mean, null_sd : float
        Of the scaled distance when the points are dealt to the two sides at random.
    z, p : float
        Of ``scaled`` against that null; p is one-sided, and no smaller than 1 / (n_permutations + 1).
    n : int
        Points of each side in a draw.
    """

    distance: float
    scaled: float
    diameter: float
    null_mean: float
    null_sd: float
    z: float
    p: float
    n: int


def wasserstein_split(
    train: Any,
    test: Any,
    *,
    p: float = 1,
    method: str = "exact",
    n_points: int = 800,
    n_draws: int = 5,
    n_permutations: int = 20,
    seed: int = 0,
) -> WassersteinSplit:
    """Measure how far training embeddings lie from test embeddings, in diameters of the embedding.

    Parameters
    ----------
    train, test : arrays, shapes (n, d), (m, d)
        Embeddings by one network at one layer.
    p, method
        As in `wasserstein_rate`.
    n_points : int
        Points drawn from either side, or as many as the smaller side has: the distance falls with this number, so
        compare only at the same.
    n_draws, n_permutations : int
        Draws that are averaged (one where all points are used); random deals of the pooled points, for the null.
    seed : int
        Of all that is drawn.

    Returns
    -------
    WassersteinSplit

    Raises
    ------
    ShapeError
        If the sides have not the same number of columns, or fewer than two rows.
    InputError, ChoiceError, NonFiniteError
        As in `wasserstein_rate`.
    UndefinedError
        If all points coincide.

    Notes
    -----
    Unscaled distances of two networks do not compare: they grow with the embedding. Cost: ``n_draws +
    n_permutations`` transports, and (n + m)² d for the diameter.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> near = wasserstein_split(rng.normal(size=(60, 3)), rng.normal(size=(60, 3)))
    >>> far = wasserstein_split(rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 2)
    >>> near.p > 0.05, far.p < 0.05, far.scaled > 2 * near.scaled
    (True, True, True)
    """
    first = as_matrix(train, name="train", min_rows=2).double().cpu()
    second = as_matrix(test, name="test", min_rows=2).double().cpu()
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            f"train has {first.shape[1]} columns and test {second.shape[1]}; both must be embeddings at one layer."
        )
    check_choices(p, method, n_draws, "n_draws")
    check_choices(p, method, n_permutations, "n_permutations")
    check_choices(p, method, n_points, "n_points")
    pooled = torch.cat([first, second])
    across = diameter(pooled)
    if across == 0:
        raise UndefinedError("all training and test embeddings coincide: there is no scale to measure distances by.")
    rng = np.random.default_rng(seed)
    size = min(n_points, len(first), len(second))
    directions = directions_for(pooled.shape[1], rng) if method == "sliced" else None

    def between(A: torch.Tensor, B: torch.Tensor) -> float:
        rows = [torch.from_numpy(rng.choice(len(X), size, replace=False)) for X in (A, B)]
        return distance_between(A[rows[0]], B[rows[1]], p, method, directions)

    def dealt() -> float:
        order = torch.from_numpy(rng.permutation(len(pooled)))
        return between(pooled[order[: len(first)]], pooled[order[len(first) :]])

    whole = size == len(first) == len(second)
    seen = [between(first, second) for _ in range(1 if whole else n_draws)]
    null = np.array([dealt() for _ in range(n_permutations)]) / across
    scaled = float(np.mean(seen)) / across
    sd = float(null.std(ddof=1)) if n_permutations > 1 else math.nan
    return WassersteinSplit(
        distance=scaled * across,
        scaled=scaled,
        diameter=across,
        null_mean=float(null.mean()),
        null_sd=sd,
        z=(scaled - float(null.mean())) / sd if sd > 0 else math.nan,
        p=float((1 + np.count_nonzero(null >= scaled)) / (n_permutations + 1)),
        n=size,
    )

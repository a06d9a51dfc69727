"""Dimension from the length of the shortest tree that joins points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, to_numpy
from brainalign.errors import UndefinedError
from brainalign.geometry.distinct import neighbourhoods
from brainalign.kernels.cloud import make_cloud
from brainalign.kernels.distance_rows import distance_rows

__all__ = ["spanning_tree_dimension", "tree_length"]

FloatArray = npt.NDArray[np.float64]

LARGEST = 2000
N_SIZES = 4
N_DRAWS = 5
LEAST = 16


def spanning_tree_dimension(points: torch.Tensor, seed: int = 0) -> float:
    """Return 1 / (1 - b) with b the slope of the log of the mean tree length on the log of the number of points.

    Sizes n, n/2, n/4, n/8 (n at most 2,000), five random subsets of each but the full set.

    Raises
    ------
    UndefinedError
        If the length falls, or grows faster than the number of points.
    """
    near = neighbourhoods(as_matrix(points, name="X", min_rows=LEAST), LEAST - 1)
    rng = np.random.default_rng(seed)
    largest = min(near.n, LARGEST)
    sizes = [size for size in (largest // 2**i for i in range(N_SIZES)) if size >= 2]
    lengths = []
    for size in sizes:
        draws = 1 if size == near.n else N_DRAWS
        subsets = [np.sort(rng.choice(near.n, size, replace=False)) for _ in range(draws)]
        lengths.append(np.mean([tree_length(_distances(near.points, rows)) for rows in subsets]))
    slope = float(np.polyfit(np.log(sizes), np.log(lengths), 1)[0])
    if not 0 <= slope < 1:
        raise UndefinedError(
            f"the shortest tree grows as the number of points to the power {slope:.3g}, outside of [0, 1): "
            "the points have no dimension at this scale."
        )
    return 1 / (1 - slope)


def _distances(points: torch.Tensor, rows: npt.NDArray[np.intp]) -> FloatArray:
    cloud = make_cloud(points[torch.as_tensor(rows, device=points.device)], "euclidean")
    return np.concatenate([to_numpy(cloud.reported(distance)) for _, distance in distance_rows(cloud)])


def tree_length(distance: FloatArray) -> float:
    """Return the length of the minimum spanning tree of a full matrix of distances (n, n), by Prim's algorithm.

    Cost: n² operations.
    """
    best = distance[0].copy()
    best[0] = np.inf
    outside = np.ones(len(distance), dtype=bool)
    outside[0] = False
    total = 0.0
    for _ in range(len(distance) - 1):
        nearest = int(np.argmin(best))
        total += float(best[nearest])
        outside[nearest] = False
        np.minimum(best, distance[nearest], out=best, where=outside)
        best[nearest] = np.inf
    return total

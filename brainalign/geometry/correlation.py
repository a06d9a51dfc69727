"""Correlation dimension: how the number of pairs closer than r grows with r."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix
from brainalign.errors import InputError, UndefinedError
from brainalign.geometry.distinct import Neighbourhoods, neighbourhoods
from brainalign.kernels.cloud import make_cloud
from brainalign.kernels.distance_rows import distance_rows

__all__ = ["CorrelationCurve", "correlation_curve", "correlation_dimension"]

FloatArray = npt.NDArray[np.float64]

NEAR_NEIGHBOUR, FAR_NEIGHBOUR = 10, 20
LEAST = 5


@dataclass(frozen=True, eq=False)
class CorrelationCurve:
    """Share of pairs of points that are closer than r, and its local slope.

    Attributes
    ----------
    radius : array, shape (r,)
        Radii, growing by one factor.
    integral : array, shape (r,)
        C(r), the share of pairs closer than r.
    slope : array, shape (r - 1,)
        Δlog C / Δlog r between consecutive radii: a plateau is a dimension.
    """

    radius: FloatArray
    integral: FloatArray
    slope: FloatArray


def correlation_curve(X: Any, *, n_radii: int = 20) -> CorrelationCurve:
    """Return the correlation integral and its local slope from the nearest neighbours to half of the pairs.

    Parameters
    ----------
    X : array, shape (n, p)
        At least five points; equal and nearly equal ones are dropped as in `local_dimension`.
    n_radii : int
        Number of radii, at least two, on a logarithmic grid from the median distance to the nearest neighbour to the
        median distance of a pair.

    Raises
    ------
    ShapeError, UndefinedError, InputError, NonFiniteError
        For too few points, points that do not differ, fewer than two radii, NaN or inf.

    Notes
    -----
    Cost: n² p for the products, n² log n.
    """
    if isinstance(n_radii, bool) or not isinstance(n_radii, int | np.integer) or n_radii < 2:
        raise InputError(f"n_radii={n_radii!r}; give an integer of at least 2.")
    near = neighbourhoods(as_matrix(X, name="X", min_rows=LEAST), LEAST - 1)
    smallest = float(np.median(near.distance[:, 0]))
    sample = torch.as_tensor(np.linspace(0, near.n - 1, min(near.n, 256)).astype(np.int64), device=near.points.device)
    cloud = make_cloud(near.points, near.metric)
    blocks = [cloud.reported(d[torch.isfinite(d)]) for _, d in distance_rows(cloud, sample)]
    largest = float(torch.cat(blocks).median())
    if not largest > smallest:
        raise UndefinedError("all distances between points are equal, so their number has no slope.")
    radius = np.geomspace(smallest, largest, n_radii)
    integral = _counts(near, radius) / (near.n * (near.n - 1))
    with np.errstate(divide="ignore"):
        slope = np.diff(np.log(integral)) / np.diff(np.log(radius))
    return CorrelationCurve(radius, integral, slope)


def correlation_dimension(points: torch.Tensor) -> float:
    """Return the slope between the median distances to the tenth and the twentieth neighbour (fewer if n is small)."""
    far = min(FAR_NEIGHBOUR, len(as_matrix(points, name="X", min_rows=LEAST)) - 1)
    near = neighbourhoods(points, far)
    radius = np.median(near.distance[:, [min(NEAR_NEIGHBOUR, far // 2) - 1, far - 1]], axis=0)
    if not radius[1] > radius[0]:
        raise UndefinedError("the tenth and the twentieth neighbours are equally far, so pairs have no slope.")
    low, high = _counts(near, radius)
    return float(np.log(high / low) / np.log(radius[1] / radius[0]))


def _counts(near: Neighbourhoods, radius: FloatArray) -> FloatArray:
    """Count ordered pairs closer than each radius."""
    cloud = make_cloud(near.points, near.metric)
    edges = torch.as_tensor(radius, device=near.points.device)
    counts = torch.zeros(len(radius) + 1, dtype=torch.int64, device=near.points.device)
    for _, distance in distance_rows(cloud):
        # right=True: a pair at the distance r itself is not closer than r
        place = torch.bucketize(cloud.reported(distance).reshape(-1), edges, right=True)
        counts += torch.bincount(place, minlength=len(counts))
    return counts.cumsum(0)[:-1].cpu().numpy().astype(np.float64)

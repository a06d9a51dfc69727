"""Eigenvalues of the covariance of the columns of a matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import to_numpy
from brainalign.errors import UndefinedError
from brainalign.kernels.cloud import make_cloud, row_chunks

__all__ = ["centred_points", "covariance_eigenvalues"]

FloatArray = npt.NDArray[np.float64]


def centred_points(points: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Centre in float64 and scale the farthest point to one, so that nothing overflows.

    Returns
    -------
    centred : tensor, shape (n, p)
        In the precision of the points.
    unit : float
        The distance of the farthest point from the mean.

    Raises
    ------
    UndefinedError
        If all points are equal.
    """
    if bool((points == points[0]).all()):
        raise UndefinedError(f"all {len(points)} points are equal, so they have no variance and no dimension.")
    cloud = make_cloud(points, "euclidean")
    out = torch.empty_like(points)
    farthest = cloud.norm.max()
    for rows in row_chunks(len(points), 8 * cloud.width):
        out[rows] = cloud.centred(rows).div_(farthest)
    return out, float(cloud.reported(farthest))


def covariance_eigenvalues(points: torch.Tensor) -> FloatArray:
    """Return the min(n - 1, p) eigenvalues of the covariance (divisor n - 1), descending.

    Notes
    -----
    Products and decomposition in float64 of the smaller Gram matrix. Cost: n p min(n, p) + min(n, p)³.
    """
    centred, unit = centred_points(points)
    n, p = centred.shape
    side = min(n, p)
    gram = torch.zeros((side, side), dtype=torch.float64, device=centred.device)
    for part in row_chunks(max(n, p), 8 * side):
        block = (centred[:, part].T if n <= p else centred[part]).to(torch.float64)
        gram += block.T @ block
    values = to_numpy(torch.linalg.eigvalsh(gram)).astype(np.float64)[::-1][: min(n - 1, p)]
    eigenvalues: FloatArray = np.clip(values, 0, None) * unit / (n - 1) * unit
    return eigenvalues

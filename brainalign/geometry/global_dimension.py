"""Global dimension: over how many directions the variance of a representation spreads."""

from __future__ import annotations

from typing import Any

import torch

from brainalign.arrays import as_matrix
from brainalign.errors import ChoiceError, UndefinedError, near_names
from brainalign.kernels.cloud import make_cloud, row_chunks

__all__ = ["global_dimension"]

ESTIMATORS = ("participation-ratio",)
PANEL = 1024


def global_dimension(X: Any, *, estimator: str = "participation-ratio") -> float:
    """Estimate the global, linear dimension of a cloud of points.

    ``participation-ratio``: (Σλ)² / Σλ² of the eigenvalues λ of the covariance of the columns: p for an isotropic cloud
    of infinitely many points, 1 for points on a line.

    Parameters
    ----------
    X : array, shape (n, p)
        Points in rows, at least two.
    estimator : {"participation-ratio"}
        Which estimator.

    Returns
    -------
    float
        From 1 to min(n - 1, p). With few points it is smaller than at the population (at most n - 1): compare only
        at the same n.

    Raises
    ------
    ChoiceError
        For an unknown estimator.
    ShapeError
        For fewer than two points.
    UndefinedError
        If all points are equal.
    NonFiniteError
        For NaN or inf.

    Notes
    -----
    Trace and Frobenius norm need no eigenvalues: (tr C)² / ‖C‖²_F, from the n x n or the p x p Gram matrix, whichever
    is smaller, in panels. Products are float32 for float32 input, sums float64. Cost: n p min(n, p) multiplications.

    Examples
    --------
    >>> global_dimension([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    2.0
    """
    if estimator not in ESTIMATORS:
        raise ChoiceError(f"estimator={estimator!r} is unknown.{near_names(str(estimator), ESTIMATORS)}")
    points = _centred(as_matrix(X, name="X", min_rows=2))
    n, p = points.shape
    side = points if n <= p else points.T
    trace, squares = 0.0, 0.0
    for start in range(0, len(side), PANEL):
        gram = (side[start : start + PANEL] @ side[start:].T).to(torch.float64)
        rows = len(gram)
        trace += float(gram.diagonal().sum())
        # blocks above the diagonal stand for those below
        squares += float((gram[:, :rows] ** 2).sum()) + 2 * float((gram[:, rows:] ** 2).sum())
    return trace**2 / squares


def _centred(points: torch.Tensor) -> torch.Tensor:
    """Centre in float64 and scale the farthest point to one, which changes no dimension and cannot overflow."""
    if bool((points == points[0]).all()):
        raise UndefinedError(f"all {len(points)} points are equal, so they have no variance and no dimension.")
    cloud = make_cloud(points, "euclidean")
    out = torch.empty_like(points)
    farthest = cloud.norm.max()
    for rows in row_chunks(len(points), 8 * cloud.width):
        out[rows] = cloud.centred(rows).div_(farthest)
    return out

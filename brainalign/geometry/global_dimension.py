"""Global dimension: over how many directions the variance of a representation spreads, and how its pairs scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from brainalign.arrays import as_matrix
from brainalign.errors import ChoiceError, near_names
from brainalign.geometry.correlation import correlation_dimension
from brainalign.geometry.eigenvalues import centred_points, covariance_eigenvalues
from brainalign.geometry.spanning_tree import spanning_tree_dimension

__all__ = ["GLOBAL_ESTIMATORS", "global_dimension"]

PANEL = 1024
EXPLAINED = 0.95


def global_dimension(X: Any, *, estimator: str = "participation-ratio") -> float:
    """Estimate the dimension of a cloud of points as a whole.

    Parameters
    ----------
    X : array, shape (n, p)
        Points in rows, at least two (five for ``correlation``, sixteen for ``mst``).
    estimator : str
        With the eigenvalues λ of the covariance of the columns:

        - ``participation-ratio``: (Σλ)² / Σλ², p for an isotropic cloud of infinitely many points, 1 on a line.
        - ``effective-rank``: exponential of the entropy of √λ / Σ√λ.
        - ``pca-variance``: number of leading λ that hold 95 % of their sum.
        - ``correlation``: growth of the number of pairs closer than r, Δlog C / Δlog r, between the median distances
          to the tenth and the twentieth neighbour; see `correlation_curve` for the slope at every r.
        - ``mst``: 1 / (1 - b), where the length of the shortest tree through m points grows as m^b.

    Returns
    -------
    float
        Linear ones lie from 1 to min(n - 1, p). With few points all are smaller than at the population: compare only
        at the same n.

    Raises
    ------
    ChoiceError
        For an unknown estimator.
    ShapeError
        For too few points.
    UndefinedError
        If all points are equal, or too few differ.
    NonFiniteError
        For NaN or inf.

    Notes
    -----
    Participation ratio: trace and Frobenius norm need no eigenvalues, (tr C)² / ‖C‖²_F from the smaller Gram matrix,
    in panels; products are float32 for float32 input, sums float64. Cost: n p min(n, p) multiplications; with
    eigenvalues min(n, p)³ more; n² p for ``correlation``; ``mst`` uses up to 2,000 points.

    References
    ----------
    Roy & Vetterli 2007 (effective rank); Grassberger & Procaccia 1983, doi:10.1103/PhysRevLett.50.346 (correlation);
    Costa & Hero 2004, doi:10.1109/TSP.2004.831130 (mst).

    Examples
    --------
    >>> global_dimension([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    2.0
    """
    if estimator not in GLOBAL_ESTIMATORS:
        raise ChoiceError(f"estimator={estimator!r} is unknown.{near_names(str(estimator), GLOBAL_ESTIMATORS)}")
    return GLOBAL_ESTIMATORS[estimator](as_matrix(X, name="X", min_rows=2))


def _participation_ratio(points: torch.Tensor) -> float:
    centred, _ = centred_points(points)
    n, p = centred.shape
    side = centred if n <= p else centred.T
    trace, squares = 0.0, 0.0
    for start in range(0, len(side), PANEL):
        gram = (side[start : start + PANEL] @ side[start:].T).to(torch.float64)
        rows = len(gram)
        trace += float(gram.diagonal().sum())
        # blocks above the diagonal stand for those below
        squares += float((gram[:, :rows] ** 2).sum()) + 2 * float((gram[:, rows:] ** 2).sum())
    return trace**2 / squares


def _effective_rank(points: torch.Tensor) -> float:
    share = np.sqrt(covariance_eigenvalues(points))
    share = share[share > 0] / share.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _pca_variance(points: torch.Tensor) -> float:
    eigenvalues = covariance_eigenvalues(points)
    share = np.cumsum(eigenvalues) / eigenvalues.sum()
    return float(1 + np.sum(share < EXPLAINED))


GLOBAL_ESTIMATORS: dict[str, Callable[[torch.Tensor], float]] = {
    "participation-ratio": _participation_ratio,
    "effective-rank": _effective_rank,
    "pca-variance": _pca_variance,
    "correlation": correlation_dimension,
    "mst": spanning_tree_dimension,
}

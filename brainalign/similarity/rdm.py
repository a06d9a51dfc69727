"""Representational dissimilarity matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_vector, to_numpy
from brainalign.errors import InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.kernels.distances import condensed_distances
from brainalign.similarity.checks import require_choice

__all__ = ["DISTANCES", "dissimilarities", "rdm", "whitened"]

DISTANCES = ("correlation", "euclidean", "sqeuclidean", "cosine")


def rdm(
    X: Any, *, distance: str = "correlation", noise_cov: Any = None, device: str | torch.device | None = None
) -> npt.NDArray[np.float64]:
    """Return the dissimilarities of all pairs of stimuli.

    Parameters
    ----------
    X : array-like, shape (n_stimuli, n_units)
        Responses or activations.
    distance : {"correlation", "euclidean", "sqeuclidean", "cosine", "mahalanobis"}
        ``correlation`` is one minus Pearson's r over units; ``mahalanobis`` is Euclidean after whitening the units.
    noise_cov : array-like, shape (n_units, n_units) or (n_units,), optional
        Covariance of the noise of units, or their noise variances, for ``mahalanobis``.
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    array, shape (n_stimuli (n_stimuli - 1) / 2,), float64
        Condensed, in the order of SciPy's ``pdist``; ``scipy.spatial.distance.squareform`` makes it square.

    Raises
    ------
    UndefinedError
        Correlation distance of a constant row or of one unit; cosine distance of a zero row; a noise covariance that is
        not positive definite.
    ChoiceError, InputError, ShapeError, NonFiniteError
        Unknown distance, or values that cannot be used.

    Notes
    -----
    Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008. Cost: n² p flops in the precision of ``X``, 4 n² bytes and
    a copy of ``X``.

    Examples
    --------
    >>> rdm([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0]], distance="euclidean").tolist()
    [5.0, 8.0, 5.0]
    """
    require_choice("distance", distance, (*DISTANCES, "mahalanobis"))
    matrix = as_matrix(X, device=device, min_rows=2)
    if distance != "mahalanobis":
        if noise_cov is not None:
            raise InputError(f"noise_cov goes with distance='mahalanobis', not with {distance!r}.")
        return to_numpy(dissimilarities(matrix, distance, "X"))
    if noise_cov is None:
        raise InputError("distance='mahalanobis' needs noise_cov, the noise covariance of units or their variances.")
    return to_numpy(dissimilarities(whitened(matrix, noise_cov), "euclidean", "X"))


def whitened(X: torch.Tensor, noise_cov: Any) -> torch.Tensor:
    """Return a checked matrix (n, p) in units of its noise, float64: squared distances then are Mahalanobis'.

    ``noise_cov`` is a covariance (p, p) or a vector of variances (p,). Cost: p³ / 3 + n p² flops for a covariance.

    Raises
    ------
    ShapeError
        If it is not of ``p`` units.
    UndefinedError
        If it is not symmetric and positive definite.
    """
    units, n_axes = X.shape[1], np.ndim(noise_cov)
    diagonal = n_axes == 1
    cov = (as_vector if diagonal else as_matrix)(noise_cov, name="noise_cov", device=X.device).double()
    if cov.shape != ((units,) if diagonal else (units, units)):
        raise ShapeError(f"noise_cov has shape {tuple(cov.shape)} for {units} units.")
    centred = (X - X.mean(dim=0)).double()
    if diagonal:
        if not bool((cov > 0).all()):
            raise UndefinedError(f"{int((cov <= 0).sum())} of {units} noise variances are not positive.")
        return centred / cov.sqrt()
    factor, failed = torch.linalg.cholesky_ex(cov)
    if int(failed) or not torch.allclose(cov, cov.T):
        raise UndefinedError(
            "noise_cov is not symmetric and positive definite; shrink it towards its diagonal "
            "(sklearn.covariance.ledoit_wolf), or give variances alone."
        )
    white: torch.Tensor = torch.linalg.solve_triangular(factor, centred.T, upper=False).T.contiguous()
    return white


def dissimilarities(X: torch.Tensor, distance: str, name: str) -> torch.Tensor:
    """Return the condensed dissimilarities of a checked matrix; errors name it."""
    try:
        v = condensed_distances(X, distance)
    except UndefinedError as error:
        raise UndefinedError(f"{name}: {error}") from error
    if not bool(torch.isfinite(v.max())):
        raise NonFiniteError(f"{name}: {distance} distances overflow; divide {name} by its largest magnitude first.")
    return v

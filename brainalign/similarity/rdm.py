"""Representational dissimilarity matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, to_numpy
from brainalign.errors import NonFiniteError, UndefinedError
from brainalign.kernels.distances import condensed_distances
from brainalign.similarity.checks import require_choice

__all__ = ["DISTANCES", "dissimilarities", "rdm"]

DISTANCES = ("correlation", "euclidean", "sqeuclidean", "cosine")


def rdm(X: Any, *, distance: str = "correlation", device: str | torch.device | None = None) -> npt.NDArray[np.float64]:
    """Return the dissimilarities of all pairs of stimuli.

    Parameters
    ----------
    X : array-like, shape (n_stimuli, n_units)
        Responses or activations.
    distance : {"correlation", "euclidean", "sqeuclidean", "cosine"}
        ``correlation`` is one minus Pearson's r over units.
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    array, shape (n_stimuli (n_stimuli - 1) / 2,), float64
        Condensed, in the order of SciPy's ``pdist``; ``scipy.spatial.distance.squareform`` makes it square.

    Raises
    ------
    UndefinedError
        Correlation distance of a constant row or of one unit; cosine distance of a zero row.
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
    require_choice("distance", distance, DISTANCES)
    return to_numpy(dissimilarities(as_matrix(X, device=device, min_rows=2), distance, "X"))


def dissimilarities(X: torch.Tensor, distance: str, name: str) -> torch.Tensor:
    """Return the condensed dissimilarities of a checked matrix; errors name it."""
    try:
        v = condensed_distances(X, distance)
    except UndefinedError as error:
        raise UndefinedError(f"{name}: {error}") from error
    if not bool(torch.isfinite(v.max())):
        raise NonFiniteError(f"{name}: {distance} distances overflow; divide {name} by its largest magnitude first.")
    return v

"""Crossvalidated distances: unbiased because the noise of one fold is independent of that of another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, to_numpy
from brainalign.errors import ShapeError, UndefinedError
from brainalign.kernels.distances import to_condensed
from brainalign.similarity.rdm import whitened

__all__ = ["crossnobis"]


def crossnobis(
    X: Any,
    labels: Sequence[Any] | npt.NDArray[Any],
    folds: Sequence[Any] | npt.NDArray[Any],
    *,
    noise_cov: Any = None,
    device: str | torch.device | None = None,
) -> npt.NDArray[np.float64]:
    """Return crossvalidated squared Mahalanobis distances of all pairs of stimuli.

    Parameters
    ----------
    X : array-like, shape (n_presentations, n_units)
        Responses to single presentations, or estimates for each run.
    labels : sequence, length n_presentations
        Stimulus of each presentation.
    folds : sequence, length n_presentations
        Run or session of each presentation: noise must be independent between folds.
    noise_cov : array-like, shape (n_units, n_units) or (n_units,), optional
        Covariance of the noise of units, or their noise variances; without it distances are Euclidean.
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    array, shape (n_stimuli (n_stimuli - 1) / 2,), float64
        Condensed, stimuli in sorted order of their labels, summed over units (not divided by their number). The mean
        over pairs of different folds that hold both stimuli; zero on average, and often negative, for stimuli that
        evoke the same response.

    Raises
    ------
    ShapeError
        Numbers of labels or folds that differ from the rows of ``X``; fewer than two stimuli.
    UndefinedError
        Two stimuli that no two folds have in common, or a noise covariance that is not positive definite.
    InputError, NonFiniteError
        Values that cannot be used.

    Notes
    -----
    Walther et al. 2016, doi:10.1016/j.neuroimage.2015.12.012. Cost: n_folds² n_stimuli² n_units flops.

    Examples
    --------
    >>> X = [[0.0, 0.0], [3.0, 1.0], [0.0, 0.0], [3.0, -1.0]]
    >>> crossnobis(X, labels=["a", "b", "a", "b"], folds=[1, 1, 2, 2]).tolist()
    [8.0]
    """
    matrix = as_matrix(X, device=device, min_rows=2)
    stimulus, fold = _coded(labels, "labels", len(matrix)), _coded(folds, "folds", len(matrix))
    n, n_folds = int(stimulus.max()) + 1, int(fold.max()) + 1
    if n < 2:
        raise ShapeError("labels name one stimulus; distances need at least two.")
    scaled = matrix.double() - matrix.double().mean(dim=0) if noise_cov is None else whitened(matrix, noise_cov)
    means, seen = _fold_means(scaled, stimulus, fold, n, n_folds)
    total, count = torch.zeros((2, n, n), dtype=torch.float64, device=scaled.device)
    for a, b in combinations(range(n_folds), 2):
        both = (seen[a] & seen[b]).double()
        products = (means[a] @ means[b].T) * both[:, None] * both[None, :]
        own = products.diagonal()
        total += (own[:, None] + own[None, :]) * both[:, None] * both[None, :] - products - products.T
        count += both[:, None] * both[None, :]
    shared = to_condensed(count)
    if not bool((shared > 0).all()):
        raise UndefinedError(
            f"{int((shared == 0).sum())} of {len(shared)} pairs of stimuli are in fewer than two folds together; "
            "crossvalidated distances need two."
        )
    return to_numpy(to_condensed(total) / shared)


def _coded(values: Sequence[Any] | npt.NDArray[Any], what: str, n: int) -> torch.Tensor:
    if len(values) != n:
        raise ShapeError(f"{what} has {len(values)} values for {n} presentations; give one for each.")
    return torch.from_numpy(np.unique(np.asarray(values), return_inverse=True)[1].astype(np.int64))


def _fold_means(
    X: torch.Tensor, stimulus: torch.Tensor, fold: torch.Tensor, n: int, n_folds: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean response in each fold (fold, stimulus, unit), and whether the fold holds the stimulus."""
    place = (fold * n + stimulus).to(X.device)
    count = torch.bincount(place, minlength=n * n_folds)
    sums = X.new_zeros((n * n_folds, X.shape[1])).index_add_(0, place, X)
    means = sums / count.clamp(min=1)[:, None]
    return means.reshape(n_folds, n, -1), (count > 0).reshape(n_folds, n)

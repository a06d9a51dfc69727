"""Variance that repeats or subjects share, component by component: noise of one is not that of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import InputError, UndefinedError

__all__ = ["N_FOLDS", "components", "cross_spectrum", "fold_rows", "repeat_spectrum"]

FloatArray = npt.NDArray[np.float64]

N_FOLDS = 5


def repeat_spectrum(repeats: Sequence[Any]) -> FloatArray:
    """Return the variance that repeats share along the components of one half of them (cvPCA).

    Parameters
    ----------
    repeats : sequence of arrays, each (n, p)
        At least two presentations of the same stimuli.

    Returns
    -------
    array, shape (min(n - 1, p),)
        Mean over the stimuli of the product of the projections of the two halves, on components of the first half;
        averaged over the two roles of the halves. Its expectation holds no noise.

    Raises
    ------
    InputError
        For fewer than two repeats.

    References
    ----------
    Stringer et al. 2019, doi:10.1038/s41586-019-1346-5.
    """
    if len(repeats) < 2:
        raise InputError(f"{len(repeats)} repeats; at least two are needed to see what they share.")
    first, *others = [as_matrix(r, name=f"repeats[{i}]", min_rows=3) for i, r in enumerate(repeats)]
    halves = [
        torch.stack(half).to(torch.float64).mean(0) for half in ([first, *others[1::2]], others[::2]) if len(half)
    ]
    halves = [half - half.mean(0) for half in halves]
    spectra = []
    for own, other in (halves, halves[::-1]):
        basis = components(own)
        spectra.append(((own @ basis) * (other @ basis)).sum(0) / (len(own) - 1))
    spectrum: FloatArray = to_numpy(torch.stack(spectra).mean(0))
    return spectrum


def cross_spectrum(X: Any, Y: Any, *, n_folds: int = N_FOLDS) -> FloatArray:
    """Return the covariance that two views of the same stimuli share, direction by direction, on held-out stimuli.

    The views are repeats, or subjects, whose neuroids need not match.

    Parameters
    ----------
    X, Y : arrays, shapes (n, p), (n, q)
        Stimuli in rows, in one order.
    n_folds : int
        Singular vectors of the cross-covariance come from all folds but one, the covariance along them from that one.

    Returns
    -------
    array, shape (min(n_train - 1, p, q),)
        Mean over folds; its expectation is zero where nothing is shared.

    Raises
    ------
    PairingError, ShapeError, NonFiniteError
        For matrices that do not pair, too few stimuli, NaN or inf.
    InputError
        If there are fewer than two folds, or fewer than two stimuli a fold.

    References
    ----------
    Gauthaman, Ménard & Bonner 2024, arXiv:2409.06843.
    """
    x, y = as_pair(X, Y, min_rows=4)
    if n_folds < 2 or len(x) < 2 * n_folds:
        raise InputError(f"n_folds={n_folds} of {len(x)} stimuli; give at least two folds of two stimuli or more.")
    x, y = x.to(torch.float64), y.to(torch.float64)
    spectra = []
    for train, test in fold_rows(len(x), n_folds, x.device):
        left, right = x - x[train].mean(0), y - y[train].mean(0)
        u, v = _shared_directions(left[train], right[train])
        a, b = left[test] @ u, right[test] @ v
        spectra.append(((a - a.mean(0)) * (b - b.mean(0))).sum(0) / (len(test) - 1))
    length = min(len(s) for s in spectra)
    spectrum: FloatArray = to_numpy(torch.stack([s[:length] for s in spectra]).mean(0))
    return spectrum


def fold_rows(n: int, n_folds: int, device: torch.device) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return rows to fit on and rows held out, for each fold."""
    # rows are often ordered by category, so each fold takes every n_folds-th
    fold = torch.arange(n, device=device) % n_folds
    return [((fold != f).nonzero()[:, 0], (fold == f).nonzero()[:, 0]) for f in range(n_folds)]


def components(centred: torch.Tensor) -> torch.Tensor:
    """Return principal directions (p, min(n - 1, p)) of centred rows, by the smaller Gram matrix."""
    n, p = centred.shape
    _require_variance(centred)
    directions: torch.Tensor = torch.linalg.svd(centred, full_matrices=False)[2][: min(n - 1, p)]
    return directions.T


def _require_variance(centred: torch.Tensor) -> None:
    if not bool(centred.any()):
        raise UndefinedError(f"all {len(centred)} stimuli are equal, so they have no principal components.")


def _shared_directions(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the singular vectors of XᵀY, through the row spaces where there are fewer rows than columns."""
    _require_variance(x)
    _require_variance(y)
    rank = min(len(x) - 1, x.shape[1], y.shape[1])
    left = components(x) if len(x) <= x.shape[1] else None
    right = components(y) if len(y) <= y.shape[1] else None
    a = x if left is None else x @ left
    b = y if right is None else y @ right
    u, _, vt = torch.linalg.svd(a.T @ b, full_matrices=False)
    u, v = u[:, :rank], vt[:rank].T
    return (u if left is None else left @ u), (v if right is None else right @ v)

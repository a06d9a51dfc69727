"""Power laws of variance over principal components: in sample, held out, and shared by repeats or by subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.geometry.eigenvalues import centred_points, covariance_eigenvalues

__all__ = ["SpectrumExponent", "cross_spectrum", "fit_power_law", "repeat_spectrum", "spectrum_exponent"]

FloatArray = npt.NDArray[np.float64]

N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class SpectrumExponent:
    """A power law fitted to variances of principal components, λ_i ∝ i^(-exponent).

    Attributes
    ----------
    exponent : float
        Of the out-of-sample spectrum: held-out stimuli, or what repeats share.
    in_sample : float
        Of the eigenvalues of the covariance of the same data, too steep where stimuli are few.
    kind : {"held-out", "repeats"}
        What ``exponent`` was fitted to.
    fit : tuple of int
        First and last component (counted from 1) that entered both fits.
    variances : array, shape (m,)
        The out-of-sample spectrum; noise leaves single values at or below zero.
    eigenvalues : array, shape (m,)
        The spectrum in sample.
    n_used : int
        Components in the range whose out-of-sample variance is positive, which alone have a logarithm.
    """

    exponent: float
    in_sample: float
    kind: str
    fit: tuple[int, int]
    variances: FloatArray
    eigenvalues: FloatArray
    n_used: int


def spectrum_exponent(X: Any, *, fit: tuple[int, int] = (11, 500), repeats: Any = None) -> SpectrumExponent:
    """Fit a power law to the spectrum of a representation.

    Parameters
    ----------
    X : array, shape (n, p)
        Stimuli in rows. With ``repeats``: responses to the first presentation.
    fit : pair of int
        First and last component of the fit, counted from 1; the last is cut to the components that there are.
    repeats : array (n, p), or a sequence of them, optional
        Responses to further presentations of the same stimuli: then components come from one half of the repeats and
        variance is what the halves share (cvPCA), so that noise adds none.

    Returns
    -------
    SpectrumExponent
        Exponents out of sample and in sample, the range used, and both spectra.

    Raises
    ------
    ShapeError, PairingError, NonFiniteError
        For too few stimuli, repeats of another shape, NaN or inf.
    InputError
        If the range is none, or holds fewer than three components that have variance.
    UndefinedError
        If all stimuli are equal.

    Notes
    -----
    Without repeats: components from four fifths of the stimuli, variance of the last fifth, averaged over the five
    choices, in the order of the components. Log variance is fitted on log rank with weight 1 / rank, so that each
    octave counts alike; no bins. Cost: five decompositions, n p min(n, p) each.

    References
    ----------
    Stringer et al. 2019, doi:10.1038/s41586-019-1346-5.

    Examples
    --------
    >>> law = np.arange(1, 101) ** -0.5
    >>> result = spectrum_exponent(np.random.default_rng(0).normal(size=(2000, 100)) * law, fit=(5, 80))
    >>> round(result.exponent, 1), result.fit
    (1.0, (5, 80))
    """
    points = as_matrix(X, name="X", min_rows=2 * N_FOLDS)
    if repeats is None:
        eigenvalues, variances, kind = covariance_eigenvalues(points), _held_out(points), "held-out"
    else:
        all_repeats = [points, *_matching(points, repeats)]
        mean = torch.stack(all_repeats).mean(0)
        eigenvalues, variances, kind = covariance_eigenvalues(mean), repeat_spectrum(all_repeats), "repeats"
    first, last = _range(fit, len(variances))
    exponent, n_used = fit_power_law(variances, (first, last))
    in_sample, _ = fit_power_law(eigenvalues, (first, last))
    return SpectrumExponent(exponent, in_sample, kind, (first, last), variances, eigenvalues, n_used)


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
        basis = _components(own)
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
    for train, test in _folds(len(x), n_folds, x.device):
        left, right = x - x[train].mean(0), y - y[train].mean(0)
        u, v = _shared_directions(left[train], right[train])
        a, b = left[test] @ u, right[test] @ v
        spectra.append(((a - a.mean(0)) * (b - b.mean(0))).sum(0) / (len(test) - 1))
    length = min(len(s) for s in spectra)
    spectrum: FloatArray = to_numpy(torch.stack([s[:length] for s in spectra]).mean(0))
    return spectrum


def fit_power_law(variances: npt.ArrayLike, fit: tuple[int, int]) -> tuple[float, int]:
    """Return the exponent of variances that fall with rank, over ranks ``fit`` (from 1), and the number of ranks used.

    Raises
    ------
    InputError
        If fewer than three ranks of the range have positive variance.
    """
    values = np.asarray(variances, dtype=np.float64)
    rank = np.arange(fit[0], min(fit[1], len(values)) + 1)
    inside = values[rank - 1]
    rank, inside = rank[inside > 0], inside[inside > 0]
    if len(rank) < 3:
        raise InputError(
            f"only {len(rank)} of the components {fit[0]} to {fit[1]} have positive variance; at least three are "
            "needed: give another range fit=(first, last)."
        )
    # polyfit weighs residuals, not their squares
    slope = np.polyfit(np.log(rank), np.log(inside), 1, w=rank**-0.5)[0]
    return -float(slope), len(rank)


def _range(fit: tuple[int, int], n: int) -> tuple[int, int]:
    first, last = fit
    if not 1 <= first < last:
        raise InputError(f"fit={fit} is no range of components; give (first, last) with 1 <= first < last.")
    if min(last, n) < first + 2:
        raise InputError(f"fit={fit} needs components {first} to {first + 2} at least; there are {n}.")
    return first, min(last, n)


def _matching(points: torch.Tensor, repeats: Any) -> list[torch.Tensor]:
    given = repeats if isinstance(repeats, list | tuple) or getattr(repeats, "ndim", 2) == 3 else [repeats]
    matrices = [as_pair(points, r, names=("X", f"repeats[{i}]"))[1].to(points) for i, r in enumerate(given)]
    for i, matrix in enumerate(matrices):
        if matrix.shape != points.shape:
            raise ShapeError(
                f"repeats[{i}] has {matrix.shape[1]} columns and X has {points.shape[1]}; repeats are responses of "
                "the same neuroids (for other subjects see cross_spectrum)."
            )
    return matrices


def _held_out(points: torch.Tensor) -> FloatArray:
    centred, unit = centred_points(points)
    centred = centred.to(torch.float64)
    spectra = []
    for train, test in _folds(len(centred), N_FOLDS, centred.device):
        mean = centred[train].mean(0)
        projected = (centred[test] - mean) @ _components(centred[train] - mean)
        spectra.append((projected**2).mean(0))
    length = min(len(s) for s in spectra)
    spectrum: FloatArray = to_numpy(torch.stack([s[:length] for s in spectra]).mean(0)) * unit * unit
    return spectrum


def _folds(n: int, n_folds: int, device: torch.device) -> list[tuple[torch.Tensor, torch.Tensor]]:
    # rows are often ordered by category, so each fold takes every n_folds-th
    fold = torch.arange(n, device=device) % n_folds
    return [((fold != f).nonzero()[:, 0], (fold == f).nonzero()[:, 0]) for f in range(n_folds)]


def _components(centred: torch.Tensor) -> torch.Tensor:
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
    left = _components(x) if len(x) <= x.shape[1] else None
    right = _components(y) if len(y) <= y.shape[1] else None
    a = x if left is None else x @ left
    b = y if right is None else y @ right
    u, _, vt = torch.linalg.svd(a.T @ b, full_matrices=False)
    u, v = u[:, :rank], vt[:rank].T
    return (u if left is None else left @ u), (v if right is None else right @ v)

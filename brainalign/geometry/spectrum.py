"""Power laws of variance over principal components: in sample, held out, and shared by repeats or by subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import InputError, ShapeError
from brainalign.geometry.eigenvalues import centred_points, covariance_eigenvalues
from brainalign.geometry.shared_spectra import N_FOLDS, components, fold_rows, repeat_spectrum

__all__ = ["SpectrumExponent", "fit_power_law", "spectrum_exponent"]

FloatArray = npt.NDArray[np.float64]


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


def fit_power_law(variances: npt.ArrayLike, fit: tuple[int, int]) -> tuple[float, int]:
    """Return the exponent of variances that fall with rank, over ranks ``fit`` (from 1), and the number of ranks used.

    Variances at or below zero, or within rounding of the largest, count for nothing.

    Raises
    ------
    InputError
        If fewer than three ranks of the range have positive variance.
    """
    values = np.asarray(variances, dtype=np.float64)
    rank = np.arange(fit[0], min(fit[1], len(values)) + 1)
    inside = values[rank - 1]
    there = inside > len(values) * np.finfo(np.float64).eps * values.max()
    rank, inside = rank[there], inside[there]
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
    for train, test in fold_rows(len(centred), N_FOLDS, centred.device):
        mean = centred[train].mean(0)
        projected = (centred[test] - mean) @ components(centred[train] - mean)
        spectra.append((projected**2).mean(0))
    length = min(len(s) for s in spectra)
    spectrum: FloatArray = to_numpy(torch.stack([s[:length] for s in spectra]).mean(0)) * unit * unit
    return spectrum

"""The noise-ceiling signal-to-noise ratio: computed by the official recipe, compared, and made into a ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from brainalign.datasets.nsd.stack import column_statistics
from brainalign.errors import UndefinedError
from brainalign.stats import Ceiling

__all__ = ["NcsnrComparison", "compare_ncsnr", "ncsnr_ceiling", "ncsnr_of_repeats", "official_ncsnr"]

FloatArray = npt.NDArray[np.float64]

_BLOCK_BYTES, _CHUNK = 256 << 20, 1024  # the store keeps chunks of so many neuroids
REPEATS = 3


def official_ncsnr(responses: xr.Dataset) -> FloatArray:
    """Compute ncsnr from single trials as the authors of the dataset do.

    Every neuroid is z-scored within each session (again, where that was done); of the stimuli with exactly three
    presentations, the noise variance is the mean of the unbiased variances over the presentations; the signal variance
    is what it leaves of 1, at least 0; ncsnr is the ratio of the standard deviations.

    Parameters
    ----------
    responses : xarray.Dataset
        ``response`` (presentation, neuroid), all trials of the sessions, with ``stimulus`` and ``session``.

    Returns
    -------
    array, shape (n_neuroids,)
        NaN where a neuroid does not vary in a session.

    Raises
    ------
    UndefinedError
        If no stimulus was shown three times.

    Notes
    -----
    Allen et al. 2022, doi:10.1038/s41593-021-00962-x, and ``export_noiseceiling.m`` of cvnlab/nsddatapaper.
    Reads the responses once, up to 256 MB at a time.
    """
    stimulus, session = responses["stimulus"].values, responses["session"].values
    _, codes, counts = np.unique(stimulus, return_inverse=True, return_counts=True)
    order = np.argsort(codes, kind="stable")
    thrice = order[counts[codes[order]] == REPEATS]
    if not len(thrice):
        raise UndefinedError("no stimulus was shown three times, which the official ncsnr needs.")
    variable = responses.variables["response"]
    found = np.empty(variable.shape[1])
    width = max(1, min(_CHUNK, _BLOCK_BYTES // (8 * variable.shape[0])))
    for start in range(0, variable.shape[1], width):
        values = np.array(variable[:, start : start + width].values, dtype=np.float64)
        for number in np.unique(session):
            rows = session == number
            mean, spread = column_statistics(values[rows], ddof=1)
            values[rows] = (values[rows] - mean) / np.where(spread > 0, spread, np.nan)
        repeats = values[thrice].reshape(-1, REPEATS, values.shape[1])
        found[start : start + width] = _ratio(repeats.var(axis=1, ddof=1).mean(axis=0))
    return found


def ncsnr_of_repeats(values: npt.NDArray[Any], stimuli: npt.NDArray[Any]) -> FloatArray:
    """Compute ncsnr where stimuli were shown unequally often: variances are pooled by their degrees of freedom.

    Parameters
    ----------
    values : array, shape (n_presentations, n_neuroids)
        z-scored over the session.
    stimuli : array, shape (n_presentations,)

    Returns
    -------
    array, shape (n_neuroids,)

    Raises
    ------
    UndefinedError
        If no stimulus was shown twice.
    """
    _, codes, counts = np.unique(stimuli, return_inverse=True, return_counts=True)
    freedom = int((counts - 1).sum())
    if freedom == 0:
        raise UndefinedError("every stimulus was shown once, so noise cannot be told from signal.")
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rows = values[order].astype(np.float64)
    centred = rows - np.repeat(np.add.reduceat(rows, starts, axis=0) / counts[:, None], counts, axis=0)
    return _ratio((centred**2).sum(axis=0) / freedom)


def _ratio(noise: FloatArray) -> FloatArray:
    """Square root of signal over noise variance, for a total variance of 1."""
    noise = np.where(noise > 0, noise, np.nan)
    ratio: FloatArray = np.sqrt(np.maximum(1 - noise, 0) / noise)
    return ratio


@dataclass(frozen=True)
class NcsnrComparison:
    """How the ncsnr of the files and of the responses agree: largest and median difference over neuroids with both."""

    n_neuroids: int
    largest: float
    median: float

    def __str__(self) -> str:
        return (
            f"ncsnr of the files and recomputed from these trials: {self.n_neuroids} neuroids, difference at most "
            f"{self.largest:.2g}, median {self.median:.2g}"
        )


def compare_ncsnr(shipped: npt.NDArray[Any], recomputed: FloatArray) -> NcsnrComparison:
    """Compare two ncsnr over the neuroids that have both."""
    both = np.isfinite(shipped) & np.isfinite(recomputed)
    if not both.any():
        return NcsnrComparison(0, float("nan"), float("nan"))
    difference = np.abs(shipped[both].astype(np.float64) - recomputed[both])
    return NcsnrComparison(int(both.sum()), float(difference.max()), float(np.median(difference)))


def ncsnr_ceiling(responses: xr.Dataset) -> Ceiling:
    """Return the noise ceiling that the shipped ncsnr gives for the repeats that these responses hold.

    Parameters
    ----------
    responses : xarray.Dataset
        Single trials, or averaged ones with ``n_repeats``; ``ncsnr`` along neuroid.

    Returns
    -------
    Ceiling
        Of kind ``variance``: ncsnr² / (ncsnr² + mean of 1 / repeats over stimuli), NaN where ncsnr is.

    Raises
    ------
    UndefinedError
        If the responses carry no ncsnr.

    Notes
    -----
    The mixed form (A/3 + B/2 + C)/(A + B + C) of the dataset's manual, for any number of repeats.
    """
    if "ncsnr" not in responses.variables:
        raise UndefinedError("these responses carry no ncsnr; noise_ceiling(responses) takes it from their repeats.")
    if "n_repeats" in responses.variables:
        counts = responses["n_repeats"].values
    else:
        counts = np.unique(responses["stimulus"].values, return_counts=True)[1]
    left = float(np.mean(1 / counts))
    squared = responses["ncsnr"].values.astype(np.float64) ** 2
    return Ceiling("variance", squared / (squared + left), 1 / left, "ncsnr of the dataset")

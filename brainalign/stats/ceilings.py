"""Noise ceilings with a kind, so that a score is only ever divided by what bounds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import CeilingError, ChoiceError, UndefinedError, near_names
from brainalign.stats.repeats import Repeats, as_repeats

__all__ = ["Ceiling", "Normalised", "ncsnr_ceiling", "noise_ceiling", "noise_variances", "published_ceiling"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

_ROOT_KINDS = ("variance", "reliability")


@dataclass(frozen=True)
class Normalised:
    """A score over many neuroids beside what bounds it; print all of it, never the ratio alone.

    Attributes
    ----------
    value, ceiling : float
        Means of the score and of its bound over the neuroids that have both.
    normalised : float
        ``value / ceiling``; never clipped.
    n_used, n_excluded : int
        Neuroids that entered, and those without a score or with a ceiling of zero or NaN.
    """

    value: float
    ceiling: float
    normalised: float
    n_used: int
    n_excluded: int

    def __str__(self) -> str:
        return (
            f"{self.value:.3f} of at most {self.ceiling:.3f}: {self.normalised:.3f} "
            f"({self.n_used} neuroids, {self.n_excluded} without a ceiling left out)"
        )


@dataclass(frozen=True)
class Ceiling:
    """What an ideal model could reach on these responses.

    Attributes
    ----------
    kind : {"variance", "reliability", "correlation", None}
        ``variance``: share of the variance of the scored (averaged) responses that the stimulus explains.
        ``reliability``: Spearman-Brown corrected split-half correlation; also a share of variance.
        ``correlation``: the largest value that one comparator can reach. ``None``: no ceiling, ``reason`` says why.
    value : array or None
        One value a neuroid for ``variance`` and ``reliability``, one number for ``correlation``.
    n_repeats : float or None
        Repeats averaged in the scored responses (harmonic mean where stimuli differ).
    source : str
        How it was made.
    quantity : str or None
        For ``correlation``: the quantity, ``"rsa"`` or ``"cka"``, that it bounds.
    upper : float or None
        Upper bound where the ceiling is a range (leave-one-subject-out).
    reason : str or None
        Why there is none.
    """

    kind: str | None
    value: FloatArray | float | None
    n_repeats: float | None
    source: str
    quantity: str | None = None
    upper: float | None = None
    reason: str | None = None

    @classmethod
    def absent(cls, reason: str) -> Ceiling:
        """Return the ceiling of responses for which none can be known."""
        return cls(None, None, None, "none", reason=reason)

    def bound(self, quantity: str) -> FloatArray | float:
        """Return the largest value of ``quantity`` ("r", "r2", "rsa", "cka") that this ceiling allows.

        Raises
        ------
        CeilingError
            If the ceiling is absent or does not bound this quantity.
        """
        if self.kind is None or self.value is None:
            raise CeilingError(f"these responses have no noise ceiling: {self.reason}")
        if self.kind in _ROOT_KINDS and quantity == "r":
            return np.sqrt(self.value)
        if self.kind in _ROOT_KINDS and quantity == "r2":
            return self.value
        if self.kind == "correlation" and quantity in ("rsa", "cka") and self.quantity in (None, quantity):
            return self.value
        kind = f"{self.kind} of {self.quantity}" if self.quantity else self.kind
        raise CeilingError(
            f"a ceiling of kind {kind!r} does not bound {quantity!r}: r and r2 take 'variance' or 'reliability', "
            "rsa and cka take a 'correlation' of the same comparator."
        )

    def normalise(self, value: npt.ArrayLike, quantity: str = "r") -> FloatArray | float:
        """Divide a score by what bounds it; never clipped.

        Parameters
        ----------
        value : float or array
            The score; one number, or one a neuroid where the ceiling has one a neuroid.
        quantity : {"r", "r2", "rsa", "cka"}
            What the score is.

        Returns
        -------
        float or array
            r / sqrt(ceiling), r2 / ceiling, or rsa or cka / ceiling. Where the ceiling is zero: NaN.
            One number against a ceiling per neuroid is divided by the mean bound over neuroids above zero
            (aggregates are divided, not neuroids).

        Raises
        ------
        CeilingError
            If the ceiling does not bound this quantity.

        Examples
        --------
        >>> Ceiling("variance", np.array([0.25, 0.0]), 3, "ncsnr").normalise([0.4, 0.1], "r")
        array([0.8, nan])
        >>> Ceiling("variance", np.array([0.25, 0.25]), 3, "ncsnr").normalise(0.4, "r")
        0.8
        """
        bound = np.asarray(self.bound(quantity), dtype=np.float64)
        score = np.asarray(value, dtype=np.float64)
        if score.ndim == 0 and bound.ndim == 1:
            bound = np.asarray(bound[bound > 0].mean() if (bound > 0).any() else 0.0)
        if score.ndim and bound.ndim and score.shape != bound.shape:
            raise CeilingError(f"{score.shape} scores do not match a ceiling of {bound.shape} neuroids.")
        out = np.divide(score, bound, out=np.full(np.broadcast(score, bound).shape, np.nan), where=bound > 0)
        return float(out) if out.ndim == 0 else out

    def aggregate(self, values: npt.ArrayLike, quantity: str = "r") -> Normalised:
        """Normalise the mean of a score over neuroids: means are divided, not neuroids.

        A neuroid near a ceiling of zero would have a ratio without limit; those at zero are left out and counted.

        Parameters
        ----------
        values : array, shape (n_neuroids,)
            One score a neuroid; NaN where it has none.
        quantity : {"r", "r2"}
            What the scores are. Fisher's z is not applied; give z-scores' means yourself if you want them.

        Raises
        ------
        CeilingError
            If the ceiling does not bound this quantity or is of other neuroids.
        UndefinedError
            If no neuroid has both a score and a ceiling above zero.

        Examples
        --------
        >>> print(Ceiling("variance", np.array([0.25, 0.64, 0.0]), 3, "ncsnr").aggregate([0.4, 0.5, 0.1]))
        0.450 of at most 0.650: 0.692 (2 neuroids, 1 without a ceiling left out)
        """
        bound, score = np.atleast_1d(self.bound(quantity)), np.asarray(values, dtype=np.float64)
        if score.shape != bound.shape:
            raise CeilingError(f"{score.shape} scores do not match a ceiling of {bound.shape} neuroids.")
        used = np.isfinite(score) & (bound > 0)
        if not used.any():
            raise UndefinedError(f"none of {len(score)} neuroids has both a score and a ceiling above zero.")
        value, ceiling = float(score[used].mean()), float(bound[used].mean())
        return Normalised(value, ceiling, value / ceiling, int(used.sum()), int((~used).sum()))


def noise_variances(
    repeats: Repeats, blocks: Sequence[IndexArray] | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unbiased noise and signal variance of each neuroid, on all stimuli or with each block left out.

    One-way analysis of variance: the noise variance is the pooled variance within stimuli; the signal variance is the
    variance of the stimulus means less the noise that is left in them, floored at zero.

    Returns
    -------
    noise, signal : arrays, shape (n_neuroids,), or (n_blocks, n_neuroids)
        Variance of single presentations, and of the expected response over stimuli.
    inverse_count : array, shape () or (n_blocks,)
        Mean of 1 / repeats over stimuli: what is left of the noise variance in the averaged responses.

    Raises
    ------
    UndefinedError
        If no stimulus was shown twice.
    """
    n = len(repeats.counts)
    keep = np.ones((1, n)) if blocks is None else np.stack([~np.isin(np.arange(n), block) for block in blocks])
    keep = keep.astype(np.float64)
    means = repeats.mean()
    means = means - means.mean(axis=0)
    freedom = keep @ (repeats.counts - 1)
    if (freedom < 1).any():
        raise UndefinedError(
            "no stimulus was shown more than once, so noise cannot be told from signal; "
            "a ceiling needs repeats, or responses recorded as averaged have none."
        )
    kept = keep.sum(axis=1)
    noise = keep @ repeats.residual_squares() / freedom[:, None]
    inverse = keep @ (1 / repeats.counts) / kept
    between = (keep @ means**2 - (keep @ means) ** 2 / kept[:, None]) / (kept - 1)[:, None]
    signal = np.maximum(0.0, between - noise * inverse[:, None])
    return (noise[0], signal[0], inverse[0]) if blocks is None else (noise, signal, inverse)


def noise_ceiling(
    responses: Any,
    *,
    method: str = "ncsnr",
    ncsnr: npt.ArrayLike | None = None,
    n_splits: int = 20,
    seed: int = 0,
) -> Ceiling:
    """Noise ceiling of every neuroid from repeated presentations.

    Parameters
    ----------
    responses : labelled responses, or array (stimulus, repetition, neuroid)
        Single presentations; NaN marks a repeat that was not shown. Responses whose ``attrs["averaged"]`` gives a
        reason have a null ceiling with that reason.
    method : {"ncsnr", "split-half"}
        ``ncsnr``: share of explainable variance in the averaged responses, ncsnr² / (ncsnr² + mean(1 / repeats)).
        ``split-half``: correlation of the means of two random halves, averaged over ``n_splits`` before the
        Spearman-Brown correction; negative values stay visible as they are.
    ncsnr : array, shape (n_neuroids,), optional
        Signal-to-noise ratio as a dataset ships it, instead of one computed here; the responses then only say how
        often each stimulus was shown (see :func:`brainalign.stats.ncsnr_ceiling`).

    Returns
    -------
    Ceiling
        Of kind ``variance`` or ``reliability``, one value a neuroid, for the exact repeats that enter the mean.

    Raises
    ------
    ChoiceError
        For another method.
    UndefinedError
        If no stimulus was shown twice.

    Notes
    -----
    ncsnr as in Allen et al. 2022, doi:10.1038/s41593-021-00962-x, with signal variance from the analysis of
    variance instead of one minus the noise variance, so that responses need no z-scoring first.
    Cost: one pass over the responses; ``n_splits`` passes for split halves.
    """
    reason = str(getattr(responses, "attrs", {}).get("averaged", "") or "")
    if reason:
        return Ceiling.absent(reason)
    repeats = as_repeats(responses)
    if ncsnr is not None:
        if method != "ncsnr":
            raise ChoiceError(f"ncsnr= is a ceiling of its own; method={method!r} computes another.")
        if np.shape(ncsnr) != (repeats.values.shape[1],):
            raise CeilingError(f"ncsnr has shape {np.shape(ncsnr)}; there are {repeats.values.shape[1]} neuroids.")
        return ncsnr_ceiling(ncsnr, repeats.counts)
    n_repeats = float(1 / np.mean(1 / repeats.counts))
    if method == "ncsnr":
        noise, signal, inverse = noise_variances(repeats)
        total = signal + noise * inverse
        value = np.divide(signal, total, out=np.zeros_like(signal), where=total > 0)
        return Ceiling("variance", value, n_repeats, "ncsnr")
    if method == "split-half":
        return Ceiling("reliability", _split_half(repeats, n_splits, seed), n_repeats, f"split-half x{n_splits}")
    raise ChoiceError(f"method={method!r} is unknown.{near_names(method, ['ncsnr', 'split-half'])}")


def ncsnr_ceiling(ncsnr: npt.ArrayLike, counts: npt.ArrayLike | Mapping[int, int]) -> Ceiling:
    """Noise ceiling from a signal-to-noise ratio and the trials that are averaged.

    Parameters
    ----------
    ncsnr : array, shape (n_neuroids,)
        Signal over noise standard deviation of single trials. NaN (outside the brain) has no ceiling; 0 has ceiling 0.
    counts : int, array of int, or mapping
        Trials averaged: one number for all stimuli, one for each stimulus, or stimuli by number of trials, as
        ``{3: A, 2: B, 1: C}``.

    Returns
    -------
    Ceiling
        Kind ``variance``: ncsnr² / (ncsnr² + mean of 1 / trials), a share, not percent.

    Raises
    ------
    CeilingError
        If a ratio is negative or inf, or a count is below 1.

    Notes
    -----
    Allen et al. 2022, doi:10.1038/s41593-021-00962-x: with A, B, C images seen three times, twice and once the mean is
    (A/3 + B/2 + C) / (A + B + C).

    Examples
    --------
    >>> ncsnr_ceiling([1.0, 0.0], {3: 515, 1: 515}).value
    array([0.6, 0. ])
    """
    ratio = np.asarray(ncsnr, dtype=np.float64)
    if (ratio < 0).any() or np.isinf(ratio).any():
        raise CeilingError("ncsnr is a ratio of standard deviations: 0 or more, NaN where there is none.")
    if isinstance(counts, Mapping):
        trials = np.repeat(np.array(list(counts), dtype=np.float64), list(counts.values()))
    else:
        trials = np.atleast_1d(np.asarray(counts, dtype=np.float64))
    if not len(trials) or not (trials >= 1).all():
        raise CeilingError("counts are the trials behind each stimulus: at least 1, of at least one stimulus.")
    left = float(np.mean(1 / trials))
    return Ceiling("variance", ratio**2 / (ratio**2 + left), 1 / left, "ncsnr as given")


def published_ceiling(value: npt.ArrayLike, *, unit: str, n_repeats: float | None, source: str) -> Ceiling:
    """Return a published noise ceiling in explained variance as a share.

    Parameters
    ----------
    value : array, shape (n_neuroids,)
        As shipped.
    unit : {"percent", "fraction"}
        Percent: NSD's formula, THINGS, BOLD Moments, LAION-fMRI, Brain-Score's ``nc_testset``. Fraction: Algonauts.
    n_repeats : float or None
        Trials averaged in the responses that it bounds; it does not fit other averages.
    source : str

    Raises
    ------
    ChoiceError
        If the unit is unknown.
    CeilingError
        If values do not fit the unit: below 0, above 1 (fraction) or 100 (percent), or none above 1 as percent.

    Examples
    --------
    >>> published_ceiling([30.0, 0.0], unit="percent", n_repeats=12, source="THINGS").bound("r").round(3)
    array([0.548, 0.   ])
    """
    limits = {"percent": 100.0, "fraction": 1.0}
    if unit not in limits:
        raise ChoiceError(f"unit={unit!r} is unknown.{near_names(unit, limits)}")
    values = np.asarray(value, dtype=np.float64)
    low, high = np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)
    if low < 0 or high > limits[unit] or (unit == "percent" and 0 < high <= 1):
        raise CeilingError(
            f"values from {low:g} to {high:g} are no noise ceiling in {unit}; is the unit the other one?"
        )
    return Ceiling("variance", values / limits[unit], n_repeats, source)


def _split_half(repeats: Repeats, n_splits: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    half = int(repeats.counts.min()) // 2
    if half < 1:
        raise UndefinedError("split halves need at least two presentations of every stimulus.")
    total = np.zeros(repeats.values.shape[1])
    for _ in range(n_splits):
        a, b = (x - x.mean(axis=0) for x in repeats.subset_means((half, half), rng))
        scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
        total += np.divide((a * b).sum(axis=0), scale, out=np.full(len(scale), np.nan), where=scale > 0)
    r = total / n_splits
    factor = float(1 / np.mean(1 / repeats.counts)) / half
    positive = np.maximum(r, 0)
    return np.where(r > 0, factor * positive / (1 + (factor - 1) * positive), r)

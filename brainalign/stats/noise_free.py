"""What a score would be without response noise, bracketed by its values at all and at half of the repeats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError, UndefinedError
from brainalign.stats.resampling import Interval, subsample_interval

__all__ = ["between", "noise_free_bracket", "noise_free_ends"]

FloatArray = npt.NDArray[np.float64]


def noise_free_bracket(
    full: npt.ArrayLike, half: npt.ArrayLike, *, n_repeats: float, n_half: float, chance: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Extrapolate a score to responses without noise, in the two ways between which the truth is expected.

    Parameters
    ----------
    full, half : float or array
        The score against the mean of ``n_repeats`` and of ``n_half`` repeats; the noise variance is as 1 / repeats.
    n_repeats, n_half : float
        Repeats behind the two; ``n_half`` is smaller.
    chance : float or array
        What the score falls to when noise drowns the signal.

    Returns
    -------
    linear, harmonic : arrays
        ``linear``: the score as a straight line in the noise variance; too low, because a score that sinks towards
        chance bends. ``harmonic``: 1 / (score - chance) as a straight line, the form of Spearman and Brown; it
        overshoots where noise is strong, and is NaN where it finds no finite value.

    Raises
    ------
    InputError
        If ``n_half`` is not smaller than ``n_repeats``.

    Examples
    --------
    >>> linear, harmonic = noise_free_bracket(0.40, 0.32, n_repeats=4, n_half=2, chance=0.0)
    >>> float(linear.round(3)), float(harmonic.round(3))
    (0.48, 0.533)
    """
    if not 0 < n_half < n_repeats:
        raise InputError(f"an extrapolation needs fewer repeats than all, got {n_half} of {n_repeats}.")
    whole, part, floor = (np.asarray(x, dtype=np.float64) for x in (full, half, chance))
    step = n_half / (n_repeats - n_half)  # from all repeats to no noise, in steps from half of them to all
    linear: FloatArray = whole + step * (whole - part)
    above = np.where((whole > floor) & (part > floor), 1.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = above * ((1 + step) / (whole - floor) - step / (part - floor))
        harmonic: FloatArray = np.where(inverse > 0, floor + 1 / inverse, np.nan)
    return linear, harmonic


def noise_free_ends(
    full: float,
    half: float,
    drawn_full: npt.ArrayLike,
    drawn_half: npt.ArrayLike,
    *,
    n_repeats: float,
    n_half: float,
    chance: float,
    drawn_chance: npt.ArrayLike,
    sizes: npt.ArrayLike,
    n: int,
    level: float = 0.95,
) -> tuple[Interval, Interval]:
    """Intervals of both extrapolations of `noise_free_bracket`, from half-samples of the stimuli.

    Parameters
    ----------
    full, half, n_repeats, n_half, chance
        As in `noise_free_bracket`, on all ``n`` stimuli.
    drawn_full, drawn_half, drawn_chance : arrays, shape (n_samples,)
        The same on each half-sample, with ``sizes`` stimuli.
    level : float
        Nominal coverage.

    Returns
    -------
    linear, harmonic : Interval

    Raises
    ------
    UndefinedError
        Where noise is too strong to extrapolate, on all stimuli or on one of the half-samples.
    """
    repeats = {"n_repeats": n_repeats, "n_half": n_half}
    ends = noise_free_bracket(full, half, chance=chance, **repeats)
    drawn = noise_free_bracket(drawn_full, drawn_half, chance=drawn_chance, **repeats)
    if not (np.isfinite(ends[1]) and np.isfinite(drawn[1]).all()):
        raise UndefinedError(
            f"the score is {full:.3g} at {n_repeats:.3g} repeats and {half:.3g} at {n_half:.3g}: "
            "noise is too strong to say what it would be without."
        )
    linear, harmonic = (
        subsample_interval(float(end), values, sizes, n, level=level) for end, values in zip(ends, drawn, strict=True)
    )
    return linear, harmonic


def between(linear: Interval, harmonic: Interval) -> Interval:
    """Return the interval of a noise-free score, which holds the uncertainty of the form beside that of sampling.

    The estimate is the middle of the two extrapolations; the interval reaches from the lower limit of the lower one
    to the upper limit of the higher one.
    """
    low, high = min(linear.low, harmonic.low), max(linear.high, harmonic.high)
    middle = (linear.estimate + harmonic.estimate) / 2
    return Interval(middle, low, high, max(linear.se, harmonic.se), linear.level, "extrapolation over repeats")

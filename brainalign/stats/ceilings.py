"""Noise ceilings with a kind, so that a score is only ever divided by what bounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import CeilingError, ChoiceError, UndefinedError, near_names
from brainalign.stats.repeats import Repeats, as_repeats

__all__ = ["Ceiling", "noise_ceiling", "noise_variances"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

_ROOT_KINDS = ("variance", "reliability")


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


def noise_ceiling(responses: Any, *, method: str = "ncsnr", n_splits: int = 20, seed: int = 0) -> Ceiling:
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
    n_repeats = float(1 / np.mean(1 / repeats.counts))
    if method == "ncsnr":
        noise, signal, inverse = noise_variances(repeats)
        total = signal + noise * inverse
        value = np.divide(signal, total, out=np.zeros_like(signal), where=total > 0)
        return Ceiling("variance", value, n_repeats, "ncsnr")
    if method == "split-half":
        return Ceiling("reliability", _split_half(repeats, n_splits, seed), n_repeats, f"split-half x{n_splits}")
    raise ChoiceError(f"method={method!r} is unknown.{near_names(method, ['ncsnr', 'split-half'])}")


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

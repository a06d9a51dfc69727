"""Permutation nulls: which stimulus goes with which, under what may be exchanged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError, near_names

__all__ = ["Calibrated", "calibrated", "calibrated_by_moments", "draw_permutations", "require_spread"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

# standard deviation over mean of a null that only rounding spreads
RELATIVE_SPREAD = 1e-13


@dataclass(frozen=True)
class Calibrated:
    """A score against its permutation null.

    ``z`` is (score - null_mean) / null_sd. ``p`` is one-sided, towards more alignment, and never zero: from sampled
    permutations it is (1 + number of permuted scores at least as extreme) / (n_permutations + 1). In closed form
    (``n_permutations`` 0) it is the tail of the Pearson type III distribution that has the mean, standard deviation and
    skewness of all n! permutations, and at least 1 / n!; NaN where z alone was asked for.
    """

    score: float
    null_mean: float
    null_sd: float
    z: float
    p: float
    n_permutations: int = 0
    moments: str = "sampled"

    @property
    def excess(self) -> float:
        """Score less the mean of its null: what to report of a measure that has no debiased form."""
        return self.score - self.null_mean


def draw_permutations(
    n: int, count: int, *, groups: npt.ArrayLike | None = None, permute: str = "within", seed: int = 0
) -> IndexArray:
    """Draw permutations of ``n`` stimuli that respect exchangeability groups.

    Parameters
    ----------
    n, count : int
        Number of stimuli and of permutations.
    groups : array of length n, optional
        Group of each stimulus.
    permute : {"within", "blocks"}
        ``within`` shuffles stimuli inside each group (sessions, subjects). ``blocks`` exchanges whole groups of equal
        size and keeps the order inside them (crops of one photograph, frames of one film).
    seed : int
        Seed of the generator.

    Returns
    -------
    array of int, shape (count, n)
        Row r is a permutation: stimulus i is paired with the responses to stimulus ``out[r, i]``.

    Raises
    ------
    ShapeError
        If ``groups`` has another length.
    UndefinedError
        If no exchange but the identity is possible.
    """
    rng = np.random.default_rng(seed)
    if count < 1:
        raise InputError(f"n_permutations must be at least 1, got {count}.")
    if groups is None:
        return rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1)
    if permute not in ("within", "blocks"):
        raise ChoiceError(f"permute={permute!r} is unknown.{near_names(permute, ['within', 'blocks'])}")
    labels = np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(labels) != n:
        raise ShapeError(f"groups has {len(labels)} labels for {n} stimuli; give one label for each stimulus.")
    members = [np.flatnonzero(labels == g) for g in range(labels.max() + 1)]
    return _within(members, n, count, rng) if permute == "within" else _blocks(members, n, count, rng)


def _within(members: list[IndexArray], n: int, count: int, rng: np.random.Generator) -> IndexArray:
    if max(len(m) for m in members) < 2:
        raise UndefinedError("every group holds one stimulus, so nothing can be exchanged within groups.")
    out = np.tile(np.arange(n), (count, 1))
    for rows in members:
        out[:, rows] = rng.permuted(np.tile(rows, (count, 1)), axis=1)
    return out


def _blocks(members: list[IndexArray], n: int, count: int, rng: np.random.Generator) -> IndexArray:
    by_size: dict[int, list[IndexArray]] = {}
    for rows in members:
        by_size.setdefault(len(rows), []).append(rows)
    if max(len(same) for same in by_size.values()) < 2:
        raise UndefinedError(
            f"no two of the {len(members)} groups have the same size, so whole groups cannot be exchanged; "
            "use groups of equal size, or permute='within'."
        )
    out = np.tile(np.arange(n), (count, 1))
    for same in by_size.values():
        stacked = np.stack(same)
        order = rng.permuted(np.tile(np.arange(len(same)), (count, 1)), axis=1)
        out[:, stacked.ravel()] = stacked[order].reshape(count, -1)
    return out


def calibrated(
    score: float,
    null: npt.ArrayLike,
    *,
    moments: tuple[float, float] | None = None,
    at_least: float = 0.0,
    lower: bool = False,
) -> Calibrated:
    """Place a score in its sampled null; mean and sd from ``moments`` where a closed form is known.

    ``at_least`` is the relative tolerance with which a permuted score counts as equal to the observed one; with
    ``lower`` small scores are aligned, and count for p.
    """
    _require_score(score)
    values = np.asarray(null, dtype=np.float64)
    mean, sd = moments if moments is not None else (float(values.mean()), float(values.std(ddof=1)))
    require_spread(mean, sd)
    slack = at_least * abs(score)
    extreme = values <= score + slack if lower else values >= score - slack
    p = (1 + int(np.sum(extreme))) / (len(values) + 1)
    how = "sampled" if moments is None else "closed form"
    return Calibrated(score, mean, sd, (score - mean) / sd, p, len(values), how)


def calibrated_by_moments(
    score: float, moments: tuple[float, float], skewness: float | None, n: int, *, lower: bool = False
) -> Calibrated:
    """Place a score of ``n`` stimuli in a null of which mean, standard deviation and skewness are known.

    Without ``skewness`` p is NaN.

    Notes
    -----
    Pearson type III tail: Kazi-Aoual et al. 1995, Comput. Stat. Data Anal. 20:643; Josse et al. 2008,
    doi:10.1016/j.csda.2008.06.012.
    """
    _require_score(score)
    mean, sd = moments
    require_spread(mean, sd)
    z = (score - mean) / sd
    if skewness is None:
        return Calibrated(score, mean, sd, z, float("nan"), 0, "closed form")
    # the lower tail is the upper one of the mirror image
    p = float(scipy_stats.pearson3.sf(-z, -skewness) if lower else scipy_stats.pearson3.sf(z, skewness))
    least = max(math.exp(-math.lgamma(n + 1)), np.finfo(np.float64).tiny)
    return Calibrated(score, mean, sd, z, max(p, least), 0, "closed form")


def _require_score(score: float) -> None:
    if np.isnan(score):
        raise UndefinedError("the score is not defined, so it has no place in a null.")


def require_spread(mean: float, sd: float, *, of: str = "") -> None:
    """Raise ``UndefinedError`` where a null (``of`` a name) is spread by rounding alone."""
    if not np.isfinite(sd) or sd <= RELATIVE_SPREAD * abs(mean):
        raise UndefinedError(f"the permutation null{of} has no spread: every permutation gives the same score.")

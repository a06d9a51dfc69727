"""Permutation nulls: which stimulus goes with which, under what may be exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError, near_names

__all__ = ["Calibrated", "CalibratedBest", "best_of", "calibrated", "draw_permutations"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Calibrated:
    """A score against its permutation null.

    ``z`` is (score - null_mean) / null_sd; ``p`` is one-sided, (1 + number of permuted scores at least as large) /
    (n_permutations + 1), so it is never zero.
    """

    score: float
    null_mean: float
    null_sd: float
    z: float
    p: float
    n_permutations: int = 0
    moments: str = "sampled"


@dataclass(frozen=True, kw_only=True)
class CalibratedBest(Calibrated):
    """The best of several scores (layers, metrics) against the best of the same permutations of all.

    With several metrics ``score`` and its null are in standard deviations of each metric's own null.

    Attributes
    ----------
    best : object
        Name of the best.
    names : tuple
    scores : (L,)
        As they are.
    p_each : (L,)
        p of each score against the best of the permutations: corrected for the search over all.
    """

    best: Any
    names: tuple[Any, ...]
    scores: FloatArray
    p_each: FloatArray


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
    score: float, null: npt.ArrayLike, *, moments: tuple[float, float] | None = None, at_least: float = 0.0
) -> Calibrated:
    """Place a score in its sampled null; mean and sd from ``moments`` where a closed form is known.

    ``at_least`` is the relative tolerance with which a permuted score counts as equal to the observed one.
    """
    values = np.asarray(null, dtype=np.float64)
    mean, sd = moments if moments is not None else (float(values.mean()), float(values.std(ddof=1)))
    if not np.isfinite(sd) or sd <= 0:
        raise UndefinedError("the permutation null has no spread: every permutation gives the same score.")
    slack = at_least * abs(score)
    p = (1 + int(np.sum(values >= score - slack))) / (len(values) + 1)
    how = "sampled" if moments is None else "closed form"
    return Calibrated(score, mean, sd, (score - mean) / sd, p, len(values), how)


def best_of(names: Sequence[Any], scores: npt.ArrayLike, null: npt.ArrayLike, *, standardize: bool) -> CalibratedBest:
    """Place the best of several scores in the null of the best under the same permutations.

    Parameters
    ----------
    names : sequence of length L
    scores : (L,)
    null : (L, R)
        Column r is one permutation for all.
    standardize : bool
        Compare scores by their distance from their own null mean in units of its sd, observed score included, so that
        the observed and the permuted are treated alike and p stays exact; else as they are.

    Raises
    ------
    UndefinedError
        If a null has no spread.
    """
    values = np.column_stack([np.asarray(scores, np.float64), np.asarray(null, np.float64)])
    if standardize:
        sd = values.std(axis=1, keepdims=True)
        if not (sd > 0).all():
            raise UndefinedError(f"the permutation null of {names[int(np.argmin(sd))]!r} has no spread.")
        values = (values - values.mean(axis=1, keepdims=True)) / sd
    best = int(np.argmax(values[:, 0]))
    largest = values[:, 1:].max(axis=0)
    top = calibrated(float(values[best, 0]), largest, at_least=1e-12)
    slack = 1e-12 * np.abs(values[:, 0])
    p_each = (1 + (largest >= (values[:, 0] - slack)[:, None]).sum(axis=1)) / (len(largest) + 1)
    return CalibratedBest(
        **vars(top), best=names[best], names=tuple(names), scores=np.asarray(scores, np.float64), p_each=p_each
    )

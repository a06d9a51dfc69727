"""Permutation nulls: which stimulus goes with which, under what may be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError, near_names
from brainalign.stats.forms import PairForm

__all__ = ["Calibrated", "calibrate_callable", "calibrate_form", "calibrated", "draw_permutations"]

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


def calibrate_form(
    form: PairForm,
    a: Any,
    b: Any,
    n: int,
    *,
    n_permutations: int = 1000,
    groups: npt.ArrayLike | None = None,
    permute: str = "within",
    seed: int = 0,
) -> Calibrated:
    """Calibrate a measure in its shared form; free permutations take mean and sd in closed form where known."""
    permutations = draw_permutations(n, n_permutations, groups=groups, permute=permute, seed=seed)
    null = form.permuted([a], b, permutations)[0]
    moments = form.null_moments(a, b) if groups is None else None
    return calibrated(form.score(a, b), null, moments=moments, at_least=1e-12)


def calibrate_callable(
    metric: Callable[[Any, Any], float],
    X: npt.NDArray[Any],
    Y: npt.NDArray[Any],
    *,
    n_permutations: int = 1000,
    groups: npt.ArrayLike | None = None,
    permute: str = "within",
    seed: int = 0,
) -> Calibrated:
    """Calibrate any ``metric(X, Y)`` by recomputing it with the rows of ``Y`` permuted."""
    permutations = draw_permutations(len(X), n_permutations, groups=groups, permute=permute, seed=seed)
    null = [float(metric(X, Y[order])) for order in permutations]
    return calibrated(float(metric(X, Y)), null, at_least=1e-12)

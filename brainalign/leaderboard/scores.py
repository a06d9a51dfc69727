"""One displayed cell: rows of a result, with their leave-block-out values, pooled over subjects and regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brainalign.leaderboard.pool import Blocks, Cell, Estimate, Pooled, pool
from brainalign.results import Row

__all__ = ["Score", "Scored", "missing", "pool_scores"]

_AVERAGED = ("chance", "ceiling", "null_mean", "null_sd")


@dataclass(frozen=True, eq=False)
class Scored:
    """A ``selected`` row that has a value, and its leave-block-out values where they are all finite."""

    row: Row
    blocks: Blocks | None

    @property
    def cell(self) -> Cell:
        """What the statistics need of it."""
        assert self.row.value is not None
        return Cell(self.row.value, self.row.low, self.row.high, self.row.se, self.blocks)


@dataclass(frozen=True)
class Score:
    """What a cell of the leaderboard shows; ``reason`` says why ``value`` is missing."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    level: float | None = None
    chance: float | None = None
    ceiling: float | None = None
    ceiling_kind: str | None = None
    ceiling_reason: str | None = None
    normalised: float | None = None
    normalised_low: float | None = None
    normalised_high: float | None = None
    z: float | None = None
    p: float | None = None
    n_subjects: int = 0
    n_stimuli: str = ""
    n_neuroids: int | None = None
    reason: str | None = None


def missing(reason: str) -> Score:
    """Return a cell that is shown as missing."""
    return Score(reason=reason)


def pool_scores(scored: Sequence[Scored], weights: npt.ArrayLike) -> list[tuple[Score, Pooled]]:
    """Pool rows of several subjects, or of several subjects and regions, into one cell for each row of weights.

    The normalised value is the mean divided by the mean ceiling, never a mean of ratios: one unreliable region would
    govern that. Its interval takes the mean ceiling as known. z and p of several rows are bounds on the safe side: the
    rows' nulls are taken as fully correlated, and p is the largest of the rows.

    Parameters
    ----------
    scored : sequence of Scored
        At least one.
    weights : array, shape (n_means, n_scored)
        Each row sums to one.
    """
    w = np.asarray(weights, dtype=np.float64)
    rows = [item.row for item in scored]
    counted = [np.flatnonzero(of_mean) for of_mean in w]
    levels = [min(rows[i].level for i in members) for members in counted]
    estimates, pooled = pool([item.cell for item in scored], w, levels)
    numbers = np.array([[getattr(row, name) for name in _AVERAGED] for row in rows], dtype=np.float64)  # None is NaN
    scores = []
    for m, members in enumerate(counted):
        if len(members) == 1:
            scores.append(_single(rows[members[0]]))
            continue
        means = w[m, members] @ numbers[members]
        scores.append(_several([rows[i] for i in members], estimates[m], levels[m], means))
    return list(zip(scores, pooled, strict=True))


def _several(rows: Sequence[Row], estimate: Estimate, level: float, means: npt.NDArray[np.float64]) -> Score:
    chance, mean_ceiling, null_mean, null_sd = (None if np.isnan(mean) else float(mean) for mean in means)
    kind, reason = _ceiling(rows)
    ceiling = None if reason is not None else mean_ceiling
    p_values = [row.p for row in rows if row.p is not None]
    counts = [row.n_neuroids for row in rows if row.n_neuroids is not None]
    return Score(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        se=estimate.se,
        level=level,
        chance=chance,
        ceiling=ceiling,
        ceiling_kind=kind,
        ceiling_reason=reason,
        normalised=_over(estimate.value, ceiling),
        normalised_low=_over(estimate.low, ceiling),
        normalised_high=_over(estimate.high, ceiling),
        z=(estimate.value - null_mean) / null_sd if null_mean is not None and null_sd else None,
        p=max(p_values) if len(p_values) == len(rows) else None,
        n_subjects=len({row.subject for row in rows}),
        n_stimuli=_span([row.n_stimuli for row in rows]),
        n_neuroids=sum(counts) if len(counts) == len(rows) else None,
    )


def _single(row: Row) -> Score:
    return Score(
        value=row.value,
        low=row.low,
        high=row.high,
        se=row.se,
        level=row.level,
        chance=row.chance,
        ceiling=row.ceiling,
        ceiling_kind=row.ceiling_kind,
        ceiling_reason=row.ceiling_reason,
        normalised=row.normalised,
        normalised_low=row.normalised_low,
        normalised_high=row.normalised_high,
        z=row.z,
        p=row.p,
        n_subjects=1,
        n_stimuli=str(row.n_stimuli),
        n_neuroids=row.n_neuroids,
    )


def _ceiling(rows: Sequence[Row]) -> tuple[str | None, str | None]:
    """Kind of the mean ceiling, or why there is none."""
    kinds = sorted({row.ceiling_kind for row in rows if row.ceiling_kind is not None})
    lacking = [row for row in rows if row.ceiling is None]
    if len(lacking) == len(rows):
        return None, lacking[0].ceiling_reason or "no ceiling"
    if lacking:
        reason = f"{len(lacking)} of {len(rows)} parts have no ceiling"
        return None, f"{reason} ({lacking[0].subject}: {lacking[0].ceiling_reason})"
    if len(kinds) > 1:
        return None, f"ceilings of different kinds ({', '.join(kinds)}) have no mean"
    return kinds[0] if kinds else None, None


def _over(value: float | None, ceiling: float | None) -> float | None:
    return None if value is None or ceiling is None or not ceiling > 0 else value / ceiling


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"

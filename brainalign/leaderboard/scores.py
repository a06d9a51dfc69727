"""One displayed cell: rows of a result, with their leave-block-out values, pooled over subjects and regions."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.errors import ResultError, ResultFormatError
from brainalign.leaderboard.collect import SELECTED, Entry
from brainalign.leaderboard.pool import Blocks, Cell, combine
from brainalign.results import Row

__all__ = ["Score", "Scored", "missing", "pool_scores", "read_scored"]


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


def read_scored(entry: Entry) -> dict[tuple[str, str], Scored]:
    """Read the ``selected`` rows of a result that have a value, by (roi, subject)."""
    rows = [row for row in entry.selected if row.value is not None]
    blocks = _read_blocks(entry) if rows else {}
    return {(row.roi, row.subject): Scored(row, blocks.get((row.roi, row.subject))) for row in rows}


def _read_blocks(entry: Entry) -> dict[tuple[str, str], Blocks]:
    if entry.result.files is None:
        raise ResultFormatError(f"{entry.path} names no table of blocks; score the model again.")
    file = entry.result.files.blocks
    path = entry.path.parent / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ResultError(f"the table of blocks {path} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ResultFormatError(f"{path} does not match the hash in {entry.path.name}; score the model again.")
    columns = ["subject", "roi", "layer", "block", "n_left_out", "value"]
    everything = pd.read_parquet(io.BytesIO(content), columns=columns)
    # sorted and cut once: a group at a time costs seconds where there are many cells
    table = everything[everything["layer"] == SELECTED].sort_values(["roi", "subject", "block"])
    rois, subjects = (table[name].to_numpy(dtype=object) for name in ("roi", "subject"))
    ids = table["block"].to_numpy(dtype=np.int64)
    sizes, values = (table[name].to_numpy(dtype=np.float64) for name in ("n_left_out", "value"))
    changes = np.flatnonzero((rois[1:] != rois[:-1]) | (subjects[1:] != subjects[:-1])) + 1
    found: dict[tuple[str, str], Blocks] = {}
    for start, end in pairwise([0, *changes.tolist(), len(table)]):
        part = slice(start, end)
        if end - start > 1 and np.isfinite(values[part]).all():
            # the blocks partition the stimuli, so their sizes add up to all of them
            found[str(rois[start]), str(subjects[start])] = Blocks(
                ids[part], sizes[part], values[part], int(sizes[part].sum())
            )
    return found


def pool_scores(scored: Sequence[Scored], weights: npt.ArrayLike | None = None) -> Score:
    """Pool rows of several subjects, or of several subjects and regions, into one cell.

    The normalised value is the mean divided by the mean ceiling, never a mean of ratios: one unreliable region would
    govern that. Its interval takes the mean ceiling as known. z and p of several rows are bounds on the safe side: the
    rows' nulls are taken as fully correlated, and p is the largest of the rows.
    """
    if len(scored) == 1:
        return _single(scored[0])
    rows = [item.row for item in scored]
    w = np.full(len(rows), 1 / len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    level = min(row.level for row in rows)
    estimate = combine([item.cell for item in scored], w, level=level)
    ceiling, kind, reason = _ceiling(rows, w)
    null_mean, null_sd = _mean([r.null_mean for r in rows], w), _mean([r.null_sd for r in rows], w)
    p_values = [row.p for row in rows if row.p is not None]
    z = (estimate.value - null_mean) / null_sd if null_mean is not None and null_sd else None
    return Score(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        se=estimate.se,
        level=level,
        chance=_mean([row.chance for row in rows], w),
        ceiling=ceiling,
        ceiling_kind=kind,
        ceiling_reason=reason,
        normalised=_over(estimate.value, ceiling),
        normalised_low=_over(estimate.low, ceiling),
        normalised_high=_over(estimate.high, ceiling),
        z=z,
        p=max(p_values) if len(p_values) == len(rows) else None,
        n_subjects=len({row.subject for row in rows}),
        n_stimuli=_span([row.n_stimuli for row in rows]),
        n_neuroids=_total([row.n_neuroids for row in rows]),
    )


def _single(scored: Scored) -> Score:
    row = scored.row
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


def _ceiling(rows: Sequence[Row], w: npt.NDArray[np.float64]) -> tuple[float | None, str | None, str | None]:
    kinds = sorted({row.ceiling_kind for row in rows if row.ceiling_kind is not None})
    lacking = [row for row in rows if row.ceiling is None]
    if len(lacking) == len(rows):
        return None, None, lacking[0].ceiling_reason
    if lacking:
        reason = f"{len(lacking)} of {len(rows)} parts have no ceiling"
        return None, None, f"{reason} ({lacking[0].subject}: {lacking[0].ceiling_reason})"
    if len(kinds) > 1:
        return None, None, f"ceilings of different kinds ({', '.join(kinds)}) have no mean"
    return _mean([row.ceiling for row in rows], w), kinds[0] if kinds else None, None


def _mean(values: Sequence[float | None], w: npt.NDArray[np.float64]) -> float | None:
    known = [value for value in values if value is not None]
    return float(w @ np.array(known)) if len(known) == len(values) else None


def _over(value: float | None, ceiling: float | None) -> float | None:
    return None if value is None or ceiling is None or not ceiling > 0 else value / ceiling


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low}–{high}"

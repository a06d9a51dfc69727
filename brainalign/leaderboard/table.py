"""Sections -> tables: a line for each model, its cells, its aggregate and its rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from brainalign.leaderboard.collect import Entry, MetricKey, Model, Section
from brainalign.leaderboard.pool import Cell
from brainalign.leaderboard.rank import Standing, compare_pairs, standings
from brainalign.leaderboard.scores import Score, Scored, missing, pool_scores, read_scored

__all__ = ["Column", "Line", "Table", "make_table"]

ALPHA = 0.05


@dataclass(frozen=True)
class Column:
    """One metric in one region; ``subjects`` are those for which at least one model has a score."""

    metric: MetricKey
    roi: str
    direction: str
    subjects: tuple[str, ...]

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger score is a better one."""
        return not self.direction.startswith("lower")


@dataclass
class Line:
    """One model: its aggregate, one score a column, its standing, or why it is not ranked."""

    model: Model
    cells: list[Score]
    aggregate: Score
    parts: list[Cell] = field(default_factory=list)
    standing: Standing | None = None
    unranked: str | None = None

    @property
    def coverage(self) -> tuple[int, int]:
        """Number of columns with a score, and number of columns."""
        return sum(cell.value is not None for cell in self.cells), len(self.cells)


@dataclass
class Table:
    """A section with its columns and lines, ranked models first."""

    section: Section
    primary: MetricKey | None
    columns: list[Column]
    lines: list[Line]

    @property
    def n_ranked(self) -> int:
        """Number of models with a rank."""
        return sum(line.standing is not None for line in self.lines)

    @property
    def higher_is_better(self) -> bool:
        """Direction of the aggregate."""
        return all(c.higher_is_better for c in self.columns if c.metric == self.primary)


def make_table(section: Section) -> Table:
    """Build the table of one section.

    The aggregate is the mean of the primary metric over regions of the means over subjects. A model that lacks a
    score of any column, of any metric, for any subject that others have, is incomplete and gets no rank; a model that
    lacks a part of the aggregate gets no aggregate either.
    """
    scored = {name: _read(model) for name, model in section.models.items()}
    primary = _primary(section)
    columns = _columns(section, scored.values(), primary)
    lines = [_line(model, scored[name], columns, primary) for name, model in section.models.items()]
    table = Table(section, primary, columns, lines)
    _rank(table)
    sign = -1.0 if table.higher_is_better else 1.0
    table.lines.sort(key=lambda line: _order(line, sign))
    return table


Scores = dict[MetricKey, dict[tuple[str, str], Scored]]


def _read(model: Model) -> Scores:
    return {key: read_scored(entry) for key, entry in model.entries.items()}


def _primary(section: Section) -> MetricKey | None:
    """The newest version of the benchmark's primary metric among the results."""
    name = section.aggregation.get("primary")
    versions = [key for model in section.models.values() for key in model.entries if key[0] == name]
    return max(versions, default=None)


def _columns(section: Section, scored: Iterable[Scores], primary: MetricKey | None) -> list[Column]:
    subjects: dict[tuple[MetricKey, str], dict[str, None]] = {}
    direction: dict[tuple[MetricKey, str], str] = {}
    for entry in section.entries:  # also columns that nobody has a value in, so that the reason is shown
        key = (entry.result.metric.id, entry.result.metric.version)
        for row in entry.selected:
            subjects.setdefault((key, row.roi), {})
            direction.setdefault((key, row.roi), row.direction or "")
    for scores in scored:
        for metric, cells in scores.items():
            for roi, subject in cells:
                subjects[metric, roi][subject] = None
    order = {metric: i for i, metric in enumerate(sorted({m for m, _ in subjects}, key=lambda m: (m != primary, m)))}
    keys = sorted(subjects, key=lambda key: order[key[0]])
    return [Column(m, roi, direction[m, roi], tuple(sorted(subjects[m, roi]))) for m, roi in keys]


def _line(model: Model, scores: Scores, columns: Sequence[Column], primary: MetricKey | None) -> Line:
    cells = [_cell(model, scores, column) for column in columns]
    unranked = _why_unranked(columns, cells)
    parts = [(column, cell) for column, cell in zip(columns, cells, strict=True) if column.metric == primary]
    counted = [column for column, _ in parts if column.subjects]
    if not counted:
        reason = "no score of the primary metric"
        return Line(model, cells, missing(reason), unranked=reason)
    lacking = [column.roi for column, cell in parts if column.subjects and cell.value is None]
    if lacking:
        return Line(model, cells, missing(f"no score in {', '.join(lacking)}"), unranked=unranked)
    items = [scores[column.metric][column.roi, subject] for column in counted for subject in column.subjects]
    aggregate = pool_scores(items, _weights(counted))
    return Line(model, cells, aggregate, parts=[item.cell for item in items], unranked=unranked)


def _weights(columns: Sequence[Column]) -> list[float]:
    """Every region counts the same, and within a region every subject."""
    return [1 / (len(columns) * len(column.subjects)) for column in columns for _ in column.subjects]


def _cell(model: Model, scores: Scores, column: Column) -> Score:
    entry = model.entries.get(column.metric)
    if entry is None:
        return missing("not scored")
    found = scores[column.metric]
    lacking = [subject for subject in column.subjects if (column.roi, subject) not in found]
    if lacking or not column.subjects:
        return missing(_why_missing(entry, column, lacking))
    return pool_scores([found[column.roi, subject] for subject in column.subjects])


def _why_missing(entry: Entry, column: Column, lacking: Sequence[str]) -> str:
    rows = {row.subject: row for row in entry.selected if row.roi == column.roi and row.value is None}
    reasons = {subject: (rows[subject].reason or "undefined") for subject in rows if subject in lacking or not lacking}
    reasons |= {subject: "not scored" for subject in lacking if subject not in rows}
    if not reasons:
        return "not scored"
    subject, reason = next(iter(reasons.items()))
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{subject}: {reason}{more}"


def _why_unranked(columns: Sequence[Column], cells: Sequence[Score]) -> str | None:
    lacking = [c for c, cell in zip(columns, cells, strict=True) if c.subjects and cell.value is None]
    if not lacking:
        return None
    first = f"{lacking[0].metric[0]} in {lacking[0].roi}"
    return f"incomplete: no {first}" + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else "")


def _rank(table: Table) -> None:
    ranked = [line for line in table.lines if line.unranked is None]
    if not ranked:
        return
    weights = _weights([c for c in table.columns if c.metric == table.primary and c.subjects])
    comparisons = compare_pairs([line.parts for line in ranked], weights)
    scores = np.array([line.aggregate.value for line in ranked], dtype=np.float64)
    found = standings(scores, comparisons, higher_is_better=table.higher_is_better, alpha=ALPHA)
    for line, standing in zip(ranked, found, strict=True):
        line.standing = standing


def _order(line: Line, sign: float) -> tuple[bool, int, bool, float, str, str]:
    value = line.aggregate.value
    rank = line.standing.rank if line.standing else 0
    name = line.model.name, line.model.revision
    return (line.standing is None, rank, value is None, sign * (value or 0.0), *name)

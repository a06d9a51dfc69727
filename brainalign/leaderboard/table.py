"""Sections -> tables: a line for each model, its cells, its aggregate and its rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from brainalign.leaderboard.collect import MetricKey, Model, Section
from brainalign.leaderboard.pool import Pooled
from brainalign.leaderboard.rank import Standing, compare_pairs, standings
from brainalign.leaderboard.reading import Region
from brainalign.leaderboard.scores import Score, missing

__all__ = ["Column", "Line", "Table", "make_table"]

ALPHA = 0.05
NO_PRIMARY = "no score of the primary metric"


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
    """One model: its aggregate, one score a column, one mean a metric, its standing, or why it is not ranked."""

    model: Model
    cells: list[Score]
    aggregate: Score
    means: dict[MetricKey, tuple[Score, Pooled]] = field(default_factory=dict)
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
    primary = _primary(section)
    columns = _columns(section, primary)
    lines = [_line(model, columns, primary) for model in section.models.values()]
    table = Table(section, primary, columns, lines)
    _rank(table)
    sign = -1.0 if table.higher_is_better else 1.0
    table.lines.sort(key=lambda line: _order(line, sign))
    return table


def _primary(section: Section) -> MetricKey | None:
    """The newest version of the benchmark's primary metric among the results."""
    name = section.aggregation.get("primary")
    versions = [key for model in section.models.values() for key in model.entries if key[0] == name]
    return max(versions, default=None)


def _columns(section: Section, primary: MetricKey | None) -> list[Column]:
    subjects: dict[tuple[MetricKey, str], dict[str, None]] = {}
    direction: dict[tuple[MetricKey, str], str] = {}
    for model in section.models.values():  # also columns that nobody has a value in, so that the reason is shown
        for metric, entry in model.entries.items():
            for roi, region in entry.regions.items():
                subjects.setdefault((metric, roi), {}).update(dict.fromkeys(region.subjects))
                direction.setdefault((metric, roi), region.direction)
    order = {metric: i for i, metric in enumerate(sorted({m for m, _ in subjects}, key=lambda m: (m != primary, m)))}
    keys = sorted(subjects, key=lambda key: order[key[0]])
    return [Column(m, roi, direction[m, roi], tuple(sorted(subjects[m, roi]))) for m, roi in keys]


def _line(model: Model, columns: Sequence[Column], primary: MetricKey | None) -> Line:
    cells = [_cell(model, column) for column in columns]
    by_metric: dict[MetricKey, list[tuple[Column, Score]]] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column.subjects:
            by_metric.setdefault(column.metric, []).append((column, cell))
    means = {m: whole for m, parts in by_metric.items() if (whole := _whole(model, m, [c for _, c in parts]))}
    line = Line(model, cells, missing(""), means, unranked=_why_unranked(columns, cells))
    if primary not in by_metric:
        line.aggregate, line.unranked = missing(NO_PRIMARY), NO_PRIMARY
    elif primary in means:
        line.aggregate = means[primary][0]
    else:
        lacking = [column.roi for column, cell in by_metric[primary] if cell.value is None]
        line.aggregate = missing(f"no score in {', '.join(lacking)}")
    return line


def _whole(model: Model, metric: MetricKey, cells: Sequence[Score]) -> tuple[Score, Pooled] | None:
    """The mean over all regions of a metric: never over fewer cells than others have."""
    entry = model.entries.get(metric)
    return None if entry is None or any(cell.value is None for cell in cells) else entry.whole


def _cell(model: Model, column: Column) -> Score:
    entry = model.entries.get(column.metric)
    region = None if entry is None else entry.regions.get(column.roi)
    if region is None:
        return missing("not scored")
    if region.score is not None and region.subjects == column.subjects:
        return region.score
    return missing(_why_missing(region, column))


def _why_missing(region: Region, column: Column) -> str:
    lacking = [subject for subject in column.subjects if subject not in region.subjects]
    reasons = {s: reason for s, reason in region.lacking.items() if s in lacking or not lacking}
    reasons |= {subject: "not scored" for subject in lacking if subject not in region.lacking}
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
    assert table.primary is not None
    comparisons = compare_pairs([line.means[table.primary][1] for line in ranked])
    scores = np.array([line.aggregate.value for line in ranked], dtype=np.float64)
    found = standings(scores, comparisons, higher_is_better=table.higher_is_better, alpha=ALPHA)
    for line, standing in zip(ranked, found, strict=True):
        line.standing = standing


def _order(line: Line, sign: float) -> tuple[bool, int, bool, float, str, str]:
    value = line.aggregate.value
    rank = line.standing.rank if line.standing else 0
    name = line.model.name, line.model.revision
    return (line.standing is None, rank, value is None, sign * (value or 0.0), *name)

"""Two folders of results against each other: which scores and ranks changed, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.leaderboard.collect import MetricKey, Model, collect
from brainalign.leaderboard.reading import Entry
from brainalign.leaderboard.table import Line, Table, make_table
from brainalign.results.identity import differences

__all__ = ["COLUMNS", "diff_leaderboards"]

COLUMNS = (
    *("benchmark", "model", "metric", "change", "old", "new", "old_rank", "new_rank", "reasons"),
    *("old_cell", "new_cell", "simulated", "uncommitted_code"),
)
# the first part of a field's name in a result's identity -> what changed
_CAUSES = (
    ("embedding.revision", "model revision"),
    ("embedding", "activations"),
    ("benchmark.data", "data"),
    ("benchmark.version", "benchmark version"),
    ("benchmark", "benchmark definition"),
    ("metric.version", "metric version"),
    ("metric", "metric parameters"),
    ("protocol", "protocol"),
)


@dataclass(frozen=True)
class _Cell:
    table: Table
    line: Line
    metric: MetricKey
    entry: Entry

    @property
    def model(self) -> Model:
        return self.line.model

    @property
    def place(self) -> tuple[str, str, str]:
        """What stays the same between versions."""
        return self.table.section.benchmark, self.model.name, self.metric[0]

    @property
    def exact(self) -> tuple[int, str, int]:
        return self.table.section.version, self.model.revision, self.metric[1]

    @property
    def name(self) -> str:
        version, revision, metric = self.exact
        return f"{self.place[0]}.v{version} {self.model.name}@{revision} {self.metric[0]}.v{metric}"

    @property
    def value(self) -> float | None:
        """The mean over regions, as the leaderboard has it."""
        mean = self.line.means.get(self.metric)
        return None if mean is None else mean[0].value

    @property
    def rank(self) -> int | None:
        standing = self.line.standing if self.metric == self.table.primary else None
        return None if standing is None else standing.rank


def diff_leaderboards(old: str | os.PathLike[str], new: str | os.PathLike[str]) -> pd.DataFrame:
    """Compare the leaderboards that two folders of results make.

    Parameters
    ----------
    old, new : path
        Folders of result files.

    Returns
    -------
    DataFrame
        One row for each benchmark, model and metric. ``change``: added, removed, score, rank alone, provenance alone,
        or none. ``old`` and ``new`` are means over regions and subjects; ranks stand at the primary metric.
        ``reasons`` names what differs: model revision, activations, data, benchmark version or definition, metric
        version or parameters, protocol, code, packages; a rank alone may change because of other models.

    Raises
    ------
    ResultError, ResultFormatError
        As `build_leaderboard`.

    Notes
    -----
    Results of other versions or revisions are paired where each side has one that is left; else they count as added
    and removed. Cost: that of two leaderboards.
    """
    rows = [_row(*pair) for pair in _pairs(_cells(Path(old)), _cells(Path(new)))]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame = frame.astype(dict.fromkeys(("old", "new"), "Float64") | dict.fromkeys(("old_rank", "new_rank"), "Int64"))
    return frame.sort_values(["benchmark", "model", "metric", "change"], kind="stable", ignore_index=True)


def _cells(root: Path) -> list[_Cell]:
    tables = [make_table(section) for section in collect(root)]
    return [
        _Cell(table, line, metric, entry)
        for table in tables
        for line in table.lines
        for metric, entry in line.model.entries.items()
    ]


def _pairs(old: list[_Cell], new: list[_Cell]) -> Iterator[tuple[_Cell | None, _Cell | None]]:
    for place in dict.fromkeys(cell.place for cell in (*old, *new)):
        before, after = ([cell for cell in side if cell.place == place] for side in (old, new))
        for one in list(before):
            same = next((cell for cell in after if cell.exact == one.exact), None)
            if same is not None:
                before.remove(one)
                after.remove(same)
                yield one, same
        if len(before) == len(after) == 1:
            yield before[0], after[0]
            continue
        yield from ((cell, None) for cell in before)
        yield from ((None, cell) for cell in after)


def _row(old: _Cell | None, new: _Cell | None) -> dict[str, Any]:
    cell = new or old
    assert cell is not None
    reasons = _reasons(old.entry, new.entry) if old and new else []
    return {
        "benchmark": cell.place[0],
        "model": cell.place[1],
        "metric": cell.place[2],
        "change": _change(old, new, reasons),
        "old": old.value if old else None,
        "new": new.value if new else None,
        "old_rank": old.rank if old else None,
        "new_rank": new.rank if new else None,
        "reasons": reasons,
        "old_cell": old.name if old else None,
        "new_cell": new.name if new else None,
        "simulated": cell.entry.result.simulated,
        "uncommitted_code": any(side.entry.uncommitted for side in (old, new) if side),
    }


def _change(old: _Cell | None, new: _Cell | None, reasons: list[str]) -> str:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if old.value != new.value:
        return "score"
    if old.rank != new.rank:
        return "rank alone"
    return "provenance alone" if reasons else "none"


def _reasons(old: Entry, new: Entry) -> list[str]:
    found = [
        next((cause for prefix, cause in _CAUSES if field.startswith(prefix)), field)
        for field in (text.split(":", 1)[0] for text in differences(old.result, new.result))
    ]
    before, after = old.result.provenance, new.result.provenance
    if any(before.get(name) != after.get(name) for name in ("git", "wheel", "brainalign")):
        found.append("code")
    if before.get("packages") != after.get("packages"):
        found.append("packages")
    return list(dict.fromkeys(found))

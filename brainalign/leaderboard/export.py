"""The table as data: one line for each model and column, the aggregate included."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from brainalign.leaderboard.collect import MetricKey
from brainalign.leaderboard.scores import Score
from brainalign.leaderboard.table import Line, Table

__all__ = ["AGGREGATE", "FIELDS", "SCHEMA", "numbers_of", "text_or_none", "tidy", "to_json", "whole_or_none"]

SCHEMA = "brainalign.leaderboard/1"
AGGREGATE = "(aggregate)"

FIELDS: dict[str, str] = {
    "benchmark": "string",
    "benchmark_version": "Int64",
    "section": "Int64",
    "model": "string",
    "revision": "string",
    "family": "string",
    "n_parameters": "Int64",
    "metric": "string",
    "metric_version": "Int64",
    "roi": "string",
    "value": "Float64",
    "low": "Float64",
    "high": "Float64",
    "se": "Float64",
    "level": "Float64",
    "chance": "Float64",
    "direction": "string",
    "ceiling": "Float64",
    "ceiling_kind": "string",
    "ceiling_reason": "string",
    "normalised": "Float64",
    "normalised_low": "Float64",
    "normalised_high": "Float64",
    "z": "Float64",
    "p": "Float64",
    "n_subjects": "Int64",
    "n_stimuli": "string",
    "n_neuroids": "Int64",
    "reason": "string",
    "rank": "Int64",
    "rank_low": "Int64",
    "rank_high": "Int64",
    "highest": "boolean",
    "not_distinguishable_from_best": "boolean",
    "difference_to_best": "Float64",
    "p_to_best": "Float64",
    "cells": "Int64",
    "cells_expected": "Int64",
    "unranked_reason": "string",
    "simulated": "boolean",
    "uncommitted_code": "boolean",
}


def tidy(tables: Sequence[Table]) -> pd.DataFrame:
    """Return the leaderboard as one tidy table.

    One line for each benchmark, model and column; the aggregate is the column with roi ``(aggregate)``. ``section``
    counts the sections of the page from 0: results on other data are another section of the same benchmark.
    Missing values are null, with ``reason``.
    """
    rows = [row for number, table in enumerate(tables) for row in _rows(number, table)]
    frame = pd.DataFrame(rows, columns=list(FIELDS))
    return frame.astype(FIELDS)


def to_json(frame: pd.DataFrame, title: str) -> str:
    """Return the tidy table as JSON with full precision."""
    records = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    front = json.dumps({"schema": SCHEMA, "title": title, "fields": list(FIELDS)}, ensure_ascii=False)
    # one row a line: readable, and a sixth of the time of indented JSON
    rows = ",\n".join(json.dumps(record, ensure_ascii=False, allow_nan=False) for record in records)
    return f'{front[:-1]}, "rows": [\n{rows}\n]}}\n'


def _rows(number: int, table: Table) -> Iterator[dict[str, Any]]:
    directions = {column.metric: column.direction for column in table.columns}
    for line in table.lines:
        shared = _shared(number, table, line)
        if table.primary is not None:
            direction = directions.get(table.primary)
            yield shared | _score(table.primary, AGGREGATE, direction, line.aggregate)
        for column, cell in zip(table.columns, line.cells, strict=True):
            yield shared | _score(column.metric, column.roi, column.direction, cell)


def _score(metric: MetricKey, roi: str, direction: str | None, score: Score) -> dict[str, Any]:
    fields = {name: value for name, value in vars(score).items() if name in FIELDS}
    return {"metric": metric[0], "metric_version": metric[1], "roi": roi, "direction": direction, **fields}


def _shared(number: int, table: Table, line: Line) -> dict[str, Any]:
    model, standing = line.model, line.standing
    return {
        "benchmark": table.section.benchmark,
        "benchmark_version": table.section.version,
        "section": number,
        "model": model.name,
        "revision": model.revision,
        "family": text_or_none(model.attributes.get("family")),
        "n_parameters": whole_or_none(model.attributes.get("n_parameters")),
        "rank": standing.rank if standing else None,
        "rank_low": standing.rank_low if standing else None,
        "rank_high": standing.rank_high if standing else None,
        "highest": standing.is_best if standing else None,
        "not_distinguishable_from_best": standing.indistinguishable_from_best if standing else None,
        "difference_to_best": standing.difference_to_best if standing else None,
        "p_to_best": standing.p_to_best if standing else None,
        "cells": line.coverage[0],
        "cells_expected": line.coverage[1],
        "unranked_reason": line.unranked,
        "simulated": model.simulated,
        "uncommitted_code": model.uncommitted,
    }


def text_or_none(value: Any) -> str | None:
    """A declared attribute as text; declared attributes may hold anything."""
    return None if value is None else str(value)


def whole_or_none(value: Any) -> int | None:
    """A declared count as int, None where it is none."""
    whole = isinstance(value, int | float) and math.isfinite(value) and value == int(value)
    return int(value) if whole else None


def numbers_of(attributes: Mapping[str, Any]) -> dict[str, float]:
    """Declared attributes that are finite numbers: what a score may be drawn against."""
    return {
        name: value
        for name, value in attributes.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }

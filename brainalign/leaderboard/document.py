"""Tables -> what the script of the page draws: columns of numbers, each as short as it can be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from brainalign.leaderboard.curves import Properties, geometry_of, last_layer
from brainalign.leaderboard.detail import Pool, chosen_layers, heat_maps, metric_label, provenance, short
from brainalign.leaderboard.export import numbers_of, text_or_none, whole_or_none
from brainalign.leaderboard.paired import paired_values
from brainalign.leaderboard.pool import Pooled
from brainalign.leaderboard.scores import Score, missing
from brainalign.leaderboard.surfaces import Maps, surfaces
from brainalign.leaderboard.table import Column, Line, Table

__all__ = ["count", "document", "section_name"]

# characters of leave-block-out values on a page: with more columns the later ones cannot be tested there
PAIRED_LIMIT = 4_000_000
# characters of curves over scales on a page: models that come later show their table of properties alone
GEOMETRY_LIMIT = 2_000_000
_SHOWN = tuple(name for name in Score.__dataclass_fields__ if name != "se")


def document(tables: Sequence[Table], title: str, properties: Properties, maps: Maps) -> dict[str, Any]:
    """Return the content of the page as plain JSON.

    ``cells`` of a column hold, for each field of a score, one value that all models share or a list of one a model;
    what is absent is null, and a normalised value that is absent is the value over its ceiling. ``pool`` holds values
    that many places share. ``geometry`` holds the properties of a model, by ``model@revision``; curves over scales are
    left out once they have `GEOMETRY_LIMIT` characters together. ``surfaces`` is as of `surfaces`, null without maps.
    """
    pool = Pool()
    budget = [PAIRED_LIMIT]
    names = [section_name(table) for table in tables]
    keys = [name if names[:i].count(name) == 0 else f"{name}~{names[:i].count(name)}" for i, name in enumerate(names)]
    sections = [_section(table, key, pool, budget, properties) for table, key in zip(tables, keys, strict=True)]
    geometry = _geometry(tables, properties, pool)
    drawn = surfaces(tables, keys, maps)
    return {"title": title, "sections": sections, "geometry": geometry, "surfaces": drawn, "pool": pool.values}


def _geometry(tables: Sequence[Table], properties: Properties, pool: Pool) -> dict[str, Any]:
    left, found = GEOMETRY_LIMIT, {}
    for name in dict.fromkeys((line.model.name, line.model.revision) for table in tables for line in table.lines):
        sets = geometry_of(properties.get(name, []), pool)
        for one in sets:
            left -= len(json.dumps(one["curves"])) if left > 0 else 0
            one["curves"] = one["curves"] if left > 0 else []
        if sets:
            found["@".join(name)] = sets
    return found


def section_name(table: Table) -> str:
    """Return ``benchmark.vN``."""
    return f"{table.section.benchmark}.v{table.section.version}"


def count(n: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _section(table: Table, key: str, pool: Pool, budget: list[int], properties: Properties) -> dict[str, Any]:
    primary = [column for column in table.columns if column.metric == table.primary]
    aggregate = [line.aggregate for line in table.lines]
    metrics = list(dict.fromkeys(column.metric for column in table.columns))
    means = [[line.means.get(metric) for line in table.lines] for metric in metrics]
    regions = [[_region(line, column) for line in table.lines] for column in table.columns]
    of_primary = dict(zip(metrics, means, strict=True)).get(table.primary) if table.primary else None
    return {
        "key": key,
        "title": section_name(table),
        "meta": _meta(table),
        "simulated": table.section.simulated,
        "uncommitted": any(line.model.uncommitted for line in table.lines),
        "primary": metric_label(table.primary) if table.primary else None,
        "higher": table.higher_is_better,
        "n_ranked": table.n_ranked,
        "aggregate": {"direction": ", ".join(sorted({c.direction for c in primary}))}
        | _column(aggregate, [None if m is None else m[1] for m in of_primary or ()], budget),
        "means": [
            {"metric": metric_label(metric)} | _column([m[0] if m else missing("") for m in of], _pooled(of), budget)
            for metric, of in zip(metrics, means, strict=True)
            if any(of)
        ],
        "columns": [
            {
                "metric": metric_label(column.metric),
                "roi": column.roi,
                "direction": column.direction,
                "higher": column.higher_is_better,
            }
            | _column([line.cells[i] for line in table.lines], regions[i], budget)
            for i, column in enumerate(table.columns)
        ],
        "lines": [_line(table, line, i, pool, properties) for i, line in enumerate(table.lines)],
    }


def _pooled(found: Sequence[tuple[Score, Pooled] | None]) -> list[Pooled | None]:
    return [None if item is None else item[1] for item in found]


def _region(line: Line, column: Column) -> Pooled | None:
    entry = line.model.entries.get(column.metric)
    region = None if entry is None else entry.regions.get(column.roi)
    return region.pooled if region is not None and region.subjects == column.subjects else None


def _column(cells: Sequence[Score], pooled: Sequence[Pooled | None], budget: list[int]) -> dict[str, Any]:
    """Cells of a column, its smallest and largest chance and ceiling, and values for paired tests while there is room.

    Chance and ceiling differ between models that saw other numbers of stimuli.
    """
    found: dict[str, Any] = {
        "chance": _extremes(cell.chance for cell in cells),
        "ceiling": _extremes(cell.ceiling for cell in cells),
        "cells": {name: values for name in _SHOWN if (values := _field(cells, name)) is not ...},
    }
    paired = paired_values(pooled) if pooled and budget[0] > 0 else None
    if paired is not None:
        size = sum(len(stratum["shares"]) for stratum in paired["strata"])
        if size <= budget[0]:
            budget[0] -= size
            found["paired"] = paired
    return found


def _field(cells: Sequence[Score], name: str) -> Any:
    """Return one value, a list, or ``...`` for what need not be said."""
    given = [getattr(cell, name) for cell in cells]
    above = {"normalised": "value", "normalised_low": "low", "normalised_high": "high"}.get(name)
    if above is not None:
        pairs = zip(given, ((getattr(cell, above), cell.ceiling) for cell in cells), strict=True)
        if all(_is_ratio(value, *parts) for value, parts in pairs):
            return ...
    values = [short(value) if isinstance(value, float) else value for value in given]
    if all(value == values[0] for value in values):
        return ... if values[0] is None and above is None else values[0]
    return values


def _is_ratio(value: float | None, above: float | None, ceiling: float | None) -> bool:
    if above is None or ceiling is None:
        return value is None
    return value is not None and ceiling != 0 and math.isclose(value, above / ceiling, rel_tol=1e-5)


def _extremes(values: Iterable[float | None]) -> list[float | None] | None:
    known = [value for value in values if value is not None]
    return [short(min(known)), short(max(known))] if known else None


def _line(table: Table, line: Line, at: int, pool: Pool, properties: Properties) -> dict[str, Any]:
    model, standing = line.model, line.standing
    measured = last_layer(properties.get((model.name, model.revision), []))
    return {
        "at": at,
        "model": model.name,
        "revision": model.revision,
        "family": text_or_none(model.attributes.get("family")),
        "n_parameters": whole_or_none(model.attributes.get("n_parameters")),
        "numbers": numbers_of(model.attributes) | {name: short(value) for name, value in measured.items()},
        "simulated": model.simulated,
        "uncommitted": model.uncommitted,
        "rank": [standing.rank, standing.rank_low, standing.rank_high] if standing else None,
        "highest": bool(standing and standing.is_best),
        "tied": bool(standing and standing.indistinguishable_from_best),
        "to_best": [short(standing.difference_to_best), short(standing.se_to_best), short(standing.p_to_best)]
        if standing
        else None,
        "unranked": line.unranked,
        "covered": line.coverage,
        "choice": [pool.put(chosen_layers(model, column)) for column in table.columns],
        "heat": heat_maps(model, table.columns, pool),
        "provenance": provenance(model, pool),
    }


def _meta(table: Table) -> str:
    section = table.section
    subjects = list(dict.fromkeys(subject for subject, _ in section.data))
    variants = sorted({variant for _, variant in section.data})
    rois = len({column.roi for column in table.columns})
    parts = [
        f"{count(len(subjects), 'subject')}",
        f"{count(rois, 'region')}",
        f"{count(len(table.lines), 'model')}, {table.n_ranked} ranked",
        f"data {', '.join(variants)}",
        f"benchmark {section.sha256[:12]}",
    ]
    if section.superseded:
        parts.append(f"{count(len(section.superseded), 'result')} of uncommitted code left out for committed ones")
    return " · ".join(parts)

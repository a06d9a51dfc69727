"""The table as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from brainalign import __version__
from brainalign.leaderboard.detail import Pool, chosen_layers, heat_maps, metric_label, provenance, short
from brainalign.leaderboard.export import text_or_none, whole_or_none
from brainalign.leaderboard.scores import Score
from brainalign.leaderboard.table import Column, Line, Table

__all__ = ["document", "render"]

CELL_FIELDS = tuple(Score.__dataclass_fields__)


def render(tables: Sequence[Table], title: str) -> str:
    """Return the page.

    Every text that comes from a result reaches the page as data: as JSON in which no ``<`` is left, which the script
    turns into text nodes, or escaped.
    """
    parts = {
        "title": escape(title),
        "version": escape(__version__),
        "lede": escape(_lede(tables)),
        "banner": _banner(tables),
        "static": "\n".join(_static(table) for table in tables),
        "data": embedded_json(document(tables, title)),
        "css": _asset("page.css"),
        "js": _asset("page.js"),
    }
    # one pass, so that nothing that was inserted is taken for a placeholder
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("page.html"))


def embedded_json(value: Any) -> str:
    """Return JSON that is safe inside a script element.

    >>> embedded_json("</script><!--")
    '"\\\\u003c/script\\\\u003e\\\\u003c!--"'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def document(tables: Sequence[Table], title: str) -> dict[str, Any]:
    """Return what the script of the page draws."""
    pool = Pool()
    sections = [_section(table, pool) for table in tables]
    return {"title": title, "fields": CELL_FIELDS, "sections": sections, "pool": pool.values}


def _asset(name: str) -> str:
    return files("brainalign.leaderboard").joinpath(name).read_text(encoding="utf-8")


def _section(table: Table, pool: Pool) -> dict[str, Any]:
    primary = [i for i, column in enumerate(table.columns) if column.metric == table.primary]
    directions = {table.columns[i].direction for i in primary}
    return {
        "title": _name(table),
        "meta": _meta(table),
        "simulated": table.section.simulated,
        "uncommitted": any(line.model.uncommitted for line in table.lines),
        "primary": metric_label(table.primary) if table.primary else None,
        "higher": table.higher_is_better,
        "n_ranked": table.n_ranked,
        "columns": [_head(column, [line.cells[i] for line in table.lines]) for i, column in enumerate(table.columns)],
        "aggregate": _bounds([line.aggregate for line in table.lines]) | {"direction": ", ".join(sorted(directions))},
        "lines": [_line(table, line, pool) for line in table.lines],
    }


def _head(column: Column, cells: Sequence[Score]) -> dict[str, Any]:
    return {
        "metric": metric_label(column.metric),
        "roi": column.roi,
        "direction": column.direction,
        "higher": column.higher_is_better,
        **_bounds(cells),
    }


def _bounds(cells: Sequence[Score]) -> dict[str, Any]:
    """Smallest and largest chance and ceiling of a column; they differ where models saw other numbers of stimuli."""
    return {
        "chance": _extremes(cell.chance for cell in cells),
        "ceiling": _extremes(cell.ceiling for cell in cells),
    }


def _extremes(values: Iterable[float | None]) -> list[float | None] | None:
    known = [value for value in values if value is not None]
    return [short(min(known)), short(max(known))] if known else None


def _line(table: Table, line: Line, pool: Pool) -> dict[str, Any]:
    model, standing = line.model, line.standing
    return {
        "model": model.name,
        "revision": model.revision,
        "family": text_or_none(model.attributes.get("family")),
        "n_parameters": whole_or_none(model.attributes.get("n_parameters")),
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
        "aggregate": _values(line.aggregate),
        "cells": [_values(cell) for cell in line.cells],
        "choice": [chosen_layers(model, column) for column in table.columns],
        "heat": heat_maps(model, table.columns),
        "provenance": provenance(model, pool),
    }


def _values(score: Score) -> list[Any]:
    values = (getattr(score, name) for name in CELL_FIELDS)
    return [short(value) if isinstance(value, float) else value for value in values]


def _name(table: Table) -> str:
    return f"{table.section.benchmark}.v{table.section.version}"


def _meta(table: Table) -> str:
    section = table.section
    subjects = list(dict.fromkeys(subject for subject, _ in section.data))
    variants = sorted({variant for _, variant in section.data})
    rois = len({column.roi for column in table.columns})
    parts = [
        f"{_count(len(subjects), 'subject')}",
        f"{_count(rois, 'region')}",
        f"{_count(len(table.lines), 'model')}, {table.n_ranked} ranked",
        f"data {', '.join(variants)}",
        f"benchmark {section.sha256[:12]}",
    ]
    if section.superseded:
        parts.append(f"{_count(len(section.superseded), 'result')} of uncommitted code left out for committed ones")
    return " · ".join(parts)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _lede(tables: Sequence[Table]) -> str:
    models = {(line.model.name, line.model.revision) for table in tables for line in table.lines}
    return f"{_count(len(models), 'model')} on {_count(len(tables), 'benchmark')}: {', '.join(map(_name, tables))}"


def _banner(tables: Sequence[Table]) -> str:
    simulated = [table for table in tables if table.section.simulated]
    if not simulated:
        return ""
    if len(simulated) == len(tables):
        text = "Every score on this page is against a simulated brain. Nothing here says anything about a real one."
    else:
        names = ", ".join(escape(_name(table)) for table in simulated)
        text = f"Scores on {names} are against a simulated brain and say nothing about a real one."
    return f'<p class="banner" role="note"><b>SIMULATED</b> data. {text}</p>'


def _static(table: Table) -> str:
    """Return ranks and aggregates as plain markup, for readers without JavaScript."""
    mark = " (SIMULATED)" if table.section.simulated else ""
    lines = "\n".join(_static_line(line) for line in table.lines)
    return (
        f"<table><caption>{escape(_name(table))}{mark}</caption>"
        "<thead><tr><th>Rank</th><th>Model</th><th>Aggregate</th><th>Interval</th></tr></thead>"
        f"<tbody>\n{lines}\n</tbody></table>"
    )


def _static_line(line: Line) -> str:
    score, standing = line.aggregate, line.standing
    rank = f"{standing.rank} ({standing.rank_low}–{standing.rank_high})" if standing else "not ranked"
    value = "—" if score.value is None else f"{score.value:.3f}"
    span = "" if score.low is None or score.high is None else f"{score.low:.3f} – {score.high:.3f}"
    mark = (" (SIMULATED)" if line.model.simulated else "") + (" (uncommitted code)" if line.model.uncommitted else "")
    name = escape(f"{line.model.name}@{line.model.revision}")
    return f"<tr><td>{rank}</td><td>{name}{mark}</td><td>{value}</td><td>{span}</td></tr>"

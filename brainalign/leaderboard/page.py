"""The table as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from brainalign import __version__
from brainalign.leaderboard.curves import Properties
from brainalign.leaderboard.document import count, document, section_name
from brainalign.leaderboard.surfaces import Maps
from brainalign.leaderboard.table import Line, Table
from brainalign.plots.surface_page import surface_script

__all__ = ["embedded_json", "render"]

# one script made of these, in this order
SCRIPTS = ("dom.js", "numbers.js", "drawings.js", "board.js", "views.js", "panels.js", "main.js")


def render(tables: Sequence[Table], title: str, properties: Properties | None = None, maps: Maps | None = None) -> str:
    """Return the page, with the properties of models where they were measured, and their maps where they were made.

    Every text that comes from a result reaches the page as data: as JSON in which no ``<`` is left, which the script
    turns into text nodes, or escaped.
    """
    parts = {
        "title": escape(title),
        "version": escape(__version__),
        "lede": escape(_lede(tables)),
        "banner": _banner(tables),
        "static": "\n".join(_static(table) for table in tables),
        "data": embedded_json(document(tables, title, properties or {}, maps or {})),
        "css": _asset("page.css"),
        "js": "\n".join([surface_script(), *(_asset(name) for name in SCRIPTS)]),
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


def _asset(name: str) -> str:
    return files("brainalign.leaderboard").joinpath("site", name).read_text(encoding="utf-8")


def _lede(tables: Sequence[Table]) -> str:
    models = {(line.model.name, line.model.revision) for table in tables for line in table.lines}
    return f"{count(len(models), 'model')} on {count(len(tables), 'benchmark')}: {', '.join(map(section_name, tables))}"


def _banner(tables: Sequence[Table]) -> str:
    simulated = [table for table in tables if table.section.simulated]
    if not simulated:
        return ""
    if len(simulated) == len(tables):
        text = "Every score on this page is against a simulated brain. Nothing here says anything about a real one."
    else:
        names = ", ".join(escape(section_name(table)) for table in simulated)
        text = f"Scores on {names} are against a simulated brain and say nothing about a real one."
    return f'<p class="banner" role="note"><b>SIMULATED</b> data. {text}</p>'


def _static(table: Table) -> str:
    """Return ranks and aggregates as plain markup, for readers without JavaScript."""
    mark = " (SIMULATED)" if table.section.simulated else ""
    lines = "\n".join(_static_line(line) for line in table.lines)
    return (
        f"<table><caption>{escape(section_name(table))}{mark}</caption>"
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

"""Small pictures for a README: where a model stands, or what a leaderboard holds."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from brainalign.leaderboard.document import count, section_name
from brainalign.leaderboard.table import Line, Table

__all__ = ["badges", "board_badge"]

_SIMULATED = "#b3440a"
_COMMITTED = "#0060a0"
_UNCOMMITTED = "#59626d"


def board_badge(tables: Sequence[Table]) -> str:
    """Return the badge of the whole leaderboard as SVG."""
    models = {(line.model.name, line.model.revision) for table in tables for line in table.lines}
    simulated = all(table.section.simulated for table in tables)
    text = f"{count(len(models), 'model')}, {count(len(tables), 'benchmark')}"
    return _svg("brainalign", _marked(text, simulated, False), _SIMULATED if simulated else _COMMITTED)


def badges(tables: Sequence[Table]) -> dict[str, str]:
    """Return the badge of every model in every section: file name -> SVG."""
    found: dict[str, str] = {}
    for table in tables:
        for line in table.lines:
            name = f"{section_name(table)}/{line.model.name}@{line.model.revision}"
            colour = _COMMITTED
            if line.model.simulated or line.model.uncommitted:
                colour = _SIMULATED if line.model.simulated else _UNCOMMITTED
            text = _marked(_standing(table, line), line.model.simulated, line.model.uncommitted)
            found.setdefault(f"{_file_name(name)}.svg", _svg(section_name(table), text, colour))
    return found


def _standing(table: Table, line: Line) -> str:
    if line.standing is None:
        return "not ranked"
    low, high = line.standing.rank_low, line.standing.rank_high
    open_ranks = f" ({low}–{high})" if high > low else ""
    return f"rank {line.standing.rank}{open_ranks} of {table.n_ranked}"


def _marked(text: str, simulated: bool, uncommitted: bool) -> str:
    return text + (" · SIMULATED" if simulated else "") + (" · uncommitted code" if uncommitted else "")


def _file_name(name: str, limit: int = 180) -> str:
    """Percent-quoted as the folders of results are, and short enough for a file system."""
    text = quote(name, safe="@").replace("%2F", "__", 1)
    return text if len(text) <= limit else f"{text[: limit - 13]}{text[-13:]}"


def _svg(left: str, right: str, colour: str) -> str:
    a, b = 6.6 * len(left) + 14, 6.6 * len(right) + 14
    label = escape(f"{left}: {right}", quote=True)
    text = (
        f'<text x="{a / 2:.1f}" y="14" textLength="{a - 14:.1f}">{escape(left)}</text>'
        f'<text x="{a + b / 2:.1f}" y="14" textLength="{b - 14:.1f}">{escape(right)}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{a + b:.1f}" height="20" role="img" aria-label="{label}">'
        f'<title>{label}</title><rect width="{a:.1f}" height="20" fill="#333a42"/>'
        f'<rect x="{a:.1f}" width="{b:.1f}" height="20" fill="{colour}"/>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{text}</g>'
        "</svg>\n"
    )

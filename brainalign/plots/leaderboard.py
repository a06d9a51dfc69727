"""The leaderboard as a figure: a panel for the aggregate and one for each region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from brainalign.errors import InputError
from brainalign.plots.style import GREY, MARK, PALETTE, new_figure, number, require, shown

__all__ = ["leaderboard_figure"]

_AGGREGATE = "(aggregate)"


def leaderboard_figure(table: pd.DataFrame, *, max_models: int = 40) -> Figure:
    """Draw the primary metric of a leaderboard: a dot for each model and region, with interval, ceiling and chance.

    Parameters
    ----------
    table : DataFrame
        The table of a leaderboard, as in its ``leaderboard.parquet``: one row of panels for each section, one panel
        for the aggregate and one for each region.
    max_models : int
        Models drawn in a section, best first; the figure says how many were left out.

    Returns
    -------
    matplotlib.figure.Figure
        Models in the order of their ranks. Dashed line: chance. Vertical tick: ceiling. Bar: interval. Results
        against a simulated brain are marked SIMULATED.

    Raises
    ------
    InputError
        If columns of a leaderboard table are absent, or no row has an aggregate.

    Notes
    -----
    Cost: one artist for each model and panel.
    """
    required = ["section", "benchmark", "benchmark_version", "model", "revision", "metric", "metric_version", "roi"]
    require(table, [*required, "value", "low", "high", "chance", "ceiling", "rank", "simulated"], "a leaderboard table")
    sections = [part for _, part in table.groupby("section", sort=True) if (part["roi"] == _AGGREGATE).any()]
    if not sections:
        raise InputError("no row of the table is an aggregate: nothing to draw.")
    drawn = [_primary_rows(part, max_models) for part in sections]
    heights = [max(3, len(models)) for _, models, _ in drawn]
    columns = max(len(panels) for _, _, panels in drawn)
    size = (2.4 + 1.75 * columns, 0.5 + sum(0.9 + 0.22 * h for h in heights))
    with new_figure(*size) as figure:
        parts = figure.subfigures(len(drawn), 1, squeeze=False, height_ratios=[0.9 + 0.22 * h for h in heights])
        colours = _family_colours(table)
        for part, (rows, models, panels) in zip(parts[:, 0], drawn, strict=True):
            _draw_section(part, rows, models, panels, columns, colours)
        _legend(figure, colours)
    return figure


Models = list[tuple[str, str]]


def _primary_rows(part: pd.DataFrame, max_models: int) -> tuple[pd.DataFrame, Models, list[str]]:
    """Rows of the primary metric, the models drawn, and the panels."""
    aggregate = part[part["roi"] == _AGGREGATE]
    first = aggregate.iloc[0]
    same = (part["metric"] == first["metric"]) & (part["metric_version"] == first["metric_version"])
    models = list(zip(aggregate["model"], aggregate["revision"], strict=True))[:max_models]
    return part[same], models, list(dict.fromkeys(part.loc[same, "roi"]))


def _draw_section(
    figure: SubFigure,
    rows: pd.DataFrame,
    models: Models,
    panels: Sequence[str],
    columns: int,
    colours: dict[str, str],
) -> None:
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for i, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
        _draw_panel(ax, rows[rows["roi"] == panel], models, colours)
        ax.set_title("aggregate" if panel == _AGGREGATE else shown(panel), weight="bold" if i == 0 else "normal")
        ax.set_yticks(range(len(models)), [_name(rows, *model) for model in models] if i == 0 else [""] * len(models))
        ax.set_ylim(len(models) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    first, total = rows.iloc[0], int((rows["roi"] == _AGGREGATE).sum())
    simulated = bool(rows["simulated"].any())
    title = f"{first['benchmark']}.v{first['benchmark_version']}: {first['metric']}.v{first['metric_version']}"
    title += f", best {len(models)} of {total} models" if total > len(models) else ""
    title += "  (SIMULATED data)" if simulated else ""
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, weight="bold", color=MARK if simulated else "black")


def _draw_panel(ax: Axes, rows: pd.DataFrame, models: Models, colours: dict[str, str]) -> None:
    by_model = {(row["model"], row["revision"]): row for _, row in rows.iterrows()}
    for y, model in enumerate(models):
        row = by_model.get(model)
        value = None if row is None else number(row["value"])
        if row is None or value is None:
            ax.annotate("missing", (0.02, y), xycoords=("axes fraction", "data"), fontsize=6.5, color=GREY, va="center")
            continue
        low, high = number(row["low"]), number(row["high"])
        colour = colours.get(_family(row), PALETTE[0])
        if low is not None and high is not None:
            ax.plot([low, high], [y, y], color=colour, linewidth=1.3, solid_capstyle="butt")
        ax.plot([value], [y], "o", color=colour, markersize=4)
        chance, ceiling = number(row["chance"]), number(row["ceiling"])
        if chance is not None:
            ax.plot([chance, chance], [y - 0.5, y + 0.5], color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
        if ceiling is not None:
            ax.plot([ceiling, ceiling], [y - 0.5, y + 0.5], color="black", linewidth=1.0, zorder=0)
    ax.locator_params(axis="x", nbins=4)


def _family(row: Any) -> str:
    family = row.get("family")
    return "" if family is None or pd.isna(family) else str(family)


def _family_colours(table: pd.DataFrame) -> dict[str, str]:
    """One colour a family, where there are few enough to tell apart."""
    if "family" not in table:
        return {}
    families = list(dict.fromkeys(str(f) for f in table["family"].dropna()))
    return dict(zip(families, PALETTE, strict=False)) if 1 < len(families) <= len(PALETTE) else {}


def _legend(figure: Figure, colours: dict[str, str]) -> None:
    handles = [
        Line2D([], [], color=c, marker="o", markersize=4, linewidth=1.3, label=shown(f)) for f, c in colours.items()
    ]
    handles.append(Line2D([], [], color=GREY, linewidth=0.8, linestyle=(0, (2, 2)), label="chance"))
    handles.append(Line2D([], [], color="black", linewidth=1.0, label="ceiling"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))


def _name(rows: pd.DataFrame, model: str, revision: str) -> str:
    own = rows[(rows["model"] == model) & (rows["revision"] == revision)]
    notes = [] if own["rank"].notna().any() else ["not ranked"]
    if "uncommitted_code" in own and bool(own["uncommitted_code"].any()):
        notes.append("uncommitted code")
    return f"{shown(model)}  {shown(revision)[:7]}" + (f"  ({', '.join(notes)})" if notes else "")

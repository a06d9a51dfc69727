"""Figures: each function draws one result and returns the matplotlib figure, without touching pyplot's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D

from brainalign.errors import InputError, UndefinedError

__all__ = ["PALETTE", "STYLE", "layer_by_roi", "leaderboard_figure"]

# Okabe & Ito 2008: told apart by readers with any common colour blindness
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.dpi": 150,
    "savefig.dpi": 200,
}

_AGGREGATE = "(aggregate)"
_MARK = "#D55E00"
_GREY = "#6b7280"


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
    _require(
        table, [*required, "value", "low", "high", "chance", "ceiling", "rank", "simulated"], "a leaderboard table"
    )
    sections = [part for _, part in table.groupby("section", sort=True) if (part["roi"] == _AGGREGATE).any()]
    if not sections:
        raise InputError("no row of the table is an aggregate: nothing to draw.")
    drawn = [_primary_rows(part, max_models) for part in sections]
    heights = [max(3, len(models)) for _, models, _ in drawn]
    columns = max(len(panels) for _, _, panels in drawn)
    with mpl.rc_context(cast(Any, STYLE)):
        size = (2.4 + 1.75 * columns, 0.5 + sum(0.9 + 0.22 * h for h in heights))
        figure = Figure(figsize=size, layout="constrained")
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
        ax.set_title("aggregate" if panel == _AGGREGATE else _shown(panel), weight="bold" if i == 0 else "normal")
        ax.set_yticks(range(len(models)), [_name(rows, *model) for model in models] if i == 0 else [""] * len(models))
        ax.set_ylim(len(models) - 0.4, -0.6)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    first, total = rows.iloc[0], int((rows["roi"] == _AGGREGATE).sum())
    simulated = bool(rows["simulated"].any())
    title = f"{first['benchmark']}.v{first['benchmark_version']}: {first['metric']}.v{first['metric_version']}"
    title += f", best {len(models)} of {total} models" if total > len(models) else ""
    title += "  (SIMULATED data)" if simulated else ""
    figure.suptitle(title, x=0.01, ha="left", fontsize=9, weight="bold", color=_MARK if simulated else "black")


def _draw_panel(ax: Axes, rows: pd.DataFrame, models: Models, colours: dict[str, str]) -> None:
    by_model = {(row["model"], row["revision"]): row for _, row in rows.iterrows()}
    for y, model in enumerate(models):
        row = by_model.get(model)
        value = None if row is None else _number(row["value"])
        if row is None or value is None:
            ax.annotate(
                "missing", (0.02, y), xycoords=("axes fraction", "data"), fontsize=6.5, color=_GREY, va="center"
            )
            continue
        low, high = _number(row["low"]), _number(row["high"])
        colour = colours.get(_family(row), PALETTE[0])
        if low is not None and high is not None:
            ax.plot([low, high], [y, y], color=colour, linewidth=1.3, solid_capstyle="butt")
        ax.plot([value], [y], "o", color=colour, markersize=4)
        chance, ceiling = _number(row["chance"]), _number(row["ceiling"])
        if chance is not None:
            ax.plot([chance, chance], [y - 0.5, y + 0.5], color=_GREY, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
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
        Line2D([], [], color=c, marker="o", markersize=4, linewidth=1.3, label=_shown(f)) for f, c in colours.items()
    ]
    handles.append(Line2D([], [], color=_GREY, linewidth=0.8, linestyle=(0, (2, 2)), label="chance"))
    handles.append(Line2D([], [], color="black", linewidth=1.0, label="ceiling"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))


def layer_by_roi(rows: pd.DataFrame, *, value: str = "value", label: str | None = None) -> Figure:
    """Draw a heat map of layers (rows, in network order) by regions (columns).

    Parameters
    ----------
    rows : DataFrame
        Columns ``layer``, ``roi`` and ``value``; several lines of one cell (subjects) are averaged. The line
        ``selected`` of a result is left out: it is no layer.
    value : str
        Column that is drawn, ``"value"`` or ``"normalised"``.
    label : str, optional
        Text at the colour bar; default the name of the metric where ``rows`` has a column ``metric``.

    Returns
    -------
    matplotlib.figure.Figure
        A cell that lacks a value for any of its lines is hatched.

    Raises
    ------
    InputError
        If a column is absent.
    UndefinedError
        If no cell has a value.
    """
    _require(rows, ["layer", "roi", value], "a table of layers and regions")
    kept = rows[rows["layer"] != "selected"]
    layers, rois = list(dict.fromkeys(kept["layer"])), list(dict.fromkeys(kept["roi"]))
    numbers = kept.assign(_number=pd.to_numeric(kept[value]).astype(float))
    means = numbers.groupby(["layer", "roi"])["_number"].agg(lambda v: v.mean(skipna=False))
    grid = means.unstack("roi").reindex(index=layers, columns=rois).to_numpy(dtype=np.float64)
    if not np.isfinite(grid).any():
        raise UndefinedError(f"no layer has a {value} in any region: nothing to draw.")
    metric = str(rows["metric"].iloc[0]) if "metric" in rows else value
    with mpl.rc_context(cast(Any, STYLE)):
        figure = Figure(figsize=(2.6 + 0.62 * len(rois), 0.9 + 0.24 * len(layers)), layout="constrained")
        ax = figure.subplots()
        _heat(figure, ax, grid, label or metric)
        ax.set_xticks(range(len(rois)), [_shown(roi) for roi in rois], rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(len(layers)), [_shown(layer) for layer in layers])
    return figure


def _heat(figure: Figure, ax: Axes, grid: npt.NDArray[np.float64], label: str) -> None:
    low, high = min(0.0, float(np.nanmin(grid))), float(np.nanmax(grid))
    ax.set_facecolor("#e5e7eb")
    image = ax.imshow(np.ma.masked_invalid(grid), cmap="cividis", vmin=low, vmax=high, aspect="auto")
    for spine in ax.spines.values():
        spine.set_visible(False)
    for y, x in np.argwhere(~np.isfinite(grid)):
        ax.text(x, y, "—", ha="center", va="center", color=_GREY)
    if grid.size <= 400:
        middle = (low + high) / 2
        for y, x in np.argwhere(np.isfinite(grid)):
            colour = "white" if grid[y, x] < middle else "black"
            ax.text(x, y, f"{grid[y, x]:.2f}".replace("-", "−"), ha="center", va="center", color=colour, fontsize=6.5)
    bar = figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    bar.set_label(_shown(label))
    bar.outline.set_visible(False)


def _require(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    absent = [column for column in columns if column not in table]
    if absent:
        raise InputError(f"{what} needs columns {', '.join(absent)}; given: {', '.join(map(str, table.columns))}.")


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _name(rows: pd.DataFrame, model: str, revision: str) -> str:
    own = rows[(rows["model"] == model) & (rows["revision"] == revision)]
    notes = [] if own["rank"].notna().any() else ["not ranked"]
    if "uncommitted_code" in own and bool(own["uncommitted_code"].any()):
        notes.append("uncommitted code")
    return f"{_shown(model)}  {_shown(revision)[:7]}" + (f"  ({', '.join(notes)})" if notes else "")


def _shown(text: str, limit: int = 44) -> str:
    """Text as text: no mathematics between dollar signs, long names cut in the middle, a box for what has no glyph."""
    cut = text if len(text) <= limit else f"{text[: limit // 2 - 1]}…{text[-limit // 2 + 2 :]}"
    font = get_font(findfont(FontProperties()))
    drawn = "".join(c if font.get_char_index(ord(c)) else "\ufffd" for c in cut)
    return drawn.replace("$", r"\$")

"""Scores as bars, with interval, chance and ceiling."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainalign.errors import UndefinedError
from brainalign.plots.style import GREY, PALETTE, mark_origin, new_figure, number, require, shown

__all__ = ["score_bars"]


def score_bars(
    rows: pd.DataFrame, *, by: str = "roi", value: str = "value", colour: str | None = None, title: str | None = None
) -> Figure:
    """Draw one bar a row, with its interval, the ceiling above it and chance across it.

    Parameters
    ----------
    rows : DataFrame
        Rows of a score table (``score(...).table``, or a leaderboard table): columns ``by``, ``value``, and where they
        are known ``low``, ``high``, ``ceiling``, ``chance``. Where a column ``layer`` is there, rows of single layers
        are left out: bars show the layer chosen inside the training folds.
    by : str
        Column along the axis; its values may repeat if ``colour`` tells them apart.
    value : {"value", "normalised"}
        The ceiling of a normalised value is one.
    colour : str, optional
        Column that splits the bars of one place: subject, metric or model.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        A missing score is written as missing: no bar of height zero.

    Raises
    ------
    InputError
        If a column is absent.
    UndefinedError
        If no row has a value.
    """
    require(rows, [by, value, *([colour] if colour else [])], "a table of scores")
    kept = rows[rows["layer"] == "selected"] if "layer" in rows and (rows["layer"] == "selected").any() else rows
    if pd.to_numeric(kept[value]).isna().all():
        raise UndefinedError(f"no row has a {value}: nothing to draw.")
    places = list(dict.fromkeys(kept[by].astype(str)))
    series = list(dict.fromkeys(kept[colour].astype(str))) if colour else [""]
    width = 0.8 / len(series)
    with new_figure(1.2 + max(2.0, 0.32 * len(places) * max(1.0, len(series) ** 0.7)), 2.6) as figure:
        ax = figure.subplots()
        for s, name in enumerate(series):
            part = kept[kept[colour].astype(str) == name] if colour else kept
            for _, row in part.iterrows():
                at = places.index(str(row[by])) + (s - (len(series) - 1) / 2) * width
                _bar(ax, row, value, at, width * 0.92, PALETTE[s % len(PALETTE)])
        ax.axhline(0, color="black", linewidth=0.6)
        ax.set_xticks(
            range(len(places)), [shown(p, 24) for p in places], rotation=40, ha="right", rotation_mode="anchor"
        )
        ax.set_ylabel(_label(kept, value))
        ax.set_title(shown(title, 80) if title else "", loc="left")
        mark_origin(ax, kept)
        handles = [
            Line2D([], [], color=PALETTE[i % len(PALETTE)], linewidth=5, label=shown(n))
            for i, n in enumerate(series)
            if n
        ]
        handles += [
            Line2D([], [], color="black", linewidth=1.2, label="ceiling"),
            Line2D([], [], color=GREY, linewidth=1, linestyle=(0, (2, 2)), label="chance"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)))
    return figure


def _bar(ax: Any, row: Any, value: str, at: float, width: float, colour: str) -> None:
    height = number(row[value])
    if height is None:
        ax.annotate(
            "missing",
            (at, 0),
            xytext=(0, 3),
            textcoords="offset points",
            rotation=90,
            ha="center",
            fontsize=6,
            color=GREY,
        )
        return
    ax.bar(at, height, width, color=colour, linewidth=0)
    ends = ("normalised_low", "normalised_high") if value == "normalised" else ("low", "high")
    low, high = (number(row.get(end)) for end in ends)
    if low is not None and high is not None:
        ax.plot([at, at], [low, high], color="black", linewidth=0.9)
    chance = number(row.get("chance")) if value == "value" else None
    ceiling = number(row.get("ceiling")) if value == "value" else 1.0
    for level, style in (
        (ceiling, {"color": "black", "linewidth": 1.2}),
        (chance, {"color": GREY, "linewidth": 1, "linestyle": (0, (2, 2))}),
    ):
        if level is not None:
            ax.plot([at - width / 2, at + width / 2], [level, level], **style)


def _label(rows: pd.DataFrame, value: str) -> str:
    metrics = list(dict.fromkeys(rows["metric"].astype(str))) if "metric" in rows else []
    name = metrics[0] if len(metrics) == 1 else "score"
    return shown(name if value == "value" else f"{name}, of its ceiling", 48)

"""Three relations among generalization, model-model and model-brain alignment, before and after one more is fixed."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainalign.errors import InputError
from brainalign.plots.style import GREY, PALETTE, new_figure, require, shown

__all__ = ["triangle_figure"]

_CORNERS = ((0.5, 0.9), (0.06, 0.1), (0.94, 0.1))
_CENTRE = (0.5, 0.37)
_WIDEST = 7.0


def triangle_figure(edges: pd.DataFrame, spokes: pd.DataFrame) -> Figure:
    """Draw the three relations before and after dimension is held fixed, and how much of each it takes.

    Parameters
    ----------
    edges : DataFrame
        Three rows, as of `brainalign.studies.Triangle`: a, b, before, before_p, after, after_p, difference,
        difference_low, difference_high.
    spokes : DataFrame
        Three rows: a, b (what is held fixed), before, before_p.

    Returns
    -------
    matplotlib.figure.Figure
        Lines are as wide as the correlation is strong, blue where it is positive, orange where it is negative,
        dashed where p is .05 or more. Right: before less after, with its interval.

    Raises
    ------
    InputError
        If a column is absent, or there are not three relations among three ends.
    """
    require(edges, ["a", "b", "before", "before_p", "after", "after_p"], "a triangle")
    require(edges, ["difference", "difference_low", "difference_high"], "a triangle")
    require(spokes, ["a", "b", "before", "before_p"], "the spokes of a triangle")
    names = list(dict.fromkeys([*edges["a"], *edges["b"]]))
    if len(edges) != 3 or len(names) != 3 or set(spokes["a"]) != set(names):
        raise InputError(f"{len(edges)} relations among {', '.join(map(str, names))}; a triangle has three of each.")
    place = dict(zip(names, _CORNERS, strict=True))
    fixed = str(spokes["b"].iloc[0])
    with new_figure(8.6, 2.8) as figure:
        before, after, change = figure.subplots(1, 3, width_ratios=[1, 1, 0.9])
        for ax, when in ((before, "before"), (after, "after")):
            _blank(ax)
            for row in edges.to_dict("records"):
                _line(ax, place[row["a"]], place[row["b"]], float(row[when]), float(row[f"{when}_p"]))
            for name, (x, y) in place.items():
                _node(ax, x, y, str(name))
        for row in spokes.to_dict("records"):
            _line(before, place[row["a"]], _CENTRE, float(row["before"]), float(row["before_p"]))
        _node(before, *_CENTRE, fixed)
        before.set_title("as they are", loc="left")
        after.set_title(f"given {shown(fixed, 30)}", loc="left")
        _changes(change, edges)
    return figure


def _blank(ax: Axes) -> None:
    ax.set(xlim=(-0.16, 1.16), ylim=(0, 1))
    ax.set_axis_off()


def _line(ax: Axes, start: tuple[float, float], end: tuple[float, float], r: float, p: float) -> None:
    x, y = zip(start, end, strict=True)
    style = "-" if p < 0.05 else (0, (2, 1.2))
    colour = PALETTE[0] if r >= 0 else PALETTE[1]
    ax.plot(x, y, color=colour, linewidth=max(0.6, _WIDEST * abs(r)), linestyle=style, alpha=0.55, zorder=1)
    words = f"{r:.2f}\np = {p:.2g}".replace("-", "−", 1)
    ax.annotate(
        words, (sum(x) / 2, sum(y) / 2), ha="center", va="center", fontsize=6.5, zorder=2,
        bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
    )  # fmt: skip


def _node(ax: Axes, x: float, y: float, name: str) -> None:
    ax.annotate(
        shown(name, 24), (x, y), ha="center", va="center", fontsize=7.5, zorder=3,
        bbox={"boxstyle": "round,pad=0.3", "fc": "white", "ec": GREY, "lw": 0.8},
    )  # fmt: skip


def _changes(ax: Axes, edges: pd.DataFrame) -> None:
    at = range(len(edges))
    ax.hlines(at, edges["difference_low"], edges["difference_high"], color=PALETTE[0], linewidth=1.2)
    ax.plot(edges["difference"], at, "o", color=PALETTE[0], markersize=4)
    ax.axvline(0, color="black", linewidth=0.6)
    ax.set_yticks(
        at, [f"{shown(str(a), 18)} –\n{shown(str(b), 18)}" for a, b in zip(edges["a"], edges["b"], strict=True)]
    )
    ax.set(xlabel="correlation before less after", ylim=(len(edges) - 0.5, -0.5))
    ax.set_title("what it takes", loc="left")

"""Singular bases under fine-tuning beside their nulls, and scores of adapters by what they train."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from brainalign.errors import UndefinedError
from brainalign.plots.style import GREY, MARKERS, PALETTE, new_figure, number, require, shown

__all__ = ["adaptation_figure", "stability_figure"]

_NULLS = {"gaussian": "Gaussian, same norm", "same-spectrum": "same spectrum", "random-init": "random matrix"}
_LABELS = {
    "overlap": "overlap of leading subspaces",
    "energy": "share of the update in the basis",
    "lean": "leading update directions in the basis",
    "index-cosine": "|cosine|, same index",
    "best-cosine": "|cosine|, best match",
    "largest-angle": "largest principal angle (degrees)",
    "update-overlap": "overlap of two tasks' updates",
}


def stability_figure(table: pd.DataFrame, *, quantity: str = "overlap", rank: int | None = None) -> Figure:
    """Draw a quantity of every matrix by its depth, with the mean of each depth beside those of the nulls.

    Parameters
    ----------
    table : DataFrame
        Rows of `compare_checkpoints` (or `compare_tasks`): columns matrix, depth, quantity, rank, value, chance,
        ``gaussian``, ``same-spectrum``, ``random-init``.
    quantity : str
        Such as ``overlap`` or ``energy``.
    rank : int, optional
        Default the middle one there is.

    Returns
    -------
    matplotlib.figure.Figure
        Dots: matrices; line: their mean; dashed: nulls; dotted: chance.

    Raises
    ------
    InputError
        If a column is absent.
    UndefinedError
        If no matrix has a value.
    """
    require(table, ["matrix", "depth", "quantity", "rank", "value", "chance", *_NULLS], "a table of matrices")
    kept = table[(table["quantity"] == quantity) & table["value"].notna()]
    ranks = sorted(kept["rank"].dropna().unique())
    chosen = rank if rank is not None else (int(ranks[len(ranks) // 2]) if ranks else None)
    kept = kept if chosen is None else kept[kept["rank"] == chosen]
    if kept.empty:
        raise UndefinedError(f"no matrix has {quantity} at rank {chosen}: nothing to draw.")
    numbers = kept.assign(depth=pd.to_numeric(kept["depth"]).fillna(-1))
    means = numbers.astype(dict.fromkeys(("value", "chance", *_NULLS), float)).groupby("depth")
    with new_figure(4.2, 2.6) as figure:
        ax = figure.subplots()
        jitter = np.random.default_rng(0).uniform(-0.12, 0.12, len(numbers))
        ax.plot(numbers["depth"] + jitter, numbers["value"].astype(float), ".", color=PALETTE[0], alpha=0.35, mew=0)
        columns = means[["value", "chance", *_NULLS]].mean()
        ax.plot(columns.index, columns["value"], "o-", color=PALETTE[0], markersize=3.5, label="fine-tuned")
        for style, (name, label) in enumerate(_NULLS.items(), start=1):
            if columns[name].notna().any():
                ax.plot(columns.index, columns[name], marker=MARKERS[style], linestyle="--", color=PALETTE[style],
                        markersize=3, linewidth=1, label=f"null: {label}")  # fmt: skip
        if columns["chance"].notna().any() and quantity not in ("overlap", "index-cosine"):
            ax.plot(columns.index, columns["chance"], ":", color=GREY, label="chance")
        ax.set_xlabel("block of the network (−1: outside of blocks)" if (numbers["depth"] < 0).any() else "block")
        ax.set_ylabel(_LABELS.get(quantity, shown(quantity)))
        ax.set_title("" if chosen is None else f"{chosen} leading directions", loc="left")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(loc="best")
    return figure


def adaptation_figure(table: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Draw scores of fine-tuning methods against the numbers of parameters that they train, a panel for each task.

    Parameters
    ----------
    table : DataFrame
        Rows of a study: columns task, method, score, low, high, percent (0 for the head alone), metric.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Methods that train nothing but the head stand at the left edge.

    Raises
    ------
    InputError
        If a column is absent.
    UndefinedError
        If no row has a score.
    """
    require(table, ["task", "method", "score", "low", "high", "percent", "metric"], "a table of a study")
    kept = table[table["score"].notna()]
    if kept.empty:
        raise UndefinedError("no method has a score: nothing to draw.")
    tasks = list(dict.fromkeys(kept["task"]))
    methods = list(dict.fromkeys(kept["method"]))
    positive = kept["percent"][kept["percent"] > 0].astype(float)
    edge = float(positive.min()) / 3 if len(positive) else 0.01
    with new_figure(1.2 + 2.1 * len(tasks), 2.7) as figure:
        axes = figure.subplots(1, len(tasks), squeeze=False)[0]
        for ax, task in zip(axes, tasks, strict=True):
            part = kept[kept["task"] == task]
            for _, row in part.iterrows():
                at = methods.index(row["method"])
                x = max(float(row["percent"]), edge)
                low, high = number(row["low"]), number(row["high"])
                colour, marker = PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)]
                if low is not None and high is not None:
                    ax.plot([x, x], [low, high], color=colour, linewidth=1.1)
                label = shown(str(row["method"]), 24) if ax is axes[0] else None
                ax.plot([x], [float(row["score"])], marker, color=colour, markersize=4.5, label=label,
                        markerfacecolor=colour if at < len(PALETTE) else "white")  # fmt: skip
            ax.set_xscale("log")
            ax.set_xlabel("trained, % of the network")
            ax.set_ylabel(shown(str(part["metric"].iloc[0])))
            ax.set_title(shown(str(task), 24), loc="left")
        if title:
            figure.suptitle(shown(title))
        figure.legend(loc="outside right center")
    return figure

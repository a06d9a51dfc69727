"""A property against a score over models, with families; and the triangle of three scores."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from brainalign.errors import InputError, UndefinedError
from brainalign.plots.style import GREY, PALETTE, family_styles, mark_origin, new_figure, require, shown

__all__ = ["property_scatter", "triangle_scatter"]


def property_scatter(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    family: str | None = "family",
    low: str | None = "low",
    high: str | None = "high",
    log: bool = False,
    note: str = "",
) -> Figure:
    """Draw a property of models against a score, families by colour and marker.

    Parameters
    ----------
    table : DataFrame
        One row a model.
    x, y : str
        Columns; rows that lack one are left out and counted in the figure.
    family : str, optional
        Column of families; ignored where it is absent.
    low, high : str, optional
        Columns with the interval of ``y``; ignored where they are absent.
    log : bool
        Logarithmic x.
    note : str
        Text in the figure, such as the sentence of a relation. Without it: Pearson's and Spearman's correlation and
        the number of models, which is no test where models form families (see `relate`).

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a column is absent.
    UndefinedError
        If fewer than three models have both.
    """
    require(table, [x, y], "a table of models")
    with new_figure(3.8, 3.0) as figure:
        ax = figure.subplots()
        _scatter(ax, table, x, y, family, (low, high), log, note)
        mark_origin(ax, table)
        if ax.get_legend_handles_labels()[0]:
            figure.legend(loc="outside right upper")
    return figure


def triangle_scatter(table: pd.DataFrame, *, columns: tuple[str, str, str], family: str | None = "family") -> Figure:
    """Draw three quantities of models against each other.

    Parameters and errors as in `property_scatter`; ``columns`` are the three quantities, such as generalization,
    model-model alignment and model-brain alignment.
    """
    if len(columns) != 3:
        raise InputError(f"a triangle has three columns; given {len(columns)}.")
    require(table, list(columns), "a table of models")
    with new_figure(8.4, 2.9) as figure:
        axes = figure.subplots(1, 3)
        for ax, (x, y) in zip(axes, combinations(columns, 2), strict=True):
            _scatter(ax, table, x, y, family, (None, None), False, "")
        mark_origin(axes[-1], table)
        if axes[0].get_legend_handles_labels()[0]:
            figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _scatter(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    family: str | None,
    interval: tuple[str | None, str | None],
    log: bool,
    note: str,
) -> None:
    numbers = table.assign(**{name: pd.to_numeric(table[name]).astype(float) for name in (x, y)})
    known = numbers[np.isfinite(numbers[x]) & np.isfinite(numbers[y])]
    if len(known) < 3:
        raise UndefinedError(f"{len(known)} models have both {x} and {y}; a scatter needs three.")
    styles = family_styles(known[family]) if family in known else {}
    of = known[family].astype(object).map(str) if styles else pd.Series("", index=known.index)
    for name in [*styles, *([] if of.isin(list(styles)).all() else [""])]:
        part = known[of == name] if name else known[~of.isin(list(styles))]
        colour, marker = styles.get(name, (GREY if styles else PALETTE[0], "o"))
        low, high = interval
        if low in part and high in part:
            ends = part[[low, high]].apply(pd.to_numeric).astype(float)
            ax.vlines(part[x], ends[low], ends[high], color=colour, linewidth=0.9)
        ax.plot(part[x], part[y], marker, color=colour, markersize=4, label=shown(name, 28) if name else None)
    if log:
        ax.set_xscale("log")
    r, rho = stats.pearsonr(known[x], known[y]).statistic, stats.spearmanr(known[x], known[y]).statistic
    left_out = f", {len(table) - len(known)} left out" if len(known) < len(table) else ""
    said = note or f"r = {r:.2f}, rho = {rho:.2f}, {len(known)} models{left_out}".replace("-", "−")
    ax.set_title(shown(said, 120), loc="left", fontsize=7.5)
    ax.set(xlabel=shown(x), ylabel=shown(y))

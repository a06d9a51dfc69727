"""Figures on generalization: rates of convergence, the terms of the bound, the width intervention, synonyms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainalign.errors import InputError
from brainalign.generalization import BoundReport, WassersteinRate
from brainalign.plots.style import DIVERGING, GREY, MARKERS, PALETTE, new_figure, require, shown

__all__ = ["bound_figure", "measures_figure", "rate_figure", "width_figure"]

TERMS = {
    "convergence": "dimension",
    "deviation": "diameter",
    "bayes": "error of the best predictor",
    "bayes_deviation": "its range",
}


def rate_figure(rates: Mapping[str, WassersteinRate]) -> Figure:
    """Draw the distance of two samples against their size, with the dimension that the slope implies.

    Parameters
    ----------
    rates : mapping of str to WassersteinRate
        By the name in the legend.

    Returns
    -------
    matplotlib.figure.Figure
        Both axes logarithmic; distances in units of that at the smallest size, so that slopes compare. Band: 95 %
        interval over draws. Dashed: n^(-1/2), the fastest rate there is.

    Raises
    ------
    InputError
        If there are no rates.
    """
    if not rates:
        raise InputError("no rate is given: nothing to draw.")
    with new_figure(4.4, 3.0) as figure:
        ax = figure.subplots()
        for i, (name, rate) in enumerate(rates.items()):
            colour, first = PALETTE[i % len(PALETTE)], rate.distance[0]
            said = f", dimension {rate.dimension:.1f}" if np.isfinite(rate.dimension) else ""
            low, high = np.clip(rate.interval / first, 1e-6, None).T
            if np.isfinite(low).all():
                ax.fill_between(rate.sizes, low, high, color=colour, alpha=0.2, linewidth=0)
            ax.plot(
                rate.sizes, rate.distance / first, marker=MARKERS[i % len(MARKERS)], color=colour, markersize=3,
                linewidth=1.3, label=f"{shown(name, 30)}{said}",
            )  # fmt: skip
        sizes = np.array(sorted({int(size) for rate in rates.values() for size in rate.sizes}))
        ax.plot(sizes, (sizes / sizes[0]) ** -0.5, color=GREY, linewidth=0.9, linestyle=(0, (3, 2)))
        ax.set(xscale="log", yscale="log", xlabel="points in each sample", ylabel="distance of two samples")
        figure.legend(loc="outside right upper")
    return figure


def bound_figure(report: BoundReport) -> Figure:
    """Draw every term of the bound by layer, stacked, with Hoeffding's inequality beside them.

    Parameters
    ----------
    report : BoundReport

    Returns
    -------
    matplotlib.figure.Figure
        The layer where the least is reached is written bold; the line is Hoeffding's bound of the same gap.
    """
    with new_figure(4.6, 0.34 * len(report.layers) + 1.3) as figure:
        ax = figure.subplots()
        finite = [at for at in report.layers if np.isfinite(at.gap)]
        start = np.zeros(len(finite))
        rows = np.arange(len(finite))
        for colour, (name, said) in zip(PALETTE, TERMS.items(), strict=False):
            length = np.array([getattr(at, name) for at in finite])
            ax.barh(rows, length, left=start, color=colour, height=0.7, label=said)
            start += length
        ax.axvline(report.hoeffding, color="black", linewidth=1, linestyle=(0, (3, 2)), label="Hoeffding")
        ax.set_yticks(rows, [shown(at.layer, 24) for at in finite])
        for at, label in zip(finite, ax.get_yticklabels(), strict=True):
            label.set_fontweight("bold" if at.layer == report.layer else "normal")
        ax.invert_yaxis()
        ax.set(xlabel=f"bound of the gap (n = {report.n}, with probability {1 - report.delta:g})")
        figure.legend(loc="outside right upper")
    return figure


def width_figure(networks: pd.DataFrame, *, columns: Sequence[str] = ("dimension", "product", "gap")) -> Figure:
    """Draw what narrowing a layer does: its dimension, the product of norms after it, the gap.

    Parameters
    ----------
    networks : DataFrame
        One row a network, with ``width`` and the columns; ``n`` and ``noise`` tell cells apart where there are several.
    columns : sequence of str

    Returns
    -------
    matplotlib.figure.Figure
        Means over seeds as lines, networks as points; width logarithmic.

    Raises
    ------
    InputError
        If a column is absent.
    """
    require(networks, ["width", *columns], "a table of networks")
    cells = [name for name in ("n", "noise") if name in networks and networks[name].nunique() > 1]
    parts = list(networks.groupby(cells)) if cells else [((), networks)]
    with new_figure(2.6 * len(columns), 2.6) as figure:
        axes = np.atleast_1d(figure.subplots(1, len(columns)))
        for ax, column in zip(axes, columns, strict=True):
            for i, (cell, part) in enumerate(parts):
                colour = PALETTE[i % len(PALETTE)]
                label = ", ".join(f"{name} {value:g}" for name, value in zip(cells, cell, strict=True))
                mean = part.groupby("width")[column].mean()
                ax.plot(mean.index, mean, color=colour, linewidth=1.3, label=label or None)
                ax.plot(part["width"], part[column], "o", color=colour, markersize=3, alpha=0.6)
            ax.set(xscale="log", xlabel="width of the narrow layer", ylabel=shown(column))
        if cells:
            figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def measures_figure(correlations: pd.DataFrame, *, synonyms: Sequence[Sequence[str]] = ()) -> Figure:
    """Draw rank correlations of measures with each other, groups of synonyms side by side and framed.

    Parameters
    ----------
    correlations : DataFrame
        One row a pair, with the columns first, second, rho.
    synonyms : sequence of sequences of str
        Measures that are one variable under several names.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a column is absent.
    """
    require(correlations, ["first", "second", "rho"], "a table of correlations")
    names = list(dict.fromkeys([*correlations["first"], *correlations["second"]]))
    grouped = [name for group in synonyms for name in group if name in names]
    order = [*grouped, *(name for name in names if name not in grouped)]
    place = {name: i for i, name in enumerate(order)}
    values = np.eye(len(order))
    for _, row in correlations.iterrows():
        i, j = place[row["first"]], place[row["second"]]
        values[i, j] = values[j, i] = row["rho"]
    side = 0.42 * len(order) + 1.6
    with new_figure(side + 0.8, side) as figure:
        ax = figure.subplots()
        image = ax.imshow(values, cmap=DIVERGING, vmin=-1, vmax=1)
        for i, j in np.ndindex(*values.shape):
            if i != j and np.isfinite(values[i, j]):
                dark = abs(values[i, j]) > 0.6
                said = f"{values[i, j]:.2f}".replace("-", "−")
                ax.text(j, i, said, ha="center", va="center", fontsize=5.5, color="white" if dark else "black")
        start = 0
        for group in synonyms:
            size = len([name for name in group if name in names])
            frame = [start - 0.5, start + size - 0.5]
            ax.plot(
                [frame[0], frame[1], frame[1], frame[0], frame[0]], [frame[0], frame[0], frame[1], frame[1], frame[0]],
                color="black", linewidth=1.4,
            )  # fmt: skip
            start += size
        labels = [shown(name, 30) for name in order]
        ax.set_xticks(range(len(order)), labels, rotation=60, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(len(order)), labels)
        figure.colorbar(image, ax=ax, label="rank correlation", shrink=0.7)
    return figure

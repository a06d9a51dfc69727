"""Layers by regions as a heat map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainalign.errors import UndefinedError
from brainalign.plots.style import GREY, SEQUENTIAL, mark_origin, new_figure, require, shown

__all__ = ["layer_by_roi"]


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
    require(rows, ["layer", "roi", value], "a table of layers and regions")
    kept = rows[rows["layer"] != "selected"]
    layers, rois = list(dict.fromkeys(kept["layer"])), list(dict.fromkeys(kept["roi"]))
    numbers = kept.assign(_number=pd.to_numeric(kept[value]).astype(float))
    means = numbers.groupby(["layer", "roi"])["_number"].agg(lambda v: v.mean(skipna=False))
    grid = means.unstack("roi").reindex(index=layers, columns=rois).to_numpy(dtype=np.float64)
    if not np.isfinite(grid).any():
        raise UndefinedError(f"no layer has a {value} in any region: nothing to draw.")
    metric = str(rows["metric"].iloc[0]) if "metric" in rows else value
    names = 0.04 * max(len(shown(roi)) for roi in rois)  # height of the longest name, turned
    with new_figure(2.6 + names + 0.62 * len(rois), 0.7 + names + 0.24 * len(layers)) as figure:
        ax = figure.subplots()
        _heat(figure, ax, grid, label or metric)
        ax.set_xticks(range(len(rois)), [shown(roi) for roi in rois], rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(len(layers)), [shown(layer) for layer in layers])
        ax.tick_params(length=0)
        mark_origin(ax, rows)
    return figure


def _heat(figure: Figure, ax: Axes, grid: npt.NDArray[np.float64], label: str) -> None:
    low, high = min(0.0, float(np.nanmin(grid))), float(np.nanmax(grid))
    ax.set_facecolor("#e5e7eb")
    image = ax.imshow(np.ma.masked_invalid(grid), cmap=SEQUENTIAL, vmin=low, vmax=high, aspect="auto")
    for spine in ax.spines.values():
        spine.set_visible(False)
    for y, x in np.argwhere(~np.isfinite(grid)):
        ax.text(x, y, "—", ha="center", va="center", color=GREY)
    if grid.size <= 400:
        middle = (low + high) / 2
        for y, x in np.argwhere(np.isfinite(grid)):
            colour = "white" if grid[y, x] < middle else "black"
            ax.text(x, y, f"{grid[y, x]:.2f}".replace("-", "−"), ha="center", va="center", color=colour, fontsize=6.5)
    bar = figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    bar.set_label(shown(label))
    bar.outline.set_visible(False)

"""A score against the scores of permuted stimuli."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from brainalign.errors import UndefinedError
from brainalign.plots.style import GREY, PALETTE, mark_origin, new_figure, number, require, shown

__all__ = ["calibration_figure"]


def calibration_figure(rows: pd.DataFrame, *, name: str = "metric", width: float = 1.96) -> Figure:
    """Draw scores beside the mean and spread of their permutation null: what is raw, and what is above chance.

    Parameters
    ----------
    rows : DataFrame
        Columns ``value``, ``null_mean``, ``null_sd`` and ``name``: rows of `compare` or of a score table.
    name : str
        Column that names a row.
    width : float
        Half width of the band of the null, in its standard deviations.

    Returns
    -------
    matplotlib.figure.Figure
        Band: null; dot: score, with its interval where it is known; z at the right.

    Raises
    ------
    InputError
        If a column is absent.
    UndefinedError
        If no row has a value and a null.
    """
    require(rows, [name, "value", "null_mean", "null_sd"], "a table of calibrated scores")
    kept = rows[rows[["value", "null_mean", "null_sd"]].notna().all(axis=1)]
    if kept.empty:
        raise UndefinedError("no row has a value and a null: nothing to draw.")
    with new_figure(4.6, 0.8 + 0.22 * len(kept)) as figure:
        ax = figure.subplots()
        for y, (_, row) in enumerate(kept.iterrows()):
            value, mean, sd = (float(row[c]) for c in ("value", "null_mean", "null_sd"))
            ax.fill_betweenx(
                [y - 0.35, y + 0.35], mean - width * sd, mean + width * sd, color=GREY, alpha=0.35, linewidth=0
            )
            low, high = number(row.get("low")), number(row.get("high"))
            if low is not None and high is not None:
                ax.plot([low, high], [y, y], color=PALETTE[0], linewidth=1.3)
            ax.plot([value], [y], "o", color=PALETTE[0], markersize=4)
            z = f"z = {(value - mean) / sd:.1f}".replace("-", "−") if sd > 0 else ""
            ax.annotate(z, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=6.5)
        ax.set_yticks(range(len(kept)), [shown(str(n), 36) for n in kept[name]])
        ax.set_ylim(len(kept) - 0.4, -0.6)
        ax.set_xlabel("score; grey: the same after permuting stimuli")
        mark_origin(ax, kept)
    return figure

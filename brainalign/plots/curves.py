"""Curves over scales: dimension, structure, and a correlation against the scale it was measured at."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from brainalign.errors import InputError
from brainalign.geometry import DimensionCurve, StructureCurve
from brainalign.plots.style import GREY, PALETTE, new_figure, shown
from brainalign.stats.relations import RelationCurve

__all__ = ["dimension_figure", "relation_over_scales", "structure_figure"]


def dimension_figure(curves: Mapping[str, DimensionCurve]) -> Figure:
    """Draw local dimension against the number of neighbours, with the matched reference of each curve.

    Parameters
    ----------
    curves : mapping of str to DimensionCurve
        By the name in the legend.

    Returns
    -------
    matplotlib.figure.Figure
        Both axes logarithmic. Band: the draws of the first reference, what a cloud of the same dimension and number
        of points gives; dashed: its mean. Open marker: the extreme scale, where the border of the cloud rules.

    Raises
    ------
    InputError
        If there are no curves.
    """
    _some(curves)
    with new_figure(4.2, 2.9) as figure:
        ax = figure.subplots()
        for i, (name, curve) in enumerate(curves.items()):
            colour = PALETTE[i % len(PALETTE)]
            for reference in list(curve.references.values())[:1]:
                values = reference.values[: len(curve.scales)]
                ax.plot(curve.scales, values, color=colour, linewidth=0.8, linestyle=(0, (3, 2)))
                if len(reference.draws) == 1:  # of two whole dimensions the draws do not surround the curve between
                    draws = reference.draws[0][:, : len(curve.scales)]
                    ax.fill_between(
                        curve.scales, draws.min(axis=0), draws.max(axis=0), color=colour, alpha=0.15, linewidth=0
                    )
            label = f"{shown(name)} (excess slope {curve.excess_slope:+.3f})" if curve.references else shown(name)
            ax.plot(
                curve.scales,
                curve.values,
                "o-",
                color=colour,
                markersize=3,
                linewidth=1.3,
                label=label.replace("-0", "−0"),
            )
            if curve.extreme_scale is not None:
                ax.plot([curve.extreme_scale], [curve.extreme_value], "o", color=colour, markersize=3.5, mfc="none")
        ax.set(xscale="log", yscale="log", xlabel="number of neighbours k", ylabel="local dimension")
        ax.legend(loc="best")
    return figure


def structure_figure(curves: Mapping[str, StructureCurve], *, to: str = "consecutive") -> Figure:
    """Draw the distance between neighbourhoods of different size, with a band of one standard error.

    Parameters
    ----------
    curves : mapping of str to StructureCurve
    to : {"consecutive", "to_largest"}
        Each scale against the next, or against the largest.

    Returns
    -------
    matplotlib.figure.Figure
        Around zero: only sampling separates the scales.

    Raises
    ------
    InputError
        If there are no curves or ``to`` is unknown.
    """
    _some(curves)
    if to not in ("consecutive", "to_largest"):
        raise InputError(f"to={to!r} is not known; give 'consecutive' or 'to_largest'.")
    with new_figure(4.2, 2.9) as figure:
        ax = figure.subplots()
        for i, (name, curve) in enumerate(curves.items()):
            colour, values, error = PALETTE[i % len(PALETTE)], getattr(curve, to), getattr(curve, f"{to}_error")
            ax.fill_between(curve.scales[:-1], values - error, values + error, color=colour, alpha=0.2, linewidth=0)
            ax.plot(curve.scales[:-1], values, "o-", color=colour, markersize=3, linewidth=1.3, label=shown(name))
        ax.axhline(0, color=GREY, linewidth=0.7)
        against = "the next scale" if to == "consecutive" else "the largest scale"
        ax.set(xscale="log", xlabel="number of neighbours k", ylabel=f"squared distance to {against}")
        ax.legend(loc="best")
    return figure


def relation_over_scales(curve: RelationCurve) -> Figure:
    """Draw a correlation over models or layers against the scale of the property, with the band of its null.

    Parameters
    ----------
    curve : RelationCurve
        What `judge` and `brainalign.stats.relations.relation_curve` return.

    Returns
    -------
    matplotlib.figure.Figure
        Band: 95 % of permutations at each scale. Dashed: 95 % of the largest absolute correlation over all scales, so
        that the best of many scales is not taken for one that was chosen before.
    """
    k = curve.scales
    with new_figure(4.2, 2.9) as figure:
        ax = figure.subplots()
        ax.fill_between(k, curve.null_low, curve.null_high, color=GREY, alpha=0.25, linewidth=0, label="permutations")
        for i, bound in enumerate((-curve.null_max, curve.null_max)):
            ax.axhline(
                bound, color=GREY, linewidth=0.9, linestyle=(0, (3, 2)), label=None if i else "over all scales at once"
            )
        ax.plot(k, curve.r, "o-", color=PALETTE[0], markersize=3, linewidth=1.3, label="observed")
        ax.axhline(0, color="black", linewidth=0.6)
        ax.set_title(f"{curve.n} units, p = {curve.p:.2g} for the largest", loc="left")
        ax.set(xscale="log", ylim=(-1.02, 1.02), xlabel="number of neighbours k", ylabel="correlation with the score")
        ax.legend(loc="best")
    return figure


def _some(curves: Mapping[str, object]) -> None:
    if not curves:
        raise InputError("no curve is given: nothing to draw.")

"""Model-model alignment as a matrix, models next to those that are like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from brainalign.errors import NonFiniteError, ShapeError
from brainalign.plots.style import GREY, SEQUENTIAL, family_styles, new_figure, shown

__all__ = ["alignment_matrix"]


def alignment_matrix(
    matrix: npt.ArrayLike, names: Sequence[str], *, families: Mapping[str, str] | None = None, label: str = "alignment"
) -> Figure:
    """Draw the alignment of every model with every other, ordered by average linkage.

    Parameters
    ----------
    matrix : array, shape (n, n)
        Symmetric, larger is more alike; the diagonal plays no part.
    names : sequence of str, length n
    families : mapping of str to str, optional
        Family of a name; drawn as the colour of the name.
    label : str
        At the colour bar: the metric.

    Returns
    -------
    matplotlib.figure.Figure
        The tree joins models at the mean alignment of their groups.

    Raises
    ------
    ShapeError
        If the matrix is not square, not symmetric, smaller than three, or names do not fit.
    NonFiniteError
        If an entry off the diagonal is NaN or inf.
    """
    values = np.array(matrix, dtype=np.float64)
    n = len(names)
    if values.shape != (n, n) or n < 3:
        raise ShapeError(f"a matrix of {values.shape} and {n} names; expected (n, n) with n names, n of three or more.")
    off = ~np.eye(n, dtype=bool)
    if not np.isfinite(values[off]).all():
        raise NonFiniteError("the alignment of some pair of models is NaN or inf; leave such a model out.")
    if not np.allclose(values, values.T, rtol=1e-6, atol=1e-6 * np.abs(values[off]).max(), equal_nan=True):
        raise ShapeError("the matrix is not symmetric; an alignment that has a direction has no tree.")
    np.fill_diagonal(values, np.nan)
    apart = values[off].max() - values
    np.fill_diagonal(apart, 0.0)
    condensed = squareform((apart + apart.T) / 2, checks=False)
    tree = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    order = leaves_list(tree)
    size = 0.8 + 0.17 * n
    with new_figure(size + 2.6, size + 1.2) as figure:
        top, ax = figure.subplots(2, 1, height_ratios=[1, max(4, n / 3)])
        drawn = dendrogram(tree, no_plot=True)
        for xs, ys in zip(drawn["icoord"], drawn["dcoord"], strict=True):
            top.plot((np.array(xs) - 5) / 10, ys, color=GREY, linewidth=0.8)
        top.set_xlim(-0.5, n - 0.5)
        top.set_axis_off()
        ax.set_facecolor("#e5e7eb")
        image = ax.imshow(np.ma.masked_invalid(values[np.ix_(order, order)]), cmap=SEQUENTIAL, aspect="auto")
        ordered = [shown(names[i], 30) for i in order]
        ax.set_xticks(range(n), ordered, rotation=90, fontsize=6)
        ax.set_yticks(range(n), ordered, fontsize=6)
        ax.tick_params(length=0)
        of = dict(families or {})
        styles = family_styles(of.values())
        for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
            for tick, i in zip(ticks, order, strict=True):
                tick.set_color(styles.get(str(of.get(names[i])), ("black", "o"))[0])
        for family, (colour, _) in styles.items():
            top.plot([], [], "s", color=colour, label=shown(family, 28))
        if styles:
            figure.legend(loc="outside lower center", ncols=4)
        figure.colorbar(image, ax=[top, ax], fraction=0.04, pad=0.02).set_label(shown(label))
    return figure

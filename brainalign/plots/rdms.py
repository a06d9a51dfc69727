"""RDMs as images, and RDMs as points of a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.spatial.distance import squareform

from brainalign.errors import InputError, ShapeError
from brainalign.plots.style import PALETTE, SEQUENTIAL, family_styles, new_figure, shown
from brainalign.similarity import compare_rdms

__all__ = ["rdm_figure", "rdm_map"]

FloatArray = npt.NDArray[np.float64]


def rdm_figure(rdms: Mapping[str, npt.ArrayLike], *, order: Sequence[int] | None = None, ranked: bool = True) -> Figure:
    """Draw dissimilarity matrices side by side.

    Parameters
    ----------
    rdms : mapping of str to array, shape (n (n - 1) / 2,)
        Condensed, in SciPy order, all over the same stimuli; by title.
    order : sequence of int, optional
        Stimuli in the order in which they are drawn, such as by category.
    ranked : bool
        Draw ranks scaled to 0 … 1, so that RDMs of different measures can be looked at together.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError, ShapeError
        If there are none, or they differ in the number of stimuli.
    """
    matrices = {name: squareform(_shades(rdm, ranked)) for name, rdm in _same_size(rdms).items()}
    n = len(next(iter(matrices.values())))
    rows = np.arange(n) if order is None else np.asarray(order)
    if sorted(rows.tolist()) != list(range(n)):
        raise ShapeError(f"order must name each of the {n} stimuli once; given {len(rows)} positions.")
    columns = min(4, len(matrices))
    height = -(-len(matrices) // columns)
    with new_figure(1.0 + 1.9 * columns, 0.3 + 2.0 * height) as figure:
        axes = figure.subplots(height, columns, squeeze=False).ravel()
        top = 1.0 if ranked else max(float(m.max()) for m in matrices.values())
        for ax, (name, matrix) in zip(axes, matrices.items(), strict=False):
            image = ax.imshow(matrix[np.ix_(rows, rows)], cmap=SEQUENTIAL, vmin=0, vmax=top, interpolation="nearest")
            ax.set_title(shown(name, 30))
            ax.set_xticks([])
            ax.set_yticks([])
        for ax in axes[len(matrices) :]:
            ax.set_axis_off()
        label = "dissimilarity, ranked" if ranked else "dissimilarity"
        figure.colorbar(image, ax=axes.tolist(), fraction=0.03, pad=0.01).set_label(label)
    return figure


def rdm_map(
    rdms: Mapping[str, npt.ArrayLike], *, families: Mapping[str, str] | None = None, compare: str = "rho-a"
) -> Figure:
    """Draw RDMs as points: near each other where they order the pairs of stimuli alike.

    Parameters
    ----------
    rdms : mapping of str to array, shape (n (n - 1) / 2,)
        Condensed RDMs of models, layers or regions over the same stimuli; at least three.
    families : mapping of str to str, optional
        Colour and marker of each RDM, such as brain and model.
    compare : str
        Comparator of `compare_rdms`; the distance is 1 minus it.

    Returns
    -------
    matplotlib.figure.Figure
        Classical scaling; the axes say which share of the squared distances each takes.

    Notes
    -----
    Torgerson 1952, doi:10.1007/BF02288916. Cost: n_rdms² comparisons.
    """
    given = _same_size(rdms)
    if len(given) < 3:
        raise InputError(f"a plane needs at least three RDMs; given {len(given)}.")
    names = list(given)
    apart = np.array(
        [[1 - compare_rdms(given[a], given[b], compare=compare) if a != b else 0.0 for b in names] for a in names]
    )
    points, share = _scaled(apart)
    of = dict(families or {})
    styles = family_styles(of.values())
    with new_figure(4.0, 3.4) as figure:
        ax = figure.subplots()
        for name, (x, y) in zip(names, points, strict=True):
            colour, marker = styles.get(str(of.get(name)), (PALETTE[0], "o"))
            ax.plot([x], [y], marker, color=colour, markersize=5)
            ax.annotate(shown(name, 24), (x, y), xytext=(4, 3), textcoords="offset points", fontsize=6.5)
        for family, (colour, marker) in styles.items():
            ax.plot([], [], marker, color=colour, markersize=5, label=shown(family))
        if styles:
            ax.legend(loc="best")
        ax.set_aspect("equal", adjustable="datalim")
        ax.set(xlabel=f"first axis, {100 * share[0]:.0f} %", ylabel=f"second axis, {100 * share[1]:.0f} %")
        ax.margins(0.15)
    return figure


def _scaled(apart: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coordinates (n, 2) by classical scaling, and the share of the positive eigenvalues that each axis has."""
    n = len(apart)
    centring = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ (apart**2) @ centring)
    first = np.clip(values[::-1][:2], 0, None)
    total = float(values[values > 0].sum())
    share: FloatArray = first / total if total > 0 else np.zeros(2)
    points: FloatArray = vectors[:, ::-1][:, :2] * np.sqrt(first)
    return points, share


def _same_size(rdms: Mapping[str, npt.ArrayLike]) -> dict[str, FloatArray]:
    given = {name: np.asarray(rdm, dtype=np.float64) for name, rdm in rdms.items()}
    if not given:
        raise InputError("no RDM is given: nothing to draw.")
    shapes = {name: rdm.shape for name, rdm in given.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ShapeError(f"RDMs must be condensed and over the same stimuli; given shapes {shapes}.")
    return given


def _shades(rdm: Any, ranked: bool) -> FloatArray:
    if not ranked:
        return np.asarray(rdm, dtype=np.float64)
    order = np.argsort(np.argsort(rdm, kind="stable"), kind="stable").astype(np.float64)
    scaled: FloatArray = order / max(1, len(order) - 1)
    return scaled

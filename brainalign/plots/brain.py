"""Values on the brain: slices of a volume, surfaces on their own mesh, and a schematic map of regions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.plots.style import SEQUENTIAL, new_figure, shown

__all__ = ["Mesh", "mesh_of", "region_map", "surface_figure", "value_range", "volume_slices"]

FloatArray = npt.NDArray[np.float64]
Mesh = tuple[npt.ArrayLike, npt.ArrayLike]
_VIEWS = {"lateral": 180.0, "medial": 0.0}

# where the streams of visual cortex lie on a schematic map: (column, row); early in the middle left, ventral below
_PLACES: tuple[tuple[str, tuple[int, int]], ...] = (
    (r"v1.*", (0, 2)),
    (r"v2.*", (1, 2)),
    (r"v3(?!a|b).*", (2, 2)),
    (r"(h?v4).*", (3, 3)),
    (r"(v3a|v3b|v3ab).*", (3, 1)),
    (r"(lo1|lo2|loc?|lateral).*", (4, 2)),
    (r"(mt|mst|v5|hmt).*", (5, 1)),
    (r"(eba).*", (5, 2)),
    (r"(ofa).*", (4, 3)),
    (r"(ffa|fusiform).*", (5, 3)),
    (r"(fba).*", (6, 3)),
    (r"(ppa).*", (5, 4)),
    (r"(vo|vo1|vo2|ventral).*", (4, 4)),
    (r"(phc).*", (6, 4)),
    (r"(opa|tos).*", (5, 0)),
    (r"(rsc|mpa).*", (6, 0)),
    (r"(ips|parietal).*", (4, 0)),
    (r"(it|pit|cit|ait|late|high).*", (6, 2)),
)


def volume_slices(
    volume: npt.ArrayLike,
    *,
    background: npt.ArrayLike | None = None,
    n_slices: int = 8,
    axis: int = 2,
    label: str = "r",
) -> Figure:
    """Draw slices of a volume on its own grid: nothing is resampled.

    Parameters
    ----------
    volume : array, shape (x, y, z)
        Values; NaN where there is none.
    background : array, shape (x, y, z), optional
        Anatomy on the same grid, in grey below.
    n_slices : int
        Slices, spread over those that hold a value.
    axis : {0, 1, 2}
        Axis that is cut.
    label : str
        At the colour bar.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError
        If the arrays are no volumes of one shape.
    UndefinedError
        If no voxel has a value.
    """
    values = np.asarray(volume, dtype=np.float64)
    under = None if background is None else np.asarray(background, dtype=np.float64)
    if values.ndim != 3 or (under is not None and under.shape != values.shape):
        below = "no background" if under is None else f"a background of {under.shape}"
        raise ShapeError(f"a volume has three axes, and its background the same; given {values.shape} and {below}.")
    values = np.moveaxis(values, axis, 0)
    held = np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))
    if not len(held):
        raise UndefinedError("no voxel has a value: nothing to draw.")
    cuts = held[np.unique(np.linspace(0, len(held) - 1, min(n_slices, len(held))).round().astype(int))]
    columns = min(4, len(cuts))
    rows = -(-len(cuts) // columns)
    with new_figure(0.8 + 1.5 * columns, 1.5 * rows) as figure:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        scale = value_range(values)
        for ax in axes:
            ax.set_axis_off()
        for ax, cut in zip(axes, cuts, strict=False):
            if under is not None:
                ax.imshow(np.moveaxis(under, axis, 0)[cut].T, cmap="gray", origin="lower", interpolation="nearest")
            image = ax.imshow(
                np.ma.masked_invalid(values[cut].T),
                cmap=SEQUENTIAL,
                norm=scale,
                origin="lower",
                interpolation="nearest",
            )
            ax.set_title(f"{'xyz'[axis]} = {cut}", fontsize=6.5)
        figure.colorbar(image, ax=axes.tolist(), fraction=0.03, pad=0.02).set_label(shown(label))
    return figure


def surface_figure(
    left: npt.ArrayLike | None,
    right: npt.ArrayLike | None,
    *,
    mesh: str | Mapping[str, Mesh] = "fsaverage5",
    views: Sequence[str] = ("lateral", "medial"),
    label: str = "r",
) -> Figure:
    """Draw values of vertices on cortical surfaces.

    Parameters
    ----------
    left, right : arrays, shape (n_vertices,), or None
        Values of a hemisphere; NaN where there is none.
    mesh : "fsaverage5", or mapping of "left" and "right" to (coordinates (n_vertices, 3), faces (n_faces, 3))
        The inflated surface that comes with nilearn (10,242 vertices a hemisphere), or the surface of the values.
    views : sequence of {"lateral", "medial"}
    label : str
        At the colour bar.

    Returns
    -------
    matplotlib.figure.Figure
        Faces without a value are grey; folds are shaded by the direction of the face.

    Raises
    ------
    ShapeError
        If values and vertices differ in number.
    InputError, UndefinedError
        For an unknown view, or where there are no values.
    """
    given = {side: np.asarray(v, dtype=np.float64) for side, v in (("left", left), ("right", right)) if v is not None}
    if not given or not any(np.isfinite(v).any() for v in given.values()):
        raise UndefinedError("no vertex has a value: nothing to draw.")
    for view in views:
        if view not in _VIEWS:
            raise InputError(f"view {view!r} is not known; give {' or '.join(_VIEWS)}.")
    meshes = {side: mesh_of(mesh, side, len(values)) for side, values in given.items()}
    scale = value_range(np.concatenate(list(given.values())))
    with new_figure(0.9 + 2.2 * len(views), 1.9 * len(given)) as figure:
        axes = []
        for row, (side, values) in enumerate(given.items()):
            for column, view in enumerate(views):
                ax = figure.add_subplot(len(given), len(views), row * len(views) + column + 1, projection="3d")
                _surface(ax, *meshes[side], values, scale, _VIEWS[view] + (180.0 if side == "right" else 0.0))
                ax.set_title(f"{side}, {view}", fontsize=7)
                axes.append(ax)
        shades = _mappable(scale)
        figure.colorbar(shades, ax=axes, fraction=0.03, pad=0.02).set_label(shown(label))
    return figure


def region_map(
    scores: Mapping[str, float | None], *, ceilings: Mapping[str, float] | None = None, label: str = "score"
) -> Figure:
    """Draw the scores of regions on a schematic map of visual cortex: early to the left, ventral below.

    Parameters
    ----------
    scores : mapping of str to float or None
        By region; the place follows from the name (V1 …, LO, EBA, FFA, PPA …), with others in a row below. Regions
        of one place share it side by side. None is drawn as missing.
    ceilings : mapping of str to float, optional
        Drawn as the share of the tile that is framed: a region with a low ceiling can score little.
    label : str
        At the colour bar.

    Returns
    -------
    matplotlib.figure.Figure
        Where regions lie on the cortex of a subject is shown by `volume_slices` and `surface_figure`.

    Raises
    ------
    UndefinedError
        If no region has a score.
    """
    known = [float(v) for v in scores.values() if v is not None and np.isfinite(v)]
    if not known:
        raise UndefinedError("no region has a score: nothing to draw.")
    scale = value_range(np.array(known))
    with new_figure(5.6, 3.4) as figure:
        ax = figure.subplots()
        for roi, (x, y, width) in _tiles(list(scores)).items():
            given = scores[roi]
            value = np.nan if given is None else float(given)
            missing = not np.isfinite(value)
            colour = "#e5e7eb" if missing else colormaps[SEQUENTIAL](scale(value))
            ax.add_patch(Rectangle((x, y), width, 0.86, facecolor=colour, edgecolor="white", linewidth=1.2))
            dark = not missing and scale(value) < 0.5
            said = "missing" if missing else f"{value:.2f}".replace("-", "−")
            ceiling = (ceilings or {}).get(roi)
            said += "" if ceiling is None else f"\nof {ceiling:.2f}"
            ax.text(
                x + width / 2,
                y + 0.43,
                f"{shown(roi, 12)}\n{said}",
                ha="center",
                va="center",
                fontsize=6 if width > 0.6 else 4.5,
                color="white" if dark else "black",
            )
        ax.autoscale_view()
        ax.invert_yaxis()
        ax.set_axis_off()
        figure.colorbar(_mappable(scale), ax=ax, fraction=0.03, pad=0.02).set_label(shown(label))
    return figure


def _tiles(rois: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Place of each region: x, y, width."""
    by_place: dict[tuple[int, int], list[str]] = {}
    rest: list[str] = []
    for roi in rois:
        name = roi.rsplit("/", 1)[-1].lower()
        place = next((where for pattern, where in _PLACES if re.fullmatch(pattern, name)), None)
        if place is None:
            rest.append(roi)
        else:
            by_place.setdefault(place, []).append(roi)
    tiles: dict[str, tuple[float, float, float]] = {}
    for (x, y), names in by_place.items():
        width = 0.94 / len(names)
        tiles |= {roi: (x + i * width, float(y), width - 0.02) for i, roi in enumerate(names)}
    tiles |= {roi: (float(i % 7), 5.2 + i // 7, 0.92) for i, roi in enumerate(rest)}
    return {roi: tiles[roi] for roi in rois}


def value_range(values: FloatArray) -> Normalize:
    """Return the scale of colours: from zero, or the smallest value where that is below, to the largest."""
    low, high = min(0.0, float(np.nanmin(values))), float(np.nanmax(values))
    return Normalize(low, high if high > low else low + 1)


def _mappable(scale: Normalize) -> Any:
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(scale, SEQUENTIAL)


def mesh_of(mesh: str | Mapping[str, Mesh], side: str, n: int) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return coordinates (n, 3) and faces of a hemisphere, or raise where the mesh is unknown or has not n vertices."""
    if isinstance(mesh, str):
        if mesh != "fsaverage5":
            raise InputError(f"mesh={mesh!r} does not come along; give 'fsaverage5' or coordinates and faces.")
        from nilearn.datasets import fetch_surf_fsaverage
        from nilearn.surface import load_surf_mesh

        found = load_surf_mesh(fetch_surf_fsaverage("fsaverage5")[f"infl_{side}"])
        coordinates, faces = found.coordinates, found.faces
    else:
        coordinates, faces = (np.asarray(part) for part in mesh[side])
    if len(coordinates) != n:
        raise ShapeError(f"{n} values for {len(coordinates)} vertices of the {side} hemisphere.")
    return np.asarray(coordinates, dtype=np.float64), np.asarray(faces, dtype=np.int64)


def _surface(
    ax: Axes3D,
    coordinates: FloatArray,
    faces: npt.NDArray[np.int64],
    values: FloatArray,
    scale: Normalize,
    azimuth: float,
) -> None:
    corners = coordinates[faces]
    held = np.isfinite(values[faces]).all(axis=1)
    means = np.full(len(faces), np.nan)
    means[held] = values[faces[held]].mean(axis=1)
    colours = np.tile(np.array([0.82, 0.83, 0.85, 1.0]), (len(faces), 1))
    colours[held] = colormaps[SEQUENTIAL](scale(means[held]))
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1)
    towards = np.array([np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth)), 0.4])
    light = np.abs(normal @ towards) / np.where(length > 0, length, 1.0) / np.linalg.norm(towards)
    colours[:, :3] *= (0.55 + 0.45 * light)[:, None]
    patches = Poly3DCollection(corners, facecolors=colours, linewidths=0, rasterized=True)
    ax.add_collection3d(patches)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    for setter, a, b in zip((ax.set_xlim, ax.set_ylim, ax.set_zlim), low, high, strict=True):
        setter(a, b)
    ax.set_box_aspect(tuple(high - low), zoom=1.5)
    ax.view_init(elev=0, azim=azimuth)
    ax.set_axis_off()

"""Values on a cortical surface as one HTML file that turns: no network, no library, no graphics card."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps

from brainalign.errors import UndefinedError
from brainalign.plots.brain import Mesh, mesh_of, value_range
from brainalign.plots.style import SEQUENTIAL

__all__ = ["surface_page", "surface_script"]


def surface_script() -> str:
    """Return the script that draws surfaces, for pages that hold their own data."""
    return files("brainalign.plots").joinpath("site", "surface.js").read_text(encoding="utf-8")


def surface_page(
    left: npt.ArrayLike | None,
    right: npt.ArrayLike | None,
    path: str | Path,
    *,
    mesh: str | Mapping[str, Mesh] = "fsaverage5",
    label: str = "score",
    title: str = "Scores on the cortical surface",
    simulated: bool = False,
) -> Path:
    """Write values of vertices as a page that opens from disk, turns by hand and tells the value under the pointer.

    Parameters
    ----------
    left, right : arrays, shape (n_vertices,), or None
        One value a vertex, NaN where there is none.
    path : path
        The HTML file; replaced if it is there.
    mesh : "fsaverage5", or mapping of "left" and "right" to (coordinates (n_vertices, 3), faces (n_faces, 3))
        The default comes with nilearn.
    label : str
        Of the values.
    title : str
        Heading.
    simulated : bool
        Write on the page that the brain is simulated.

    Returns
    -------
    Path
        Of the file, about 1 MB for fsaverage5.

    Raises
    ------
    UndefinedError
        If no vertex has a value.
    ShapeError, InputError
        If values and mesh do not fit, or the mesh is unknown.
    """
    given = {side: np.asarray(v, dtype=np.float64) for side, v in (("left", left), ("right", right)) if v is not None}
    known = np.concatenate([v[np.isfinite(v)] for v in given.values()]) if given else np.empty(0)
    if not len(known):
        raise UndefinedError("no vertex has a value: nothing to draw.")
    meshes = {side: mesh_of(mesh, side, len(values)) for side, values in given.items()}
    scale = value_range(known)
    ends = f"{known.min():.3g} to {known.max():.3g}, median {np.median(known):.3g}"
    data = {
        "low": float(scale.vmin or 0.0),
        "high": float(scale.vmax or 0.0),
        "colours": np.round(colormaps[SEQUENTIAL](np.arange(256))[:, :3] * 255).astype(int).tolist(),
        "sides": [_side(side, *meshes[side], values) for side, values in given.items()],
        "boxes": [[at.min(axis=0).tolist(), at.max(axis=0).tolist()] for at, _ in meshes.values()],
    }
    parts = {
        "title": escape(title),
        "label": escape(label),
        "mark": '<p class="mark">SIMULATED data</p>' if simulated else "",
        "summary": escape(f"{label} of {len(known):,} vertices: {ends}.".replace("-", "−")),
        "data": json.dumps(data, separators=(",", ":")),
        "js": surface_script(),
    }
    page = files("brainalign.plots").joinpath("site", "surface.html").read_text(encoding="utf-8")
    out = Path(path)
    # one pass, so that nothing that was inserted is taken for a placeholder
    out.write_text(re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page), encoding="utf-8")
    return out


def _side(
    name: str, coordinates: npt.NDArray[Any], faces: npt.NDArray[Any], values: npt.NDArray[Any]
) -> dict[str, str]:
    finite = np.where(np.isfinite(values), values, np.nan)
    arrays = {"coordinates": (coordinates, "<f4"), "faces": (faces, "<u4"), "values": (finite, "<f4")}
    packed = {key: np.ascontiguousarray(part, dtype=of).tobytes() for key, (part, of) in arrays.items()}
    return {"name": name, **{key: base64.b64encode(raw).decode() for key, raw in packed.items()}}

"""Maps of the results -> surfaces that turn on the page of a model: one mesh, and 16 bits a vertex and map."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.leaderboard.detail import metric_label, short
from brainalign.leaderboard.table import Line, Table
from brainalign.results import SurfaceMap, iter_surface_maps

__all__ = ["Maps", "collect_maps", "surfaces"]

# characters of maps on a page, some 80 of them: models that come later in the order of their ranks have none there
MAPS_LIMIT = 4_500_000
_TOP = 65_534  # the largest value of a map; one more is none

# maps by the hash of the table of neuroids that they were made of
Maps = Mapping[str, list[SurfaceMap]]


def collect_maps(root: Path) -> Maps:
    """Read the maps below a root of results.

    Raises
    ------
    ResultFormatError
        A file that the schema refuses.
    """
    found: dict[str, list[SurfaceMap]] = {}
    for _, one in iter_surface_maps(root):
        found.setdefault(one.source.neuroids_sha256, []).append(one)
    return found


def surfaces(tables: Sequence[Table], keys: Sequence[str], maps: Maps) -> dict[str, Any] | None:
    """Return the mesh and the maps of the models of each section, or None where there are none.

    ``maps`` holds, for each section and ``model@revision``, maps with ``values`` of both hemispheres as 16-bit numbers
    between ``low`` and ``high``; ``ranges`` the ends of the colours, which all maps of one metric and quantity of a
    section share; ``omitted`` the models of each section with maps that found no room.
    """
    if not maps:
        return None
    left = MAPS_LIMIT
    found: dict[str, dict[str, Any]] = {}
    ranges: dict[str, dict[str, list[float]]] = {}
    omitted: dict[str, list[str]] = {}
    for table, key in zip(tables, keys, strict=True):
        for line in table.lines:
            for label, one in _maps_of(line, maps):
                packed = _packed(label, one)
                name, size = f"{line.model.name}@{line.model.revision}", sum(map(len, packed["values"]))
                if size > left:
                    omitted.setdefault(key, []).append(name)
                    continue
                left -= size
                found.setdefault(key, {}).setdefault(name, []).append(packed)
                ends = ranges.setdefault(key, {}).setdefault(packed["name"], [0.0, packed["high"]])
                ends[:] = [min(ends[0], packed["low"]), max(ends[1], packed["high"])]
    return {**_mesh(), "maps": found, "ranges": ranges, "omitted": omitted} if found else None


def _maps_of(line: Line, maps: Maps) -> list[tuple[str, SurfaceMap]]:
    files = [(metric, entry.result.files) for metric, entry in line.model.entries.items()]
    return [
        (metric_label(metric), one)
        for metric, of in files
        if of is not None and of.neuroids is not None
        for one in maps.get(of.neuroids.sha256, ())
    ]


def _packed(label: str, found: SurfaceMap) -> dict[str, Any]:
    sides = [np.array(side, dtype=np.float64) for side in (found.left, found.right)]
    low, high = (float(of(np.concatenate(sides))) for of in (np.nanmin, np.nanmax))
    return {
        "name": f"{found.quantity} of {label}",
        "layer": found.layer,
        "subjects": len(found.subjects),
        "n_vertices": int(sum(np.isfinite(side).sum() for side in sides)),
        "low": short(low, 7),
        "high": short(high, 7),
        "values": [_base64(_quantised(side, low, high, absent=_TOP + 1)) for side in sides],
    }


def _mesh() -> dict[str, Any]:
    """Corners as 16-bit numbers between the ends of each axis, and the triangles that both hemispheres have."""
    from matplotlib import colormaps

    from brainalign.plots.brain import mesh_of
    from brainalign.plots.style import SEQUENTIAL

    sides = {side: mesh_of("fsaverage5", side, 10_242) for side in ("left", "right")}
    boxes = [[at.min(axis=0).tolist(), at.max(axis=0).tolist()] for at, _ in sides.values()]
    (_, faces), (_, others) = sides.values()
    assert np.array_equal(faces, others)
    return {
        "colours": np.round(colormaps[SEQUENTIAL](np.arange(256))[:, :3] * 255).astype(int).tolist(),
        "boxes": boxes,
        "faces": _base64(faces),
        "sides": [
            {"name": name, "coordinates": _base64(_quantised(at, np.array(box[0]), np.array(box[1])))}
            for (name, (at, _)), box in zip(sides.items(), boxes, strict=True)
        ],
    }


def _quantised(values: npt.NDArray[np.float64], low: Any, high: Any, absent: int = 0) -> npt.NDArray[np.float64]:
    span = np.where(high > low, np.subtract(high, low), 1.0)
    return np.where(np.isfinite(values), np.round((values - low) / span * _TOP), absent)


def _base64(values: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<u2").tobytes()).decode()

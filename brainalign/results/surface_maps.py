"""Values on a surface as results: where on the cortex a model predicts responses, mean over subjects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from brainalign.errors import ResultConflictError, ResultError
from brainalign.results.paths import TRUSTS, component, trust_of
from brainalign.results.read import read_as
from brainalign.results.schema import Strict
from brainalign.results.write import exclusive, replace_file

__all__ = ["MAPS", "MapSource", "SurfaceMap", "iter_surface_maps", "read_surface_map", "surface_map_path"]
__all__ += ["write_surface_map"]

MAPS = "maps"
_SCHEMA = "brainalign.map/1"
_Side = Annotated[list[float | None], Field(min_length=10_242, max_length=10_242)]


class MapSource(Strict):
    """The result whose neuroids were put on the surface, with the hash of their table."""

    model: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    benchmark: str = Field(min_length=1)
    metric: str = Field(min_length=1)
    neuroids_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SurfaceMap(Strict):
    """One value a vertex of both hemispheres (n_vertices,), null where no subject has one.

    ``benchmark`` and ``metric`` of the source are named with their versions, as in the path of the result.
    ``subjects`` are those of the mean; at a vertex it is over those that have a value there.
    """

    schema_: Literal["brainalign.map/1"] = Field(default="brainalign.map/1", alias="schema")
    source: MapSource
    space: Literal["fsaverage5"]
    quantity: str = Field(min_length=1)
    layer: str = Field(min_length=1)
    subjects: list[str] = Field(min_length=1)
    left: _Side
    right: _Side
    simulated: bool
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if all(value is None for value in (*self.left, *self.right)):
            raise ValueError("no vertex has a value")
        return self


def surface_map_path(root: Path, found: SurfaceMap, *, trust: str | None = None) -> Path:
    """Return ``ROOT/maps/<trust>/<model>/<revision>/<benchmark.vN>/<metric.vN>.<quantity>.json``."""
    source = found.source
    folder = Path(root) / MAPS / (trust or trust_of(found.simulated, found.provenance))
    for name in (source.model, source.revision, source.benchmark):
        folder /= component(name)
    return folder / f"{component(f'{source.metric}.{found.quantity}')}.json"


def write_surface_map(root: str | Path, found: SurfaceMap) -> Path:
    """Write a map below the results; return its path. The same map is left as it is.

    Raises
    ------
    ResultConflictError
        If the map there was made from another result, layer or set of subjects.
    ResultError
        If writing fails.
    """
    path = surface_map_path(Path(root), found)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.parent):
            if path.exists():
                there = read_surface_map(path)
                for name in ("source", "layer", "subjects"):
                    if getattr(there, name) != getattr(found, name):
                        raise ResultConflictError(
                            f"{path} was made otherwise: {name} is {getattr(there, name)!r}, now "
                            f"{getattr(found, name)!r}; a result is never overwritten: remove the file first."
                        )
                return path
            document = found.model_dump(mode="json", by_alias=True)
            replace_file(path, json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    except OSError as error:
        raise ResultError(f"writing {path} failed: {error}; no map was written") from error
    return path


def read_surface_map(path: str | Path) -> SurfaceMap:
    """Read one map.

    Raises
    ------
    ResultError
        If there is no such file.
    ResultFormatError
        If it is no JSON, has another schema, or a field that the schema refuses; names file and field.
    """
    return read_as(Path(path), _SCHEMA, SurfaceMap)


def iter_surface_maps(root: str | Path) -> Iterator[tuple[Path, SurfaceMap]]:
    """Yield the path and the content of every map below a root, clean ones first."""
    for trust in TRUSTS:
        for path in sorted((Path(root) / MAPS / trust).rglob("*.json")):
            yield path, read_surface_map(path)

"""Property files -> what the page shows of a model's geometry: properties by layer, and those over scales as curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brainalign.leaderboard.detail import Pool, short
from brainalign.results import PropertyResult, iter_properties, trust_of

__all__ = ["Properties", "collect_properties", "geometry_of", "last_layer"]

# property files of each model at one revision: of two of one property the one from committed code
Properties = dict[tuple[str, str], list[PropertyResult]]


def collect_properties(root: Path) -> Properties:
    """Read the property files of embeddings below a root of results.

    Raises
    ------
    ResultFormatError
        A file that the schema refuses.
    """
    found: Properties = {}
    known: set[tuple[Any, ...]] = set()
    for _, result in iter_properties(root):  # clean before dirty
        source = result.source
        if source.kind != "embeddings":
            continue
        key = (*source.folders, result.property.id, result.property.version)
        if key not in known:
            known.add(key)
            found.setdefault((source.name, source.part[0]), []).append(result)
    return found


def geometry_of(results: list[PropertyResult], pool: Pool) -> list[dict[str, Any]]:
    """Return the properties of one model, a set of stimuli each: a table by layer, and curves over scales.

    ``table`` has ``names`` and ``values`` (n_properties, n_layers); each of ``curves`` has ``scales`` and ``values``
    (n_layers, n_scales). What has no value is null.
    """
    sets: dict[str, list[PropertyResult]] = {}
    for result in results:
        sets.setdefault(result.source.folders[-1], []).append(result)
    return [_of_set(name, of, pool) for name, of in sorted(sets.items())]


def last_layer(results: list[PropertyResult]) -> dict[str, float]:
    """Return the properties of the last layer that was measured, by name and stimulus set: what models compare by."""
    found: dict[str, float] = {}
    for result in results:
        row = result.rows[-1]
        if row.scale is None and row.value is not None:
            found[f"{result.property.id} of the last layer on {result.source.folders[-1]}"] = row.value
    return found


def _of_set(name: str, results: list[PropertyResult], pool: Pool) -> dict[str, Any]:
    # those over scales may have been measured on fewer layers, in another order
    longest = max(results, key=lambda r: len({row.part for row in r.rows}))
    parts = dict.fromkeys(row.part for result in (longest, *results) for row in result.rows)
    at = {part: i for i, part in enumerate(parts)}
    names: list[str] = []
    table: list[list[float | None]] = []
    curves: list[dict[str, Any]] = []
    for result in results:
        label = f"{result.property.id}.v{result.property.version}"
        scales = sorted({row.scale for row in result.rows if row.scale is not None})
        if not scales:
            values: list[float | None] = [None] * len(at)
            for row in result.rows:
                values[at[row.part]] = short(row.value, 4)
            names.append(label)
            table.append(values)
            continue
        place = {scale: i for i, scale in enumerate(scales)}
        lines: list[list[float | None]] = [[None] * len(scales) for _ in at]
        for row in result.rows:
            if row.scale is not None:
                lines[at[row.part]][place[row.scale]] = short(row.value, 4)
        curves.append({"property": label, "scales": pool.put(scales), "values": lines})
    counts = sorted({row.n_stimuli for result in results for row in result.rows})
    return {
        "stimuli": name,
        "n_stimuli": [counts[0], counts[-1]],
        "layers": pool.put(list(at)),
        "simulated": any(result.simulated for result in results),
        "uncommitted": any(trust_of(False, result.provenance) == "dirty" for result in results),
        "table": {"names": pool.put(names), "values": table},
        "curves": curves,
    }

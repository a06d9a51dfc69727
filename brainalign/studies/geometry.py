"""Geometry of a file of numbers, of the layers of a network, or of the responses of a brain; kept as result files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.errors import ChoiceError, InputError, near_names
from brainalign.metrics.properties import PROPERTIES, get_property, measure, usual_properties
from brainalign.metrics.property_curves import CURVES, get_curve, measure_curves
from brainalign.metrics.representation import Representation
from brainalign.results import PropertyResult, PropertyRow, provenance, write_property
from brainalign.results.schema import MetricInput
from brainalign.store import Store, open_store
from brainalign.studies.representations import READ, Part, embedding_parts, file_parts, is_file, response_parts

__all__ = ["Geometry", "geometry_table", "measure_geometry"]


@dataclass(frozen=True, eq=False)
class Geometry:
    """Properties of some matrices: a tidy table, and the files they were written to."""

    table: pd.DataFrame
    files: list[Path] = field(default_factory=list)


def geometry_table(source: str, **options: Any) -> pd.DataFrame:
    """Return the table of `measure_geometry`, which see; nothing is written."""
    return measure_geometry(source, **options).table


def measure_geometry(
    source: str,
    *,
    stimuli: str | None = None,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    store: Store | str | None = None,
    layers: Sequence[str] | None = None,
    rois: Sequence[str] | None = None,
    properties: Sequence[str] | None = None,
    n_stimuli: int | None = None,
    repeats: int | None = None,
    min_ncsnr: float | None = None,
    seed: int = 0,
    results: str | Path | None = None,
) -> Geometry:
    """Measure the geometry of a file, of the layers of stored embeddings, or of the ROIs of stored responses.

    Parameters
    ----------
    source : str
        A file (.npy, .npz, .csv, .tsv, .parquet; stimuli in rows); ``model@revision`` (``model`` where the store has
        one revision), with ``stimuli``; or a dataset of responses.
    stimuli : str, optional
        The stimulus set, for embeddings.
    subjects : sequence of str, optional
        Of a dataset; default all.
    variant : str, optional
        Of a dataset that has several.
    store : Store or str, optional
        The store, or its URL; default as in `open_store`.
    layers, rois : sequence of str, optional
        Names or patterns such as ``blocks.*``; default all.
    properties : sequence of str, optional
        Ids of `brainalign.metrics.properties.PROPERTIES` or of `brainalign.metrics.property_curves.CURVES`; default all
        of the former but those of convergence, half a second a layer.
    n_stimuli : int, optional
        Measure on as many stimuli, drawn without replacement: dimension compares only at the same number.
    repeats, min_ncsnr
        Of responses: repeats averaged, and the least signal to noise of a neuroid.
    seed : int
        Of those draws.
    results : path, optional
        Root of result files to write to; nothing is written if not given.

    Returns
    -------
    Geometry
        Table with columns source, subject, roi, layer (None where it does not apply), property, scale, value, error,
        n_stimuli, dropped, n_units, n_repeats, reason.

    Raises
    ------
    InputError, UnknownLayerError, ChoiceError, EntryNotFoundError, DatasetError, ResponseKindError, UndefinedError
        For a source that is none, embeddings without a stimulus set, too large ``n_stimuli``, unknown layers, ROIs,
        properties, entries, files; RDMs; neuroids or repeats that are not there.
    ResultConflictError
        If a file there was made from other data.

    Notes
    -----
    Cost: n² p for each layer or ROI, most of it shared by the properties, and n² p for each curve.
    """
    scalars, curves = _wanted(properties)
    if is_file(source) and results is not None:
        raise InputError("a file of numbers has no place among results: import it into a store first (data import).")
    rows: list[dict[str, Any]] = []
    kept: dict[tuple[Any, str], list[PropertyRow]] = {}
    parts: dict[Any, Part] = {}
    options = {"n_stimuli": n_stimuli, "seed": seed}
    brain = {"variant": variant, "rois": rois, "repeats": repeats, "min_ncsnr": min_ncsnr, **options}
    for subject, part in _parts(source, stimuli, subjects, store, layers, brain, options):
        name = {"subject": subject, "roi": part.name if subject else None, "layer": None if subject else part.name}
        for property_id, row in _rows(part, scalars, curves):
            rows.append({"source": source, **name, "property": property_id, **row.model_dump(exclude={"part"})})
            kept.setdefault((subject, property_id), []).append(row)
        parts[subject] = part
    files = [] if results is None else [_written(results, parts[s], p, found) for (s, p), found in kept.items()]
    return Geometry(pd.DataFrame(rows), files)


def _wanted(properties: Sequence[str] | None) -> tuple[list[str], list[str]]:
    if properties is None:
        return usual_properties(), []
    for name in properties:
        if name not in PROPERTIES and name not in CURVES:
            raise ChoiceError(f"property {name!r} is unknown.{near_names(name, [*PROPERTIES, *CURVES])}")
    return [p for p in properties if p in PROPERTIES], [p for p in properties if p in CURVES]


def _parts(
    source: str,
    stimuli: str | None,
    subjects: Sequence[str] | None,
    store: Store | str | None,
    layers: Sequence[str] | None,
    brain: dict[str, Any],
    options: dict[str, Any],
) -> Iterator[tuple[str | None, Part]]:
    if is_file(source):
        yield from ((None, part) for part in file_parts(source, **options))
        return
    opened = store if isinstance(store, Store) else open_store(store)
    if stimuli is not None:
        yield from ((None, part) for part in embedding_parts(source, stimuli, opened, layers, **options))
        return
    entries = opened.entries()
    if subjects is None and source not in set(entries.get("dataset", [])):
        raise InputError(
            f"{source!r} is no dataset of responses in {opened.url}; taken as a model, its embeddings belong to a "
            f"stimulus set: name it (--stimuli), or give a file ending in {', '.join(sorted(READ))}."
        )
    for subject in subjects or opened.subjects(source, brain["variant"]):
        yield from ((subject, part) for part in response_parts(source, subject, opened, **brain))


def _rows(part: Part, scalars: list[str], curves: list[str]) -> Iterator[tuple[str, PropertyRow]]:
    representation = Representation(part.matrix)
    base = {"part": part.name or "", "n_units": int(representation.points.shape[1]), "n_repeats": part.n_repeats}
    for one in measure(representation, scalars):
        found = {name: getattr(one, name) for name in ("n_stimuli", "dropped", "value", "error", "reason")}
        yield one.property, PropertyRow.model_validate(base | found)
    for curve in measure_curves(representation, curves):
        counts = {"n_stimuli": curve.n_stimuli, "dropped": curve.dropped}
        for scale, value, error in zip(curve.scales, curve.values, curve.errors, strict=True):
            at = {"scale": _finite(scale), "value": _finite(value), "error": _finite(error)}
            reason = curve.reason or (None if math.isfinite(value) else "no finite value at this scale")
            yield curve.property, PropertyRow.model_validate(base | counts | at | {"reason": reason})


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _written(results: str | Path, part: Part, property_id: str, rows: list[PropertyRow]) -> Path:
    assert part.source is not None  # a file is refused before
    record = get_property(property_id) if property_id in PROPERTIES else get_curve(property_id)
    result = PropertyResult(
        source=part.source,
        property=MetricInput(id=record.id, version=record.version, params=record.params),
        simulated=part.simulated,
        rows=rows,
        provenance=provenance(),
    )
    return write_property(results, result)

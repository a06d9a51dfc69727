"""The quantities of the bound for stored embeddings: kept as result files that `relate` and the leaderboard read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainalign.errors import InputError, UndefinedError
from brainalign.metrics.bound_terms import BOUND_TERMS, BoundTerm, get_bound_term
from brainalign.metrics.classification import probe_gap
from brainalign.models.network import Network
from brainalign.results import PropertyResult, PropertyRow, provenance, write_property
from brainalign.results.schema import MetricInput
from brainalign.store import Store, open_store
from brainalign.studies.class_names import Classes, read_classes
from brainalign.studies.generalization.bounded import Assumed, Bounded, bounded_layers
from brainalign.studies.generalization.sensitivities import Sensitivity, sensitivities
from brainalign.studies.representations import Part, embedding_parts, last_layer

__all__ = ["GeneralizationTerms", "measure_generalization"]

Number = tuple[float, float | None]


@dataclass(frozen=True, eq=False)
class GeneralizationTerms:
    """Terms of the bound of one network.

    Attributes
    ----------
    model : str
        ``model@revision``.
    table : DataFrame
        Columns model, layer, property, value, error, n_stimuli, dropped, reason.
    files : list of path
        Written result files.
    notes : list of str
        What could not be measured, what to do, and what is assumed.
    """

    model: str
    table: pd.DataFrame
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Known:
    """What there is to measure with; None where it is not."""

    classes: Classes | None
    sensitivity: dict[str, Sensitivity] | None
    bounded: Bounded | None
    seed: int


def measure_generalization(
    model: str,
    stimuli: str,
    store: Store | str | None = None,
    *,
    heldout: bool = False,
    network: str | Network | None = None,
    label: str = "label",
    classes: Sequence[str] | None = None,
    first_class: int = 0,
    layers: Sequence[str] | None = None,
    properties: Sequence[str] | None = None,
    n_points: int = 8,
    assumed: Assumed | None = None,
    allow_download: bool = False,
    seed: int = 0,
    results: str | Path | None = None,
) -> GeneralizationTerms:
    """Measure sensitivities, the gap of a probe and the terms of the bound, layer by layer of stored embeddings.

    Dimension, slope and curve of convergence need the embeddings alone: `measure_geometry` has them.

    Parameters
    ----------
    model : str
        ``model@revision``, or ``model`` where the store has one revision.
    stimuli : str
        The stimulus set; with a column of classes for the gap and the bound.
    store : Store or str, optional
        The store, or its URL; default as in `open_store`.
    heldout : bool
        Whether the stimuli had no part in training the network. The bound is left out where that is not said.
    network : str or Network, optional
        The network itself, for the sensitivities and the bound; default the one that the model's name loads.
    label, classes, first_class
        Column of the classes and their order, as in `measure_accuracy`.
    layers, properties : sequence of str, optional
        Stored layers, names or patterns, and ids of `brainalign.metrics.bound_terms.BOUND_TERMS`; default all.
    n_points : int
        Images at which Jacobians are taken.
    assumed : Assumed, optional
        What no data test; default as there.
    allow_download : bool
        Let the network's source fetch published weights.
    seed : int
        Of the images and halves.
    results : path, optional
        Root of result files to write to.

    Returns
    -------
    GeneralizationTerms

    Raises
    ------
    ChoiceError, EntryNotFoundError, UnknownLayerError, UnknownModelError
        No such terms, embeddings, layers, network.
    InputError
        A network other than the one that made the embeddings, or labels that the classes do not name.
    ResultConflictError
        A file there was made from other data or with other parameters, the number of layers among them.

    Notes
    -----
    The bound takes the loss of the network's own classifier, the 1-norm between softmax and label, which needs the
    network's last layer in the store. It is a statement about layers that hand on what is stored: of maps that were
    averaged the bound has no value. Cost: of `lipschitz_bounds` for each layer, and of `probe_gap`.
    """
    opened = store if isinstance(store, Store) else open_store(store)
    wanted = [get_bound_term(name) for name in (BOUND_TERMS if properties is None else properties)]
    there = opened.embeddings(model, stimuli=stimuli)
    name = f"{there.attrs['model']}@{there.attrs['revision']}"
    parts = list(embedding_parts(name, stimuli, opened, layers, None, seed))
    notes: list[str] = []
    needs = {record.needs for record in wanted}
    known, constants, bounded = None, None, None
    if needs & {"labels", "losses"}:
        table = opened.stimuli(stimuli)
        if label in table:
            listed = classes if classes is not None else there.attrs.get("attributes", {}).get("classes")
            ids = [str(s) for s in there["stimulus"].values]
            known = read_classes(table, ids, stimuli, label, listed, first_class)
        else:
            notes.append(f"stimulus set {stimuli!r} has no column {label!r} of classes: no gap and no bound.")
    if needs & {"network", "losses"}:
        constants = sensitivities(there, opened, stimuli, [str(part.name) for part in parts], network=network,
                                  n_points=n_points, allow_download=allow_download, seed=seed)  # fmt: skip
    if "losses" in needs and known is not None and constants is not None:
        if heldout:
            bounded = bounded_layers(there, parts, known, constants, assumed or Assumed())
            notes += bounded.notes
        else:
            notes.append(
                "no bound: it holds for stimuli that had no part in training, and that was not said (heldout)."
            )
    measured = _rows(wanted, parts, last_layer(there), _Known(known, constants, bounded, seed))
    if not measured:
        raise InputError(f"nothing could be measured: {' '.join(notes) or 'no stored layer ends the network.'}")
    said = _params(known, bounded, label, n_points, seed)
    files = [] if results is None else _written(results, measured, parts[0], said)
    rows = [
        {"model": name, "layer": row.part, "property": record.id}
        | row.model_dump(include={"value", "error", "n_stimuli", "dropped", "reason"})
        for record, row in measured
    ]
    return GeneralizationTerms(name, pd.DataFrame(rows), files, notes)


def _rows(
    wanted: Sequence[BoundTerm], parts: Sequence[Part], head: str | None, known: _Known
) -> list[tuple[BoundTerm, PropertyRow]]:
    there = {"network": known.sensitivity, "labels": known.classes, "losses": known.bounded}
    return [
        (record, _row(record, part, known))
        for record in wanted
        if there[record.needs] is not None
        for part in parts
        if not record.of_network or part.name == head
    ]


def _row(record: BoundTerm, part: Part, known: _Known) -> PropertyRow:
    n = len(part.matrix)
    judged = n if record.needs == "network" or known.classes is None else int(known.classes.known.sum())
    base: dict[str, Any] = {"part": str(part.name), "n_units": int(part.matrix.shape[1]), "n_stimuli": judged}
    base["dropped"] = n - judged
    try:
        value, error = _value(record, part, known)
    except UndefinedError as undefined:
        return PropertyRow.model_validate(base | {"value": None, "reason": str(undefined)})
    return PropertyRow.model_validate(base | {"value": value, "error": error})


def _value(record: BoundTerm, part: Part, known: _Known) -> Number:
    layer = str(part.name)
    if record.needs == "network":
        assert known.sensitivity is not None  # see _rows
        of = known.sensitivity[layer]
        return (of.local() if record.id == "sensitivity.local" else of.upper()), None
    if record.needs == "labels":
        assert known.classes is not None
        rows = np.flatnonzero(known.classes.known)
        return probe_gap(np.asarray(part.matrix)[rows], known.classes.labels[rows].astype(str), seed=known.seed)
    assert known.bounded is not None
    return known.bounded.value(record.id, layer), None


def _params(known: Classes | None, bounded: Bounded | None, label: str, n_points: int, seed: int) -> dict[str, Any]:
    labelled = {} if known is None else {"label": label, "labels_sha256": known.sha256, "seed": seed}
    return {
        "network": {"n_points": n_points, "seed": seed},
        "labels": labelled,
        "losses": labelled | ({} if bounded is None else bounded.params),
    }


def _written(
    results: str | Path, measured: Sequence[tuple[BoundTerm, PropertyRow]], part: Part, said: dict[str, Any]
) -> list[Path]:
    assert part.source is not None  # it comes from the store
    files = []
    for record in dict.fromkeys(record for record, _ in measured):
        result = PropertyResult(
            source=part.source,
            property=MetricInput(id=record.id, version=record.version, params=said[record.needs]),
            simulated=part.simulated,
            rows=[row for of, row in measured if of is record],
            provenance=provenance(),
        )
        files.append(write_property(results, result))
    return files

"""How well networks know classes, measured on labelled images; kept as result files that `relate` reads."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainalign.errors import UndefinedError, UnknownLayerError
from brainalign.metrics.accuracies import ACCURACIES, AccuracyProperty, get_accuracy
from brainalign.metrics.classification import Classified, difference, zero_shot_scores
from brainalign.models.network import Network
from brainalign.results import PropertyResult, PropertyRow, provenance, write_property
from brainalign.results.schema import MetricInput
from brainalign.store import Store, open_store
from brainalign.studies.class_names import Classes, Descriptions, described_classes, read_classes
from brainalign.studies.representations import Part, embedding_parts, last_layer

__all__ = ["Accuracy", "accuracy_differences", "measure_accuracy"]

TEMPLATES = ("a photo of a {}.",)


@dataclass(frozen=True, eq=False)
class Accuracy:
    """What a network knows of the classes of some stimuli.

    Attributes
    ----------
    model : str
        ``model@revision``.
    table : DataFrame
        Columns model, layer, property, value, error, chance, n_stimuli, n_classes, dropped, reason. ``error`` is the
        standard error over stimuli.
    judged : dict of (layer, property) to Classified
        Stimulus by stimulus; what is undefined is not there.
    files : list of path
        Written result files.
    notes : list of str
        What could not be measured, and what to do.
    """

    model: str
    table: pd.DataFrame
    judged: dict[tuple[str, str], Classified]
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def measure_accuracy(
    model: str,
    stimuli: str,
    store: Store | str | None = None,
    *,
    label: str = "label",
    classes: Sequence[str] | None = None,
    first_class: int = 0,
    layers: Sequence[str] | None = None,
    properties: Sequence[str] | None = None,
    text: str | Network | None = None,
    templates: Sequence[str] = TEMPLATES,
    allow_download: bool = False,
    seed: int = 0,
    results: str | Path | None = None,
) -> Accuracy:
    """Measure how well stored embeddings name the classes of labelled stimuli.

    Parameters
    ----------
    model : str
        ``model@revision``, or ``model`` where the store has one revision.
    stimuli : str
        A stimulus set with a column of classes; stimuli without one are left out.
    store : Store or str, optional
        The store, or its URL; default as in `open_store`.
    label : str
        That column: whole numbers, which are columns of the classifier's output, or names.
    classes : sequence of str, optional
        Names of the classes in the order of the classifier's output, where labels are names; default those that the
        network brings along. Without ``classes`` and of a network that says nothing, names have no own classifier.
    first_class : int
        Which output class 0 is: 1 for networks that begin with a class "background".
    layers : sequence of str, optional
        Names or patterns of stored layers for probe and kNN; default all that are stored. The own classifier is the
        last layer of the network, which must be stored (``layers="output"`` of `embed`).
    properties : sequence of str, optional
        Ids of `brainalign.metrics.accuracies.ACCURACIES`; default all, zero-shot where ``text`` is given.
    text : str or Network, optional
        The text tower that describes the classes in the space of the embeddings' last layer, such as
        ``open_clip:ViT-B-32/weights.pt#text``.
    templates : sequence of str
        What is said of a class, with ``{}`` for its name (the ``classes``, or the labels); several are averaged.
    allow_download : bool
        Let the text tower fetch published weights.
    seed : int
        Of the halves of probe and kNN.
    results : path, optional
        Root of result files to write to.

    Raises
    ------
    EntryNotFoundError, UnknownLayerError, ChoiceError
        No such embeddings, layers or accuracies.
    InputError
        No such column, labels that the classes do not name, or a class beyond the outputs.
    ResultConflictError
        A file there was made from other data or with other parameters.

    Notes
    -----
    Probe and kNN are trained on one half of the images and tested on the other, both ways; where every class has one
    image they are undefined and say so. Cost: as of `knn_correct` and `probe_correct` for each layer.
    """
    opened = store if isinstance(store, Store) else open_store(store)
    wanted = [get_accuracy(name) for name in (ACCURACIES if properties is None else properties)]
    there = opened.embeddings(model, stimuli=stimuli)
    name = f"{there.attrs['model']}@{there.attrs['revision']}"
    listed = classes if classes is not None else there.attrs.get("attributes", {}).get("classes")
    ids = [str(s) for s in there["stimulus"].values]
    known = read_classes(opened.stimuli(stimuli), ids, stimuli, label, listed, first_class)
    texts = None if text is None else described_classes(text, known.names, templates, allow_download=allow_download)
    if texts is None and properties is None:
        wanted = [record for record in wanted if record.needs != "descriptions"]
    head = last_layer(there)
    notes = []
    if head is None and any(record.of_network for record in wanted):
        wanted = [record for record in wanted if not record.of_network]
        notes.append(
            f"the last layer of {name} is not stored, so what it says of classes is not known: "
            f"brainalign embed {there.attrs['model']} --stimuli {stimuli} --layer output"
        )
        if not wanted:
            raise UnknownLayerError(notes[0])
    said: dict[str, Any] = {"label": label, "labels_sha256": known.sha256, "seed": seed, "first_class": first_class}
    if texts is not None:
        said |= {"text": texts.network, "templates": list(templates)}
    keys = [str(key) for key in there.data_vars if key == head or _asked(str(key), layers)]
    measured = [
        (record, part, *_measured(record, part, known, seed, texts))
        for part in embedding_parts(name, stimuli, opened, keys, None, seed)
        for record in wanted
        if (part.name == head if record.of_network else _asked(str(part.name), layers))
    ]
    if not measured:
        raise UnknownLayerError(f"no stored layer of {name} matches {', '.join(layers or ())}.")
    rows = [
        {"model": name, "layer": part.name, "property": record.id, "n_classes": known.n_classes}
        | {"chance": None if found is None else found.chance}
        | row.model_dump(include={"value", "error", "n_stimuli", "dropped", "reason"})
        for record, part, row, found in measured
    ]
    judged = {(str(part.name), record.id): found for record, part, _, found in measured if found is not None}
    files = [] if results is None else _written(results, measured, said)
    return Accuracy(name, pd.DataFrame(rows), judged, files, notes)


def _asked(name: str, patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(name == p or fnmatch(name, p) or name.rpartition("|")[0] == p for p in patterns)


def _measured(
    record: AccuracyProperty, part: Part, known: Classes, seed: int, texts: Descriptions | None
) -> tuple[PropertyRow, Classified | None]:
    rows = np.flatnonzero(known.known)
    base = {"part": str(part.name), "n_units": int(part.matrix.shape[1])}
    try:
        found = _judged(record, np.asarray(part.matrix)[rows], rows, known, seed, texts)
    except UndefinedError as undefined:
        n = {"n_stimuli": len(rows), "dropped": len(known.known) - len(rows)}
        return PropertyRow.model_validate(base | n | {"value": None, "reason": str(undefined)}), None
    correct = np.full(len(known.known), np.nan)
    correct[rows] = found.correct
    whole = Classified(correct, found.chance)
    counts = {"n_stimuli": whole.n_stimuli, "dropped": len(correct) - whole.n_stimuli}
    error = whole.error if np.isfinite(whole.error) else None
    return PropertyRow.model_validate(base | counts | {"value": whole.value, "error": error}), whole


def _judged(
    record: AccuracyProperty, matrix: Any, rows: Any, known: Classes, seed: int, texts: Descriptions | None
) -> Classified:
    if record.needs == "features":
        return record.run(matrix, known.labels[rows].astype(str), seed)
    if record.needs == "descriptions":
        if texts is None:
            raise UndefinedError("no text tower was named (text=, --text), so classes are not described")
        return record.run(zero_shot_scores(matrix, texts.values), known.described[rows], seed)
    if known.target is None:
        raise UndefinedError("labels are names, and it is not known which output is which (classes=, --classes)")
    return record.run(matrix, known.target[rows], seed)


def _written(
    results: str | Path, measured: Sequence[tuple[Any, Part, PropertyRow, Any]], said: dict[str, Any]
) -> list[Path]:
    files = []
    for record in dict.fromkeys(m[0].id for m in measured):
        of = [m for m in measured if m[0].id == record]
        first, part = of[0][0], of[0][1]
        assert part.source is not None  # it comes from the store
        result = PropertyResult(
            source=part.source,
            property=MetricInput(id=first.id, version=first.version, params={**first.params, **said}),
            simulated=part.simulated,
            rows=[m[2] for m in of],
            provenance=provenance(),
        )
        files.append(write_property(results, result))
    return files


def accuracy_differences(found: Sequence[Accuracy], *, least: float = 3.0) -> pd.DataFrame:
    """Compare networks on the same stimuli, pair by pair, at their best layer of each accuracy.

    Parameters
    ----------
    found : sequence of Accuracy
        Of the same stimulus set.
    least : float
        Standard errors from which on two networks count as told apart.

    Returns
    -------
    DataFrame
        property, better, worse, difference, error (paired, over stimuli), told_apart. The layer of each network is
        the one with the largest value, which favours networks with many layers in probe and kNN alike.
    """
    rows = []
    for property_id in ACCURACIES:
        best = {}
        for one in found:
            layers = {layer: c for (layer, p), c in one.judged.items() if p == property_id}
            if layers:
                best[one.model] = max(layers.values(), key=lambda c: c.value)
        for (a, x), (b, y) in itertools.combinations(best.items(), 2):
            gap, error = difference(x, y)
            better, worse = (a, b) if gap >= 0 else (b, a)
            told = bool(abs(gap) > least * error)
            rows.append(
                {"property": property_id, "better": better, "worse": worse, "difference": abs(gap), "error": error}
                | {"told_apart": told}
            )
    return pd.DataFrame(rows, columns=["property", "better", "worse", "difference", "error", "told_apart"])

"""What is wrong with a dataset in the store before anyone believes a score on it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from brainalign.datasets.colour_print import colour_print
from brainalign.datasets.image_brick import iter_recorded
from brainalign.datasets.image_files import open_images
from brainalign.datasets.splits import load_split
from brainalign.errors import BrainalignError, ChoiceError, near_names
from brainalign.store import average_repeats
from brainalign.store.findings import Finding, ResponseWatch, region_findings, response_findings
from brainalign.store.id_base import id_base_findings, id_shift_scores
from brainalign.store.leaks import LEVELS, alike, same_content, shared_stimuli
from brainalign.store.near_duplicates import print_matrix

if TYPE_CHECKING:
    import xarray as xr

    from brainalign.store import Store

__all__ = ["AuditReport", "Finding", "audit_dataset"]

COSINE = 0.99


@dataclass(frozen=True)
class AuditReport:
    """What an audit has found; ``ok`` if nothing is an error."""

    dataset: str
    checks: tuple[str, ...]
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.level == "error" for finding in self.findings)

    def __str__(self) -> str:
        errors = sum(finding.level == "error" for finding in self.findings)
        warnings = sum(finding.level == "warning" for finding in self.findings)
        first = f"{self.dataset}: {errors} errors, {warnings} warnings; looked at {', '.join(self.checks)}"
        return "\n".join([first, *map(str, self.findings)])


def audit_dataset(
    store: Store,
    dataset: str,
    *,
    variant: str | None = None,
    subjects: Sequence[str] | None = None,
    folds: Sequence[tuple[Sequence[str], Sequence[str]]] = (),
    split: str | None = None,
    embedding: str | None = None,
    layer: str | None = None,
    images: bool = True,
    seed: int = 0,
) -> AuditReport:
    """Look for leaks and mistakes in a dataset.

    Parameters
    ----------
    store : Store
    dataset, variant : str
    subjects : sequence of str, optional
        Default: all.
    folds : sequence of (train ids, test ids), optional
        A split to check: a stimulus in both parts is an error, pictures alike in both parts a warning.
    split : str, optional
        A registered split of the stimulus set to check, as ``tau.v1``, in place of ``folds``.
    embedding : str, optional
        Model, or ``model@revision``, in the store: adds near-duplicates by cosine, and the check of the id base.
    layer : str, optional
        Of the embedding; default the last.
    images : bool
        Compare image files with the hashes recorded at import.
    seed : int
        Of the shuffles of the id-base check.

    Returns
    -------
    AuditReport
        Checks: constant neuroids, regions with the same neuroids, session effects, splits, near-duplicates, id base,
        image files.

    Raises
    ------
    ChoiceError
        If the dataset or a subject is not in the store.
    """
    known = store.subjects(dataset, variant)
    if not known:
        choices = sorted({str(name) for name in store.entries()["dataset"] if name})
        raise ChoiceError(f"the store has no responses of {dataset!r}.{near_names(dataset, choices)}")
    for name in subjects or ():
        if name not in known:
            raise ChoiceError(f"{dataset} has no subject {name!r}.{near_names(name, known)}")
    findings: list[Finding] = []
    sets: dict[str, None] = {}
    for name in subjects or known:
        responses = store.responses(dataset, name, variant=variant)
        sets[responses.attrs["stimulus_set"]] = None
        if responses.attrs["kind"] == "responses":
            findings += _responses(responses, name)
            if embedding is not None:
                findings += _id_base(store, responses, name, embedding, layer, seed)
    checks = ["neuroids", "regions", "sessions"] + ["id base"] * (embedding is not None)
    if split is not None:
        made = [load_split(store, stimulus_set, split) for stimulus_set in filter(None, sets)]
        folds = [(variant.train_ids, variant.test_ids) for one in made for variant in one.variants]
    findings += list(shared_stimuli(folds))
    for stimulus_set in filter(None, sets):
        table = store.stimuli(stimulus_set)
        findings += _alike(store, table, stimulus_set, folds, embedding, layer)
        if images:
            findings += _files(table, stimulus_set)
    return AuditReport(dataset, (*checks, "splits", "near-duplicates", *(["image files"] * images)), findings)


def _responses(responses: xr.Dataset, name: str) -> Iterator[Finding]:
    """Look at what stands in the store, whatever was seen when it was written."""
    sessions = responses["session"].values if "session" in responses.coords else None
    watch = ResponseWatch(responses.sizes["neuroid"], sessions)
    watch.update(np.asarray(responses["response"].values))
    yield from response_findings(watch.seen(), name)
    if "roi" in responses:
        yield from region_findings(np.asarray(responses["roi"].values), list(responses["roi"].attrs["labels"]), name)


def _id_base(
    store: Store, responses: xr.Dataset, name: str, embedding: str, layer: str | None, seed: int
) -> Iterator[Finding]:
    embeddings = store.embeddings(embedding, stimuli=responses.attrs["stimulus_set"])
    mean = average_repeats(responses)
    key = _layer(embeddings, layer)
    found = id_shift_scores(
        np.asarray(embeddings[key].values), embeddings["stimulus"].values.tolist(),
        np.asarray(mean["response"].values), mean["stimulus"].values.tolist(), seed=seed,
    )  # fmt: skip
    if found is None:
        yield Finding("note", "id base", name, "fewer than 20 stimuli have embedded neighbours by number; not checked.")
        return
    yield from id_base_findings(found, name, level="error")
    if found.confirmed:
        yield Finding("note", "id base", name, f"the peak is at 0 ({found}).")
    elif not found.wrong:
        message = f"no peak at 0 above shuffled ids ({found}), so ids cannot be confirmed."
        yield Finding("warning", "id base", name, message)


def _layer(embeddings: xr.Dataset, layer: str | None) -> str:
    keys = [str(key) for key in embeddings.data_vars]
    if layer is not None and layer not in keys:
        raise ChoiceError(f"the embedding has no layer {layer!r}.{near_names(layer, keys)}")
    return layer or keys[-1]


def _alike(
    store: Store,
    table: pd.DataFrame,
    stimulus_set: str,
    folds: Sequence[tuple[Sequence[str], Sequence[str]]],
    embedding: str | None,
    layer: str | None,
) -> Iterator[Finding]:
    ids = table["stimulus"].tolist()
    if "sha256" in table.columns:
        yield from same_content(ids, table["sha256"].fillna("").tolist(), stimulus_set)
    if "print" in table.columns:
        yield from alike(print_matrix(table["print"].fillna("").tolist()), ids, folds, stimulus_set, levels=LEVELS)
    if embedding is not None:
        found = store.embeddings(embedding, stimuli=stimulus_set)
        features = np.asarray(found[_layer(found, layer)].values)
        yield from alike(features, found["stimulus"].values.tolist(), folds, stimulus_set, cosine=COSINE)


def _files(table: pd.DataFrame, stimulus_set: str) -> Iterator[Finding]:
    source = table.attrs.get("source")
    if source and table.attrs.get("kind") == "hdf5":
        try:
            for _ in iter_recorded(Path(source), table):
                pass
        except BrainalignError as error:
            yield Finding("error", "image files", stimulus_set, str(error))
        return
    if not source or table.attrs.get("kind") not in ("folder", "zip") or "sha256" not in table.columns:
        return
    check, other, recoded = "image files", [], 0
    try:
        with open_images(source) as images:
            for row in table.itertuples():
                data = images.read(str(row.file))
                if hashlib.sha256(data).hexdigest() == row.sha256:
                    continue
                if _same_picture(data, {"print": getattr(row, "print", "")}):
                    recoded += 1
                else:
                    other.append(str(row.stimulus))
    except BrainalignError as error:
        yield Finding("error", check, stimulus_set, str(error))
        return
    if recoded:
        yield Finding("note", check, stimulus_set, f"{recoded} files have other bytes but the same picture.")
    if other:
        message = f"{len(other)} files are other pictures than were imported, first of {other[0]!r}, in {source}."
        yield Finding("error", check, stimulus_set, message)


def _same_picture(data: bytes, recorded: Mapping[str, Any]) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            prints = print_matrix([colour_print(image), str(recorded["print"] or "")])
    except Exception:  # damaged images raise many kinds; a picture that does not decode is another one
        return False
    return bool(np.abs(prints[0] - prints[1]).max() <= LEVELS * 2)

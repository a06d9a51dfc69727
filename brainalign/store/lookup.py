"""Which entry a user means by its names: the only one, or an error that lists what there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from brainalign.errors import EntryNotFoundError, VariantError, near_names
from brainalign.store.files import Files
from brainalign.store.layout import embedding_place, response_place
from brainalign.store.places import list_places
from brainalign.store.read import read_pointer

__all__ = ["find_embeddings", "find_responses"]


def find_responses(files: Files, dataset: str, subject: str, variant: str | None) -> str:
    """Return the place of the responses or RDMs of a subject.

    Raises
    ------
    EntryNotFoundError
        If there is none; near names are offered.
    VariantError
        If there are several variants and none is named.
    """
    if variant is not None:  # the place is known: one or two requests, however much the store holds
        named = [response_place(kind, dataset, variant, subject) for kind in ("responses", "rdms")]
        there = [place for place in named if read_pointer(files, place) is not None]
        if len(there) == 1:
            return there[0]
    places = list_places(files, ("responses", "rdms"))
    mine = [p for p in places if p.key["dataset"] == dataset]
    if not mine:
        _not_found(files, "dataset", dataset, (p.key["dataset"] for p in places))
    found = [p for p in mine if p.key["subject"] == subject]
    if not found:
        _not_found(files, f"subject of {dataset!r}:", subject, (p.key["subject"] for p in mine))
    chosen = [p for p in found if variant in (None, p.key["variant"])]
    if not chosen:
        _not_found(files, f"variant of {dataset!r} {subject!r}:", str(variant), (p.key["variant"] for p in found))
    if len(chosen) > 1:
        listed = ", ".join(f"{p.key['variant']!r} ({p.key['kind']})" for p in chosen)
        raise VariantError(f"{dataset!r} {subject!r} has several variants; name one of {listed}")
    return chosen[0].path


def find_embeddings(files: Files, model: str, stimulus_set: str, revision: str | None) -> str:
    """Return the place of the embeddings of a set by a model, given as ``id`` or ``id@revision``.

    Raises
    ------
    EntryNotFoundError
        If there is none; near names are offered.
    VariantError
        If there are several revisions and none is named.
    """
    if revision is not None:
        place = embedding_place(model, revision, stimulus_set)
        if read_pointer(files, place) is not None:
            return place
    places = list_places(files, ("embeddings",))
    known = {p.key["model"] for p in places}
    if revision is None and model not in known and "@" in model:
        model, revision = model.rsplit("@", 1)
    mine = [p for p in places if p.key["model"] == model]
    if not mine:
        _not_found(files, "model", model, known)
    found = [p for p in mine if p.key["stimulus_set"] == stimulus_set]
    if not found:
        _not_found(files, f"embeddings by {model!r} of the set", stimulus_set, (p.key["stimulus_set"] for p in mine))
    chosen = [p for p in found if revision in (None, p.key["revision"])]
    if not chosen:
        _not_found(files, f"revision of {model!r}:", str(revision), (p.key["revision"] for p in found))
    if len(chosen) > 1:
        listed = ", ".join(repr(p.key["revision"]) for p in chosen)
        raise VariantError(f"{model!r} has several revisions on {stimulus_set!r}; name one of {listed}")
    return chosen[0].path


def _not_found(files: Files, what: str, name: str, choices: Iterable[str]) -> NoReturn:
    hint = near_names(name, sorted(set(choices))) or " The store holds none."
    raise EntryNotFoundError(f"no {what} {name!r} in {files.label}.{hint}")

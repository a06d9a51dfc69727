"""Putting what is in memory into the store: new, the same again, or other than what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace as replace_field
from typing import Any

import xarray as xr

from brainalign.errors import InputError, VariantError
from brainalign.store.content import Array, Source
from brainalign.store.differences import differences, refuse_other_values
from brainalign.store.embedding_writer import EmbeddingWriter
from brainalign.store.embeddings import LayerSpec
from brainalign.store.files import Files
from brainalign.store.findings import ResponseWatch
from brainalign.store.layout import plain, response_place
from brainalign.store.read import open_entry
from brainalign.store.responses import response_attrs
from brainalign.store.write import write_entry

__all__ = ["layers_of", "put_brain", "write_in_memory"]


def put_brain(
    files: Files,
    key: Mapping[str, str],
    given: xr.Dataset,
    sources: Mapping[str, Source],
    options: Mapping[str, Any],
    *,
    replace: bool,
) -> bool:
    """Write responses or RDMs; False if the same are there, VariantError if others are."""
    attrs, options = response_attrs(given), plain(options, where="options")
    place = response_place(key["kind"], key["dataset"], key["variant"], key["subject"])
    there = open_entry(files, place)
    if there is not None:
        said = differences(there, options, attrs, sources)
        if not said:
            return False
        if not replace:
            listed = "\n".join(f"  {line}" for line in said)
            raise VariantError(
                f"{there.label} is there, made otherwise:\n{listed}\nstore under another variant, or pass replace=True"
            )
    replacing = there is not None
    if "response" not in sources:
        write_entry(files, place, key, sources, options=options, attrs=attrs, replace=replacing)
        return True
    watch, watched = _watched(given, sources["response"])

    def finish() -> dict[str, Any]:
        return {**attrs, "provenance": {**(attrs.get("provenance") or {}), "seen": watch.seen()}}

    sources = {**sources, "response": watched}
    write_entry(files, place, key, sources, options=options, attrs=finish, replace=replacing)
    return True


def _watched(given: xr.Dataset, source: Source) -> tuple[ResponseWatch, Source]:
    """Return a watch, and the source of the responses that shows it each block as it is written."""
    sessions = given["session"].values if "session" in given.variables else None
    if sessions is not None and len(sessions) != source.shape[0]:
        sessions = None
    watch = ResponseWatch(source.shape[1], sessions)

    def blocks(rows: int) -> Iterator[Array]:
        for block in source.blocks(rows):
            watch.update(block)
            yield block

    return watch, replace_field(source, blocks=blocks)


def layers_of(
    given: Mapping[str, Array], n_stimuli: int, layer_attrs: Mapping[str, Mapping[str, Any]]
) -> list[LayerSpec]:
    """Return the specifications of layers in memory."""
    shapes = {key: v.shape for key, v in given.items() if v.ndim != 2 or len(v) != n_stimuli}
    if shapes:
        raise InputError(f"expected arrays ({n_stimuli} stimuli, features); given {shapes}")
    return [LayerSpec(key, v.shape[1], layer_attrs.get(key, {})) for key, v in given.items()]


def write_in_memory(files: Files, writer: EmbeddingWriter, given: Mapping[str, Array]) -> bool:
    """Write all rows through a writer; False if the same are there, VariantError if others are."""
    if writer.entry_sha256 is not None:
        there = open_entry(files, writer.place)
        if there is not None:
            refuse_other_values(there, given)
        return False
    try:
        writer.restart()
        for start in range(0, len(writer.stimuli), writer.chunk_rows):
            writer.append({key: v[start : start + writer.chunk_rows] for key, v in given.items()})
        writer.commit()
    finally:
        writer.close(keep=False)
    return True

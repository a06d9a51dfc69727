"""In what stored data differ from what is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainalign.errors import VariantError
from brainalign.store.content import Array, Source, content_sha256, whole
from brainalign.store.layout import matrix_chunks
from brainalign.store.read import Entry

__all__ = ["differences", "refuse_other_values"]


def refuse_other_values(there: Entry, given: Mapping[str, Array]) -> None:
    """Raise VariantError unless the layers of an entry hold the given values."""
    for name, values in given.items():
        record = there.document["arrays"][name]
        source = whole(values.astype(record["dtype"], copy=False), tuple(record["dims"]))
        if content_sha256(source, rows=4096) != record["sha256"]:
            raise VariantError(
                f"{there.label} is there with other values of layer {name!r}; "
                "use another revision, or pass replace=True"
            )


def differences(
    there: Entry, options: Mapping[str, Any], attrs: Mapping[str, Any], sources: Mapping[str, Source]
) -> list[str]:
    """Say in what an entry differs from what is to be written; contents are read only if all else is equal."""
    attrs = {k: v for k, v in attrs.items() if k != "provenance"}
    said = _named("option", there.document["options"], options) + _named("attribute", there.document["attrs"], attrs)
    arrays = there.document["arrays"]
    for name in sorted(arrays.keys() ^ sources.keys()):
        said.append(f"variable {name}: {'given' if name in sources else 'stored'} only")
    for name in sorted(arrays.keys() & sources.keys()):
        record, source = arrays[name], sources[name]
        if (tuple(record["shape"]), record["dtype"], tuple(record["dims"])) != (
            source.shape,
            source.dtype,
            source.dims,
        ):
            stored, given = f"{record['shape']} {record['dtype']}", f"{list(source.shape)} {source.dtype}"
            said.append(f"variable {name}: stored {stored}, given {given}")
        elif record["attrs"] != dict(source.attrs):
            said.append(f"variable {name}: attributes stored {record['attrs']}, given {dict(source.attrs)}")
    if said:
        return said
    return [
        f"variable {name}: the values differ"
        for name, source in sources.items()
        if content_sha256(source, rows=matrix_chunks(source.shape, 8)[0]) != arrays[name]["sha256"]
    ]


def _named(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    said = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name, ...) != new.get(name, ...):
            shown = [repr(d[name]) if name in d else "nothing" for d in (old, new)]
            said.append(f"{what} {name}: stored {shown[0]}, given {shown[1]}")
    return said

"""The layers of an entry of embeddings: what describes them, how wide their chunks are, how they are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from brainalign.errors import InputError
from brainalign.store.read import Entry

__all__ = ["WIDEST_CHUNK", "LayerSpec", "check_arguments", "default_chunk_rows", "read_embeddings"]

_DTYPES = ("float16", "float32", "float64")
WIDEST_CHUNK = 16 << 20
_BUFFER = 64 << 20


@dataclass(frozen=True)
class LayerSpec:
    """A layer to be stored: the key a user sees, its width, and how it was read (layer, pooling, reduction, seed)."""

    key: str
    n_features: int
    attrs: Mapping[str, Any] = field(default_factory=dict)


def default_chunk_rows(n_stimuli: int, widths: Sequence[int], itemsize: int) -> int:
    """Return the rows of one chunk, the same for all layers so that a stream resumes at one row.

    The widest layer's chunk stays below 16 MB and the buffers of all layers below 64 MB.

    >>> default_chunk_rows(73000, [512] * 50, 4)
    655
    """
    rows = min(_BUFFER // (itemsize * sum(widths)), WIDEST_CHUNK // (itemsize * max(widths)))
    return max(1, min(n_stimuli, rows))


def check_arguments(stimuli: Sequence[str], layers: Sequence[LayerSpec], dtype: str, chunk_rows: int | None) -> None:
    """Raise InputError for arguments of a writer that no entry can have."""
    bad = next((i for i, s in enumerate(stimuli) if not isinstance(s, str) or not s), None)
    if bad is not None or len(stimuli) == 0:
        raise InputError(
            f"stimuli must be ids, at least one; {'none given' if bad is None else f'row {bad} is no text'}"
        )
    if len(set(stimuli)) != len(stimuli):
        twice = [s for s, n in Counter(stimuli).items() if n > 1][:5]
        raise InputError(f"{len(stimuli) - len(set(stimuli))} stimulus ids are repeated, first {twice}")
    keys = [s.key for s in layers]
    if not keys or len(set(keys)) != len(keys) or any(not k for k in keys):
        raise InputError(f"layers need keys that are unique and not empty; given {keys}")
    narrow = [s.key for s in layers if s.n_features < 1]
    if narrow:
        raise InputError(f"layers {narrow} have no features")
    if {"stimulus", "sha256", "print"} & set(keys):
        raise InputError("'stimulus', 'sha256' and 'print' are names of coordinates; give the layer another key")
    if dtype not in _DTYPES:
        raise InputError(f"embeddings are kept as one of {_DTYPES}; given {dtype!r}")
    if chunk_rows is not None and chunk_rows < 1:
        raise InputError(f"chunk_rows must be at least 1; given {chunk_rows}")


def read_embeddings(entry: Entry) -> xr.Dataset:
    """Return an entry of embeddings as a dataset, one lazy variable (stimulus, own feature dimension) a layer."""
    data, coords = {}, {}
    for name in entry.names():
        if name.startswith("coordinate "):
            coords[name.removeprefix("coordinate ")] = ("stimulus", entry.values(name))
        else:
            data[name] = entry.variable(name)
    key = {k: v for k, v in entry.document["key"].items() if k != "kind"}
    attrs = {**entry.document["attrs"], **key, "entry_sha256": entry.entry_sha256}
    if "provenance" in entry.document:
        attrs["provenance"] = entry.document["provenance"]
    return xr.Dataset(data, coords=coords, attrs=attrs)

"""What the store holds already of a network's embedding of a stimulus set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brainalign.errors import EntryNotFoundError, InputError
from brainalign.models.batching import Batching
from brainalign.store import Store

__all__ = ["Stored", "read_stored"]


@dataclass(frozen=True)
class Stored:
    """An entry of embeddings, without its numbers.

    ``layers`` holds (layer, pooling, seed of the projection or None) of each key; ``fits`` says whether the rows are
    the stimuli that the set holds now.
    """

    keys: tuple[str, ...]
    layers: tuple[tuple[str, str, int | None], ...]
    dtype: str
    fits: bool
    batching: Batching | None
    fold_norms: bool
    requests: tuple[dict[str, Any], ...]

    def refuse_other_dtype(self, dtype: str) -> None:
        """Raise InputError if the entry is kept in another type: one entry has one type."""
        if dtype != self.dtype:
            raise InputError(
                f"the embedding is stored as {self.dtype}, and {dtype} was asked for: pass dtype={self.dtype!r}, "
                "or keep this one under another name="
            )


def read_stored(store: Store, model: str, revision: str, stimuli: str) -> Stored | None:
    """Return what is there, or None."""
    try:
        there = store.embeddings(model, stimuli=stimuli, revision=revision)
    except EntryNotFoundError:
        return None
    keys = tuple(str(key) for key in there.data_vars)
    extraction = there.attrs.get("extraction", {})
    if not extraction:
        raise InputError(
            f"{model}@{revision} on {stimuli!r} was put into the store by other means; give this one another name="
        )
    seeds = [there[key].attrs.get("seed") for key in keys]
    layers = [(*key.rpartition("|")[::2], seed) for key, seed in zip(keys, seeds, strict=True)]
    return Stored(
        keys=keys,
        layers=tuple((str(layer), str(pooling), seed) for layer, pooling, seed in layers),
        dtype=str(extraction["dtype"]),
        fits=_same_rows(there, store.stimuli(stimuli)),
        batching=Batching(int(extraction["batch_size"]), str(extraction["memory_format"])),
        fold_norms=bool(extraction.get("fold_norms", False)),
        requests=tuple(there.attrs.get("provenance", {}).get("requests", ())),
    )


def _same_rows(there: Any, table: Any) -> bool:
    if [str(s) for s in there["stimulus"].values] != [str(s) for s in table["stimulus"]]:
        return False
    if "sha256" not in there.coords or "sha256" not in table:
        return True
    return [str(s) for s in there["sha256"].values] == [str(s) for s in table["sha256"].fillna("")]

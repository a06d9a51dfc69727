"""What the store holds already of a network's embedding of a stimulus set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brainalign.errors import EntryNotFoundError, InputError, ModelError
from brainalign.models.batching import Batching
from brainalign.models.check_image import Seen, differences
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
    precision: str
    requests: tuple[dict[str, Any], ...]
    fit_on: str | None = None
    check_image: dict[str, Any] | None = None

    def refuse_other_dtype(self, dtype: str) -> None:
        """Raise InputError if the entry is kept in another type: one entry has one type."""
        if dtype != self.dtype:
            raise InputError(
                f"the embedding is stored as {self.dtype}, and {dtype} was asked for: pass dtype={self.dtype!r}, "
                "or keep this one under another name="
            )

    def refuse_other_precision(self, precision: str) -> None:
        """Raise InputError if the entry was computed in another precision: its layers belong to one forward pass."""
        if precision != self.precision:
            raise InputError(
                f"the embedding was computed in {self.precision}, and {precision} was asked for: pass "
                f"precision={self.precision!r}, or keep this one under another name="
            )

    def refuse_other_training_set(self, fit_on: str | None) -> str | None:
        """Return the training set of the components that are there, else ``fit_on``; another is refused."""
        if self.fit_on is not None and fit_on not in (None, self.fit_on):
            raise InputError(
                f"the components of this embedding were fitted on {self.fit_on!r}, and {fit_on!r} was asked for: keep "
                "this one under another name="
            )
        return self.fit_on or fit_on

    def refuse_other_pixels(self, seen: Seen | None) -> None:
        """Raise ModelError if the preprocessing does something else than when the entry was made."""
        if self.check_image is None or seen is None:
            return
        colours, place = differences(seen, Seen.of(self.check_image))
        if colours or place:
            raise ModelError(
                "the preprocessing has the description of before, but makes something else of a check image: "
                + "; ".join([*colours, *place])
                + ". Describe it anew, or keep this embedding under another name="
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
        precision=str(extraction.get("precision", "float32")),
        requests=tuple(there.attrs.get("provenance", {}).get("requests", ())),
        fit_on=next((str(f["stimuli"]) for key in keys if (f := there[key].attrs.get("fitted_on"))), None),
        check_image=extraction.get("check_image"),
    )


def _same_rows(there: Any, table: Any) -> bool:
    if [str(s) for s in there["stimulus"].values] != [str(s) for s in table["stimulus"]]:
        return False
    if "sha256" not in there.coords or "sha256" not in table:
        return True
    return [str(s) for s in there["sha256"].values] == [str(s) for s in table["sha256"].fillna("")]

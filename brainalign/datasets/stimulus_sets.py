"""Stimulus sets that come bit by bit: subjects saw different images, or the images come after the responses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainalign.datasets.image_files import open_images
from brainalign.datasets.images import describe_images
from brainalign.datasets.videos import describe_videos
from brainalign.errors import DatasetError, VariantError

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["complete_stimuli", "extend_stimuli", "recorded_stimuli", "with_images"]


def extend_stimuli(
    store: Store,
    stimulus_set: str,
    table: pd.DataFrame,
    *,
    source: str | None = None,
    kind: str | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Register stimuli; those that the set has already stay as they are.

    Parameters
    ----------
    store : Store
    stimulus_set : str
    table : DataFrame
        As for :meth:`brainalign.store.Store.put_stimuli`.
    source, kind : str, optional
        Where the images lie, and how.
    attrs : mapping, optional

    Returns
    -------
    DataFrame
        The whole set.

    Raises
    ------
    VariantError
        If a stimulus is there with other properties, or images of one set would lie in two places.
    """
    recorded = recorded_stimuli(store, stimulus_set)
    there = table.iloc[:0] if recorded is None else recorded
    old = there.attrs.get("source")
    _refuse_changed(stimulus_set, there, table)
    new = table[~table["stimulus"].isin(there["stimulus"])]
    if old and source and old != source and len(new):
        raise VariantError(
            f"the images of stimulus set {stimulus_set!r} lie in {old}; {len(new)} more would come from {source}. A "
            "set has one source: put the images of all subjects under one root, or use another store for the others."
        )
    merged = _merged(there, table, new)
    if len(new) or set(merged.columns) != set(there.columns):
        store.put_stimuli(
            stimulus_set,
            merged,
            source=source or old,
            kind=kind or there.attrs.get("kind"),
            attrs={**(there.attrs.get("attrs") or {}), **(attrs or {})},
            replace=bool(len(there)),
        )
    return merged


def recorded_stimuli(store: Store, stimulus_set: str) -> pd.DataFrame | None:
    """Return the table of a set; None if the store has none."""
    return store.stimuli(stimulus_set) if stimulus_set in store.stimulus_sets() else None


def complete_stimuli(
    store: Store,
    stimulus_set: str,
    table: pd.DataFrame,
    *,
    source: str | None = None,
    attrs: Mapping[str, Any],
    kind: str | None = None,
) -> None:
    """Record a set; a recorded one of the same ids is replaced unless an image has another hash now.

    Parameters
    ----------
    store, stimulus_set, table, source, kind, attrs
        As for ``Store.put_stimuli``. A table without any image leaves a recorded one as it is.

    Raises
    ------
    VariantError
        If the recorded set has other ids, or another hash of an image.
    """
    there = recorded_stimuli(store, stimulus_set)
    same = there is not None and list(there["stimulus"]) == list(table["stimulus"])
    if same and source is None:
        return
    agree = same and there is not None and _hashes_agree(there, table)
    store.put_stimuli(stimulus_set, table, source=source, kind=kind, attrs=attrs, replace=agree)


def with_images(table: pd.DataFrame, images: str | Path | None) -> tuple[pd.DataFrame, str | None, str | None]:
    """Add file, size, hash and colour print of the images whose names without ending are the stimulus ids.

    Where there are no such images, films or folders of these names are taken as videos, the images of a folder as the
    frames.

    Returns the table, the source and its kind; all unchanged and None where ``images`` is None.

    Raises
    ------
    DatasetError
        If a stimulus has no image (or no folder of frames), or two.
    """
    if images is None:
        return table, None, None
    wanted = set(table["stimulus"])
    with open_images(images) as files:
        names = [PurePosixPath(file) for file in files.names()]
        ids = {str(file): file.stem for file in names if file.stem in wanted}
        of_frames = any(file.parent.name in wanted for file in names)
        of_films = any(PurePosixPath(file).stem in wanted for file in files.films())
    if not ids and (of_frames or of_films):
        videos, kind = describe_videos(images, wanted=wanted)
        _refuse_absent(images, "film or folder of frames", wanted, set(videos["stimulus"]))
        return table.merge(videos, on="stimulus", validate="one_to_one"), str(Path(images).resolve()), kind
    _refuse_absent(images, "image", wanted, set(ids.values()))
    described, kind = describe_images(images, ids=ids)
    return table.merge(described, on="stimulus", validate="one_to_one"), str(Path(images).resolve()), kind


def _refuse_absent(images: str | Path, what: str, wanted: set[str], there: set[str]) -> None:
    absent = sorted(wanted - there)
    if absent:
        raise DatasetError(
            f"{images} has no {what} of {len(absent)} of {len(wanted)} stimuli, first {absent[0]!r}; leave images= "
            "away to bring the responses in without them."
        )


def _refuse_changed(stimulus_set: str, there: pd.DataFrame, table: pd.DataFrame) -> None:
    old, new = there.set_index("stimulus"), table.set_index("stimulus")
    shared = old.index.intersection(new.index)
    for column in old.columns.intersection(new.columns).drop("file", errors="ignore"):
        before, after = old.loc[shared, column], new.loc[shared, column]
        if not (pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(after)):
            before, after = before.astype(str).where(before.notna(), ""), after.astype(str).where(after.notna(), "")
        known = before.notna() & after.notna() & (before != "") & (after != "")
        changed = shared[(before != after) & known]
        if len(changed):
            raise VariantError(
                f"stimulus {changed[0]!r} of the set {stimulus_set!r} is there with {column} "
                f"{before[changed[0]]!r}, now {after[changed[0]]!r} ({len(changed)} of {len(shared)} stimuli differ): "
                "these are other stimuli. Bring them into another store."
            )


def _merged(there: pd.DataFrame, table: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Old rows, with columns that only the new table has, then new rows."""
    added = [column for column in table.columns if column not in there.columns]
    old = there.merge(table[["stimulus", *added]], on="stimulus", how="left") if added else there
    merged = pd.concat([old, new], ignore_index=True) if len(new) and len(old) else (new if len(new) else old)
    merged = merged.reset_index(drop=True)
    for column in merged.columns:
        if not pd.api.types.is_numeric_dtype(merged[column]):
            merged[column] = merged[column].astype(object).where(merged[column].notna(), "")
    return merged


def _hashes_agree(there: pd.DataFrame, table: pd.DataFrame) -> bool:
    """Whether no image has one hash in the one table and another in the other."""
    if "sha256" not in there.columns or "sha256" not in table.columns:
        return True
    old, new = there["sha256"].to_numpy(), table["sha256"].to_numpy()
    return bool(np.all((old == new) | (old == "") | (new == "")))

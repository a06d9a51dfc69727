"""Tables of stimulus sets: which pictures they are, to the byte."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from brainalign import __version__
from brainalign.errors import (
    CorruptEntryError,
    EntryNotFoundError,
    FormatVersionError,
    InputError,
    StoreError,
    VariantError,
    near_names,
)
from brainalign.foreign.json_text import parse_json
from brainalign.store.content import ContentHash, stored_vector
from brainalign.store.files import Files, store_errors
from brainalign.store.formats import refuse_other_format
from brainalign.store.layout import FORMAT, canonical, plain, stimuli_path

__all__ = ["find_stimuli", "list_sets", "put_stimuli", "read_stimuli"]

_KINDS = ("folder", "zip", "hdf5", "parquet", None)
_META = b"brainalign"


def put_stimuli(
    files: Files,
    stimulus_set: str,
    table: pd.DataFrame,
    *,
    source: str | None,
    kind: str | None,
    attrs: Mapping[str, Any] | None,
    replace: bool,
) -> bool:
    """Write the table of a set; see :meth:`brainalign.store.Store.put_stimuli`."""
    if kind not in _KINDS:
        raise InputError(f"kind says how the images lie: 'folder', 'zip', 'hdf5', 'parquet' or None; given {kind!r}")
    table = _checked(stimulus_set, table)
    meta = {
        "format": FORMAT,
        "written_by": f"brainalign {__version__}",
        "set": stimulus_set,
        "source": source,
        "kind": kind,
        "attrs": plain(attrs or {}, where="attrs"),
        "sha256": _table_sha256(table),
    }
    path = stimuli_path(stimulus_set)
    there = find_stimuli(files, stimulus_set)
    if there is not None and not replace:
        if there.attrs["sha256"] != meta["sha256"]:
            raise VariantError(_difference(stimulus_set, there, table))
        if all(there.attrs[k] == meta[k] for k in ("source", "kind", "attrs")):
            return False
    with store_errors(f"writing the stimulus set {stimulus_set!r}", files):
        try:
            files.publish(path, _parquet(table, meta), create=there is None)
        except FileExistsError:
            raise StoreError(
                f"another writer put the stimulus set {stimulus_set!r} meanwhile; repeat the call"
            ) from None
    return True


def _checked(stimulus_set: str, table: pd.DataFrame) -> pd.DataFrame:
    if "stimulus" not in table.columns:
        raise InputError(f"stimulus set {stimulus_set!r}: no column 'stimulus'; columns: {list(table.columns)}")
    if len(table) == 0:
        raise InputError(f"stimulus set {stimulus_set!r}: the table has no rows")
    table = table.reset_index(drop=True).copy()
    table.columns = pd.Index([str(c) for c in table.columns])
    ids = [s if isinstance(s, str) else None for s in table["stimulus"]]
    if any(not s for s in ids):
        row = next(i for i, s in enumerate(ids) if not s)
        given = table["stimulus"].iloc[row]
        raise InputError(f"stimulus set {stimulus_set!r}: row {row}: the id must be a text, given {given!r}")
    twice = table["stimulus"][table["stimulus"].duplicated()].unique()
    if len(twice):
        raise InputError(
            f"stimulus set {stimulus_set!r}: {len(twice)} ids stand twice or more, first {list(twice[:5])}; "
            "a stimulus has one row"
        )
    return table


def _table_sha256(table: pd.DataFrame) -> str:
    columns = {}
    for name in table.columns:
        values = table[name].to_numpy()
        if not isinstance(values.dtype, np.dtype) or values.dtype.kind not in "biuf":
            values = stored_vector([v if isinstance(v, str) else None if pd.isna(v) else str(v) for v in values])
        dtype = "string" if values.dtype == object else str(values.dtype)
        content = ContentHash(dtype, values.shape)
        content.update(values)
        columns[name] = content.hexdigest()
    return hashlib.sha256(canonical(columns)).hexdigest()


def _parquet(table: pd.DataFrame, meta: Mapping[str, Any]) -> bytes:
    bare = table.copy()
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), _META: canonical(meta)})
    sink = io.BytesIO()
    pq.write_table(arrow, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _difference(stimulus_set: str, there: pd.DataFrame, table: pd.DataFrame) -> str:
    old, new = set(there["stimulus"]), set(table["stimulus"])
    said = [f"{len(new - old)} ids are new", f"{len(old - new)} are missing"]
    shared = [c for c in there.columns if c in table.columns and c != "stimulus"]
    a, b = there.set_index("stimulus"), table.set_index("stimulus")
    both = sorted(old & new)
    for column in shared:
        changed = int((a.loc[both, column].astype(str) != b.loc[both, column].astype(str)).sum())
        if changed:
            said.append(f"{column!r} differs for {changed} of {len(both)} shared ids")
    if set(there.columns) != set(table.columns):
        said.append(f"columns {sorted(there.columns)} against {sorted(table.columns)}")
    if len(said) == 2 and old == new:
        said = ["the order of the rows differs"]
    return (
        f"the stimulus set {stimulus_set!r} is in the store with other content: {'; '.join(said)}. "
        "Choose another name, or pass replace=True where nothing refers to the old one"
    )


def find_stimuli(files: Files, stimulus_set: str) -> pd.DataFrame | None:
    """Return the table of a set; None if there is none."""
    try:
        data = files.read(stimuli_path(stimulus_set))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"the stimulus set {stimulus_set!r} in {files.label} cannot be read: {error}") from error
    what = f"the stimulus set {stimulus_set!r} in {files.label}"
    try:
        arrow = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
        meta = parse_json(arrow.schema.metadata[_META])
        refuse_other_format(meta["format"], meta.get("written_by"), what)
        table: pd.DataFrame = arrow.to_pandas()
    except FormatVersionError:
        raise
    except Exception as error:  # pyarrow fails with nearly any error on damaged metadata
        raise CorruptEntryError(f"{what} is damaged: {error!r}; put it again with replace=True") from error
    table.attrs = {k: meta.get(k) for k in ("set", "source", "kind", "attrs", "sha256")}
    return table


def read_stimuli(files: Files, stimulus_set: str) -> pd.DataFrame:
    """Return the table of a set.

    Raises
    ------
    EntryNotFoundError
        If there is none; near names are offered.
    """
    table = find_stimuli(files, stimulus_set)
    if table is None:
        hint = near_names(stimulus_set, list_sets(files)) or " The store holds no stimulus set."
        raise EntryNotFoundError(f"no stimulus set {stimulus_set!r} in {files.label}.{hint}")
    return table


def list_sets(files: Files) -> list[str]:
    """Return the names of all stimulus sets."""
    found = []
    for name in files.names("stimuli"):
        if name.endswith(".parquet"):
            data = files.read(f"stimuli/{name}")
            try:
                found.append(str(parse_json((pq.read_schema(io.BytesIO(data)).metadata or {})[_META])["set"]))
            except Exception:  # damaged: it still has a name, and reading it says what is wrong
                found.append(unquote(name.removesuffix(".parquet")))
    return found

"""Reading an entry: pointer, document, arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing

from brainalign.errors import BrainalignError, CorruptEntryError, StoreError
from brainalign.foreign.json_text import parse_json
from brainalign.store.content import Array
from brainalign.store.files import Files
from brainalign.store.formats import migrated, refuse_other_format
from brainalign.store.layout import POINTER, document_sha256
from brainalign.store.zarr_files import EntryFiles

__all__ = ["Entry", "StoredArray", "open_entry", "read_pointer", "rows_of"]


_KEYS = {"embeddings": ("model", "revision", "stimulus_set"), "responses": ("dataset", "variant", "subject")}
_PLACES = ("embeddings/", "responses/", "rdms/")


@dataclass(frozen=True)
class Entry:
    """A whole entry, as its document describes it."""

    files: Files
    place: str
    folder: str
    document: Mapping[str, Any]
    entry_sha256: str

    @property
    def label(self) -> str:
        """The entry in words, for messages."""
        return f"{self.place} in {self.files.label}"

    def names(self) -> list[str]:
        """Names of the arrays."""
        return list(self.document["arrays"])

    def variable(self, name: str) -> xr.Variable:
        """Return an array as a variable that reads on access."""
        record = self.document["arrays"][name]
        data = indexing.LazilyIndexedArray(StoredArray(self, name))
        return xr.Variable(tuple(record["dims"]), data, attrs=dict(record["attrs"]))

    def values(self, name: str) -> Array:
        """Return an array whole, in memory."""
        stored = StoredArray(self, name)
        return stored.read(tuple(slice(None) for _ in stored.shape))


class StoredArray(BackendArray):
    """An array on disk that xarray indexes lazily; damage raises CorruptEntryError with the entry's name."""

    def __init__(self, entry: Entry, name: str) -> None:
        record = entry.document["arrays"][name]
        self.entry, self.name, self.disk = entry, name, str(record["on_disk"])
        self.shape: tuple[int, ...] = tuple(record["shape"])
        self.dtype = np.dtype(object if record["dtype"] == "string" else record["dtype"])
        self._array: Any = None

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self.read)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None}

    def read(self, key: tuple[Any, ...]) -> Array:
        """Return the values at an outer index: integers, slices of positive step, sorted integer arrays."""
        with _damage(f"array {self.name!r} of {self.entry.label}"):
            if self._array is None:
                found = zarr.open_array(
                    EntryFiles(self.entry.files, self.entry.folder, read_only=True), path=self.disk, mode="r"
                )
                if tuple(found.shape) != self.shape:
                    raise CorruptEntryError(f"its shape is {found.shape}, the document says {self.shape}")
                self._array = found
            runs, gathers = zip(*(_as_run(k) for k in key), strict=True)
            values = np.asarray(self._array.oindex[runs])
            axis = 0
            for run, gather in zip(runs, gathers, strict=True):
                if gather is not None:
                    values = np.take(values, gather, axis=axis)
                axis += not isinstance(run, (int, np.integer))
            return values.astype(self.dtype, copy=False)


def _as_run(key: Any) -> tuple[Any, Array | None]:
    """Split sorted integers into the slice around them and the places in it, where they are dense.

    Chunks are decoded whole in any case, and Zarr copies a slice many times faster than it gathers.
    """
    if not isinstance(key, np.ndarray) or not key.size:
        return key, None
    first, span = int(key[0]), int(key[-1] - key[0]) + 1
    if span > 4 * key.size:
        return key, None
    run = slice(first, first + span)
    return run, (None if span == key.size and bool(np.all(np.diff(key) == 1)) else key - first)


def rows_of(files: Files, folder: str, disk: str, shape: tuple[int, ...], step: int, stop: int) -> Iterator[Array]:
    """Yield the first ``stop`` rows of an array of an entry that has no document yet, ``step`` at a time."""
    with _damage(f"array {disk} of {folder} in {files.label}"):
        array: Any = zarr.open_array(EntryFiles(files, folder, read_only=True), path=disk, mode="r")
        if tuple(array.shape) != shape:
            raise CorruptEntryError(f"its shape is {array.shape}, expected {shape}")
    for start in range(0, stop, step):
        with _damage(f"array {disk} of {folder} in {files.label}"):
            block = np.asarray(array[start : min(start + step, stop)])
        yield block


@contextlib.contextmanager
def _damage(what: str) -> Iterator[None]:
    try:
        yield
    except CorruptEntryError as error:
        raise CorruptEntryError(f"{what} is damaged: {error}; write the entry again") from error
    except BrainalignError:
        raise
    except FileNotFoundError as error:
        raise CorruptEntryError(f"{what} is gone; it was replaced or removed: open it again") from error
    except OSError as error:
        raise StoreError(f"{what} cannot be read: {error}") from error
    except (MemoryError, IndexError):
        raise
    except Exception as error:  # checksum, codec and metadata errors have no common type in Zarr
        raise CorruptEntryError(f"{what} is damaged: {error}; write the entry again") from error


def read_pointer(files: Files, place: str) -> dict[str, Any] | None:
    """Return the pointer of a place; None if there is none.

    Raises
    ------
    FormatVersionError
        If a version of another format wrote it.
    CorruptEntryError
        If it is no pointer.
    """
    try:
        text = files.read(f"{place}/{POINTER}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"the pointer of {place} in {files.label} cannot be read: {error}") from error
    try:
        pointer = parse_json(text)
        found = pointer["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptEntryError(f"{place}/{POINTER} in {files.label} is no pointer: {error}") from error
    refuse_other_format(found, pointer.get("written_by"), f"{place} in {files.label}")
    if not isinstance(pointer, dict) or not {"entry", "entry_sha256", "key"} <= pointer.keys():
        raise CorruptEntryError(f"{place}/{POINTER} in {files.label} lacks entry, entry_sha256 or key")
    names = _KEYS["embeddings" if place.startswith("embeddings/") else "responses"]
    key = pointer["key"]
    if place.startswith(_PLACES) and not (isinstance(key, dict) and all(isinstance(key.get(n), str) for n in names)):
        raise CorruptEntryError(f"{place}/{POINTER} in {files.label} has a key without {', '.join(names)}")
    return pointer


def open_entry(files: Files, place: str) -> Entry | None:
    """Return the entry that the pointer of a place names; None if there is no pointer."""
    pointer = read_pointer(files, place)
    if pointer is None:
        return None
    folder = f"{place}/{pointer['entry']}"
    with _damage(f"{place} in {files.label}"):
        document = parse_json(files.read(f"{folder}/zarr.json"))["attributes"]
        if document_sha256(document) != pointer["entry_sha256"]:
            raise CorruptEntryError("its document does not match the hash in its pointer")
    return Entry(files, place, folder, migrated(document), pointer["entry_sha256"])

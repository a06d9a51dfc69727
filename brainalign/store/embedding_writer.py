"""Writing embeddings as a stream that resumes where it was interrupted."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd

from brainalign.errors import (
    CorruptEntryError,
    InputError,
    NonFiniteError,
    PairingError,
    ShapeError,
    StoreError,
    VariantError,
)
from brainalign.foreign.json_text import parse_json
from brainalign.store.content import Array, Source, whole
from brainalign.store.embeddings import WIDEST_CHUNK, LayerSpec, check_arguments, default_chunk_rows
from brainalign.store.files import Files, store_errors
from brainalign.store.layout import LOCK, PROGRESS, canonical, embedding_place, matrix_chunks, plain
from brainalign.store.locks import EntryLock, take
from brainalign.store.read import Entry, open_entry, read_pointer
from brainalign.store.write import EntryArray, array_record, make_document, publish

__all__ = ["EmbeddingWriter"]


class EmbeddingWriter:
    """Streams the embeddings of one stimulus set into the store.

    Rows come in the order of ``stimuli``, in batches of any size, all layers together. Whole chunks are written
    as they fill; ``rows_done`` says how many rows an earlier, interrupted call with the same arguments has left:
    append from there. Nothing is visible to readers before :meth:`commit`. Use it as a context manager.

    Attributes
    ----------
    rows_done : int
        Rows that need not be appended. Equal to the number of stimuli where the entry is there already.
    entry_sha256 : str or None
        The hash of the entry once it is committed.
    """

    def __init__(
        self,
        files: Files,
        model: str,
        revision: str,
        stimulus_set: str,
        *,
        stimuli: Sequence[str],
        layers: Sequence[LayerSpec],
        dtype: str = "float32",
        chunk_rows: int | None = None,
        attrs: Mapping[str, Any] | None = None,
        replace: bool = False,
        table: pd.DataFrame | None = None,
    ) -> None:
        check_arguments(stimuli, layers, dtype, chunk_rows)
        self._files, self._replace, self._table = files, replace, table
        self.place = embedding_place(model, revision, stimulus_set)
        self._key = {"kind": "embeddings", "model": model, "revision": revision, "stimulus_set": stimulus_set}
        self.stimuli, self.layers, self.dtype = list(stimuli), list(layers), dtype
        itemsize = np.dtype(dtype).itemsize
        widths = [s.n_features for s in layers]
        self.chunk_rows = min(chunk_rows or default_chunk_rows(len(stimuli), widths, itemsize), len(stimuli))
        self._attrs = {"attributes": {}, **plain(attrs or {}, where="attrs")}
        self._options = {
            "dtype": dtype,
            "layers": [{"key": s.key, "n_features": s.n_features, **plain(s.attrs, where=s.key)} for s in layers],
            "n_stimuli": len(stimuli),
            "stimuli_sha256": hashlib.sha256(canonical(self.stimuli)).hexdigest(),
        }
        hashed = {k: v for k, v in self._attrs.items() if k != "provenance"}
        self._arguments = hashlib.sha256(canonical([self._key, self._options, hashed])).hexdigest()
        self.rows_done = 0
        self.entry_sha256: str | None = None
        self._lock: EntryLock | None = None
        self._broken = self._resumable = False
        with store_errors(f"opening {self.place}", files):
            self._open()

    # -- opening -------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._is_there():
            return
        name = hashlib.sha256(f"{self._arguments} {self.chunk_rows}".encode()).hexdigest()[:32]
        self._folder, self._resumable = f"{self.place}/r-{name}", True
        pointer = read_pointer(self._files, self.place)
        if pointer is None or pointer["entry"] != f"r-{name}":
            self._lock = take(self._files, self._folder)
            if self._lock is not None and self._is_there():  # published while the lock was taken
                self._release()
                return
        if self._lock is None:  # another living writer has that folder, or readers have
            self._folder, self._resumable = f"{self.place}/e-{uuid.uuid4().hex}", False
            self._lock = take(self._files, self._folder)
        try:
            self._buffers = {s.key: np.empty((self.chunk_rows, s.n_features), self.dtype) for s in self.layers}
            self._filled = 0
            self._open_arrays()
        except BaseException:
            self._release()
            raise

    def _is_there(self) -> bool:
        """Whether the entry is there with the same arguments; other arguments raise unless it is to be replaced."""
        pointer = None if self._replace else read_pointer(self._files, self.place)
        if pointer is None:
            return False
        if pointer.get("arguments_sha256") != self._arguments:
            there = open_entry(self._files, self.place)
            raise VariantError(self._difference(there))
        self.rows_done, self.entry_sha256 = len(self.stimuli), str(pointer["entry_sha256"])
        return True

    def _difference(self, there: Entry | None) -> str:
        said = []
        if there is not None:
            old: dict[str, Any] = {**there.document["attrs"], **there.document["options"]}
            new: dict[str, Any] = {**self._attrs, **self._options}
            for name in sorted((old.keys() | new.keys()) - {"provenance"}):
                if old.get(name) != new.get(name):
                    said.append(f"  {name}: stored {_short(old.get(name))}, given {_short(new.get(name))}")
        return (
            f"{self.place} in {self._files.label} holds embeddings made otherwise:\n" + "\n".join(said) + "\n"
            "pass replace=True to write them anew, or store under another stimulus set or revision"
        )

    def _specs(self) -> dict[str, tuple[str, Source, tuple[int, int]]]:
        n, itemsize = len(self.stimuli), np.dtype(self.dtype).itemsize
        found = {}
        for i, spec in enumerate(self.layers):
            disk = f"a{i:03d}"
            attrs = {"key": spec.key, **plain(spec.attrs, where=spec.key)}
            dims = ("stimulus", f"feature_{disk[1:]}")
            source = Source(dims, (n, spec.n_features), self.dtype, lambda rows: iter(()), attrs)
            columns = max(1, min(spec.n_features, WIDEST_CHUNK // (itemsize * self.chunk_rows)))
            found[spec.key] = disk, source, (self.chunk_rows, columns)
        return found

    def _open_arrays(self, *, resume: bool = True) -> None:
        rows = self._progress() if resume and self._resumable else 0
        self._arrays = {}
        try:
            for key, (disk, source, chunks) in self._specs().items():
                self._arrays[key] = EntryArray(self._files, self._folder, disk, source, chunks, resume=rows)
        except CorruptEntryError:  # what the interruption left is not whole: begin again
            self._open_arrays(resume=False)
            return
        self.rows_done = rows

    def _progress(self) -> int:
        try:
            rows = int(parse_json(self._files.read(f"{self._folder}/{PROGRESS}"))["rows"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0
        whole_chunks = rows == len(self.stimuli) or rows % self.chunk_rows == 0
        return rows if whole_chunks and 0 <= rows <= len(self.stimuli) else 0

    # -- writing -------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Forget the rows of an interrupted call; ``rows_done`` becomes 0."""
        if self.entry_sha256 is None and self.rows_done:
            with store_errors(f"opening {self.place}", self._files):
                self._files.remove(f"{self._folder}/{PROGRESS}")
                self._open_arrays(resume=False)
            self._filled = 0

    def append(self, batch: Mapping[str, Any]) -> None:
        """Add the next rows of every layer.

        Parameters
        ----------
        batch : mapping of key to array (m, n_features)
            The layers of the next m stimuli, in the order of ``stimuli``.

        Raises
        ------
        NonFiniteError
            If a value is NaN or inf, also after conversion to the stored type; names stimulus and layer.
        ShapeError, PairingError, InputError
            If layers are missing or unknown, or have other widths or numbers of rows.
        StoreError
            If writing fails; what whole chunks are written stays for the next call.
        """
        if self.entry_sha256 is not None or self._lock is None or self._broken:
            state = "the entry is complete" if self.entry_sha256 else "the writer is closed; open it again to resume"
            raise StoreError(f"cannot append to {self.place}: {state}")
        first = self.rows_done + self._filled
        converted = self._converted(batch, first)
        m = len(next(iter(converted.values())))
        taken = 0
        while taken < m:
            step = min(m - taken, self.chunk_rows - self._filled)
            for key, values in converted.items():
                self._buffers[key][self._filled : self._filled + step] = values[taken : taken + step]
            self._filled += step
            taken += step
            if self._filled == self.chunk_rows or self.rows_done + self._filled == len(self.stimuli):
                self._flush()

    def _converted(self, batch: Mapping[str, Any], first: int) -> dict[str, Array]:
        keys = [s.key for s in self.layers]
        if set(batch) != set(keys):
            raise InputError(
                f"a batch holds all layers: missing {sorted(set(keys) - set(batch))}, "
                f"unknown {sorted(set(batch) - set(keys))}"
            )
        arrays = {s.key: np.asarray(batch[s.key]) for s in self.layers}
        counts = {len(a) if a.ndim else -1 for a in arrays.values()}
        if len(counts) != 1:
            raise PairingError(f"the layers of one batch have the same rows; given {sorted(counts)}")
        found = {}
        for spec in self.layers:
            values = arrays[spec.key]
            if values.ndim != 2 or values.shape[1] != spec.n_features or values.dtype.kind not in "biuf":
                raise ShapeError(
                    f"layer {spec.key!r}: expected (rows, {spec.n_features}) real numbers, "
                    f"given {values.shape} {values.dtype}"
                )
            if first + len(values) > len(self.stimuli):
                raise ShapeError(
                    f"{first + len(values)} rows given for {len(self.stimuli)} stimuli; append from row rows_done"
                )
            with np.errstate(over="ignore"):  # overflow becomes inf and is named below
                found[spec.key] = values.astype(self.dtype, copy=False)
            bad = ~np.isfinite(found[spec.key])
            if bad.any():
                i, j = (int(a[0]) for a in np.nonzero(bad))
                raise NonFiniteError(
                    f"layer {spec.key!r} has {int(bad.sum())} values NaN or inf as {self.dtype}, first for stimulus "
                    f"{self.stimuli[first + i]!r} (row {first + i}), feature {j}: {values[i, j]}"
                )
        return found

    def _flush(self) -> None:
        rows, self._broken = self._filled, True  # until this has gone well
        with store_errors(f"writing {self.place} ({self.rows_done} rows are kept)", self._files):
            assert self._lock is not None
            self._lock.confirm()
            for key, array in self._arrays.items():
                array.append(self._buffers[key][:rows])
            done = json.dumps({"rows": self.rows_done + rows}).encode()
            self._files.write(f"{self._folder}/{PROGRESS}", done)
        self.rows_done, self._filled, self._broken = self.rows_done + rows, 0, False

    def commit(self, *, provenance: Mapping[str, Any] | None = None) -> str:
        """Make the entry visible; return its hash. Does nothing if it is there already.

        Parameters
        ----------
        provenance : mapping, optional
            What became known while writing; added to ``attrs["provenance"]``.

        Raises
        ------
        StoreError
            If rows are missing, or writing fails.
        """
        if self.entry_sha256 is not None:
            return self.entry_sha256
        if self._lock is None or self._broken:
            raise StoreError(f"cannot commit {self.place}: the writer is closed; open it again to resume")
        if self.rows_done != len(self.stimuli):
            raise StoreError(
                f"cannot commit {self.place}: {self.rows_done + self._filled} of {len(self.stimuli)} rows given"
            )
        with store_errors(f"committing {self.place}", self._files):
            more = plain(provenance or {}, where="provenance")
            attrs = (
                {**self._attrs, "provenance": {**self._attrs.get("provenance", {}), **more}} if more else self._attrs
            )
            document = make_document(self._key, self._options, attrs, self._finished())
            note = {"arguments_sha256": self._arguments}
            try:
                self.entry_sha256 = publish(
                    self._files, self.place, self._folder, document, self._lock, replace=self._replace, note=note
                )
            except StoreError:
                if not self._is_there():  # another writer of the same embeddings may have been first
                    raise
                self._files.remove(self._folder)
            with contextlib.suppress(OSError):
                for name in (PROGRESS, LOCK):  # a reader of plain Zarr wonders at other files
                    self._files.remove(f"{self._folder}/{name}")
        self._release()
        assert self.entry_sha256 is not None
        return self.entry_sha256

    def _finished(self) -> dict[str, Any]:
        """Return the records of all arrays, having written those of the stimuli."""
        records = {}
        for key, (disk, source, _) in self._specs().items():
            records[key] = array_record(disk, source, self._arrays[key].content.hexdigest())
        columns = {"stimulus": pd.Series(self.stimuli, dtype=object)}
        if self._table is not None:
            known = self._table.set_index("stimulus").reindex(self.stimuli)
            columns |= {c: known[c].fillna("") for c in ("sha256", "print") if c in known.columns}
        for name, column in columns.items():
            source = whole(column.to_numpy(dtype=object), ("stimulus",))
            array = EntryArray(self._files, self._folder, name, source, matrix_chunks(source.shape, 16))
            for block in source.blocks(array.chunk_rows):
                array.append(block)
            records[f"coordinate {name}"] = array_record(name, source, array.content.hexdigest())
        return records

    # -- closing -------------------------------------------------------------------------------------------

    def close(self, *, keep: bool = True) -> None:
        """Release the entry; whole chunks of an uncommitted one stay for the next call with the same arguments."""
        kept = keep and self._resumable and self.rows_done > 0
        if self._lock is not None and self.entry_sha256 is None and not kept:
            with contextlib.suppress(OSError):
                self._files.remove(self._folder)
        self._release()

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):
                lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:197]}…"

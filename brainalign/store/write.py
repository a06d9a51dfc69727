"""Writing an entry: arrays, then the document, then the pointer."""

from __future__ import annotations

import contextlib
import datetime
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from brainalign import __version__
from brainalign.errors import StoreError
from brainalign.foreign.json_text import parse_json
from brainalign.store.ahead import ahead
from brainalign.store.content import Array, ContentHash, Source
from brainalign.store.files import Files, store_errors
from brainalign.store.layout import FORMAT, LOCK, POINTER, document_sha256, matrix_chunks, on_disk_names
from brainalign.store.locks import EntryLock, take
from brainalign.store.read import rows_of
from brainalign.store.settling import Settling
from brainalign.store.tiles import Tiles
from brainalign.store.zarr_files import EntryFiles

__all__ = ["EntryArray", "array_record", "make_document", "publish", "write_entry"]


_WORTH_THREADS = 2**20  # bytes of a block: hashing and compressing then run side by side


class EntryArray:
    """One array of an entry that is being written, block by block along its first dimension."""

    def __init__(
        self,
        files: Files,
        folder: str,
        disk: str,
        source: Source,
        chunks: tuple[int, ...],
        *,
        resume: int = 0,
        settling: Settling | None = None,
    ) -> None:
        self.chunk_rows = chunks[0]
        self.content = ContentHash(source.dtype, source.shape)
        self._tiles = None
        if source.dtype != "string" and len(chunks) == 2:
            self._tiles = Tiles(files, f"{folder}/{disk}", (chunks[0], chunks[1]), source.dtype, settling)
        self._row = 0
        if resume:  # the rows that are there are read back, and so checked, into the hash
            for block in rows_of(files, folder, disk, source.shape, chunks[0], resume):
                self.content.update(block)
                self._row += len(block)
            with zarr.config.set({"array.write_empty_chunks": True}):  # open_array ignores its own config
                self._array = zarr.open_array(EntryFiles(files, folder, read_only=False), path=disk, mode="r+")
            return
        self._array = zarr.create_array(
            EntryFiles(files, folder, read_only=False, settling=settling),
            name=disk,
            shape=source.shape,
            chunks=chunks,
            dtype=str if source.dtype == "string" else source.dtype,
            compressors=(_compressor(source.dtype), Crc32cCodec()),
            fill_value="" if source.dtype == "string" else np.zeros((), source.dtype)[()],
            dimension_names=source.dims,
            attributes=dict(source.attrs),
            config={"write_empty_chunks": True},
            zarr_format=3,
            overwrite=True,
        )

    def append(self, block: Array) -> None:
        """Write the next rows and add them to the content hash."""
        rows = slice(self._row, self._row + len(block))
        number, within = divmod(self._row, self.chunk_rows)
        whole = not within and (len(block) == self.chunk_rows or rows.stop == self._array.shape[0])
        if self._tiles is None or not whole or block.nbytes < _WORTH_THREADS:
            self._array[rows] = block
            self.content.update(block)
        else:
            self._tiles.write(number, block, beside=self.content.update)
        self._row = rows.stop


def _compressor(dtype: str) -> BloscCodec:
    if dtype == "string":
        return BloscCodec(cname="zstd", clevel=3, shuffle="noshuffle", typesize=1)
    return BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=np.dtype(dtype).itemsize)


def array_record(disk: str, source: Source, sha256: str) -> dict[str, Any]:
    """Return what the document says of one array."""
    return {
        "on_disk": disk,
        "dims": list(source.dims),
        "dtype": source.dtype,
        "shape": list(source.shape),
        "sha256": sha256,
        "attrs": dict(source.attrs),
    }


def make_document(
    key: Mapping[str, str], options: Mapping[str, Any], attrs: Mapping[str, Any], arrays: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the document of an entry; what ``attrs`` holds under ``provenance`` stays out of the hash."""
    rest = {k: v for k, v in attrs.items() if k != "provenance"}
    document = {
        "format": FORMAT,
        "key": dict(key),
        "options": dict(options),
        "attrs": rest,
        "arrays": dict(arrays),
    }
    return {**document, "provenance": attrs["provenance"]} if "provenance" in attrs else document


def write_entry(
    files: Files,
    place: str,
    key: Mapping[str, str],
    sources: Mapping[str, Source],
    *,
    options: Mapping[str, Any],
    attrs: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    replace: bool,
) -> str:
    """Write an entry whole and point at it; return its hash. ``attrs`` may be a call, made once all arrays are written.

    On any failure the folder is removed and readers see what they saw before.

    Raises
    ------
    StoreError
        If the disk is full, the account may not write, or another writer published first.
    """
    folder = f"{place}/e-{uuid.uuid4().hex}"
    with store_errors(f"writing {place}", files):
        lock = take(files, folder)
        if lock is None:
            raise StoreError(f"the new folder {folder} is locked by another writer")
        try:
            with Settling(files) as settling:
                arrays = {
                    name: _write_array(files, folder, disk, sources[name], lock, settling)
                    for name, disk in on_disk_names(sources).items()
                }
            document = make_document(key, options, attrs() if callable(attrs) else attrs, arrays)
            entry_sha256 = publish(files, place, folder, document, lock, replace=replace)
            with contextlib.suppress(OSError):
                files.remove(f"{folder}/{LOCK}")  # a reader of plain Zarr wonders at other files
            return entry_sha256
        except BaseException:
            with contextlib.suppress(OSError, StoreError):
                if not _points_at(files, place, folder):
                    files.remove(folder)
            raise
        finally:
            with contextlib.suppress(OSError):
                lock.release()


def _write_array(
    files: Files, folder: str, disk: str, source: Source, lock: EntryLock, settling: Settling
) -> dict[str, Any]:
    """Write all blocks of an array; return its record."""
    itemsize = 16 if source.dtype == "string" else np.dtype(source.dtype).itemsize
    array = EntryArray(files, folder, disk, source, matrix_chunks(source.shape, itemsize), settling=settling)
    blocks = source.blocks(array.chunk_rows)
    for block in ahead(blocks) if source.shape[0] > array.chunk_rows else blocks:
        array.append(block)
        lock.confirm()
    return array_record(disk, source, array.content.hexdigest())


def _points_at(files: Files, place: str, folder: str) -> bool:
    try:
        return f"{place}/{parse_json(files.read(f'{place}/{POINTER}')).get('entry')}" == folder
    except (OSError, ValueError):
        return False


def publish(
    files: Files,
    place: str,
    folder: str,
    document: Mapping[str, Any],
    lock: EntryLock,
    *,
    replace: bool,
    note: Mapping[str, Any] | None = None,
) -> str:
    """Write the document and the pointer of an entry whose arrays are whole; return the entry's hash."""
    group = {"zarr_format": 3, "node_type": "group", "attributes": document}
    files.write(f"{folder}/zarr.json", json.dumps(group, indent=1, ensure_ascii=False).encode())
    files.flush(folder)
    lock.confirm()
    entry_sha256 = document_sha256(document)
    pointer = {
        "format": FORMAT,
        "written_by": f"brainalign {__version__}",
        "entry": folder.rsplit("/", 1)[1],
        "entry_sha256": entry_sha256,
        "key": document["key"],
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **(note or {}),
    }
    try:
        files.publish(f"{place}/{POINTER}", json.dumps(pointer, indent=1).encode(), create=not replace)
    except FileExistsError:
        raise StoreError(
            f"another writer published {place} while this one was writing; read that entry, or repeat the call "
            "to compare with it"
        ) from None
    return entry_sha256

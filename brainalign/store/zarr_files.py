"""Zarr's view of the folder of one entry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype

from brainalign.errors import CorruptEntryError
from brainalign.store.files import Files
from brainalign.store.settling import Settling

__all__ = ["EntryFiles"]


class EntryFiles(Store):
    """A Zarr store over the files of an entry, for which a missing chunk is damage, not a fill value."""

    supports_writes = True
    supports_deletes = True
    supports_listing = True

    def __init__(self, files: Files, folder: str, *, read_only: bool, settling: Settling | None = None) -> None:
        super().__init__(read_only=read_only)
        self.files, self.folder, self._settling = files, folder, settling

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EntryFiles) and (self.files, self.folder) == (other.files, other.folder)

    __hash__ = None  # type: ignore[assignment]

    def _path(self, key: str) -> str:
        return f"{self.folder}/{key}"

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        prototype = prototype or default_buffer_prototype()
        try:
            data = await asyncio.to_thread(self.files.read, self._path(key))
        except FileNotFoundError:
            if self.read_only and "/c/" in key:
                raise CorruptEntryError(f"chunk {key} is missing") from None
            return None
        return prototype.buffer.from_bytes(_cut(data, byte_range))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        try:
            await asyncio.to_thread(self.files.read, self._path(key))
        except FileNotFoundError:
            return False
        return True

    async def set(self, key: str, value: Buffer) -> None:
        self._check_writable()
        await asyncio.to_thread(self.files.write, self._path(key), value.to_bytes())
        if self._settling is not None:
            self._settling.add(self._path(key), len(value))

    async def delete(self, key: str) -> None:
        self._check_writable()
        await asyncio.to_thread(self.files.remove, self._path(key))

    async def list(self) -> AsyncIterator[str]:
        for name in await asyncio.to_thread(self.files.walk, self.folder):
            yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        async for name in self.list():
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        for name in await asyncio.to_thread(self.files.names, self._path(prefix)):
            yield name


def _cut(data: bytes, byte_range: ByteRequest | None) -> bytes:
    if byte_range is None:
        return data
    if isinstance(byte_range, RangeByteRequest):
        return data[byte_range.start : byte_range.end]
    if isinstance(byte_range, OffsetByteRequest):
        return data[byte_range.offset :]
    if isinstance(byte_range, SuffixByteRequest):
        return data[-byte_range.suffix :]
    raise TypeError(f"unknown byte range {byte_range!r}")

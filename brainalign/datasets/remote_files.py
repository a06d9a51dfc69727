"""Files at a URL, read in pieces: what a place must offer, whatever it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Packed", "RemoteFile", "RemoteFiles", "as_md5"]


@dataclass(frozen=True)
class Packed:
    """A member of an archive, fetched as it is stored there: its size and CRC-32 once it is unpacked."""

    n_bytes: int
    crc32: int
    deflated: bool


@dataclass(frozen=True)
class RemoteFile:
    """Bytes to fetch, the MD5 of the content where the server states it, and how to unpack it if it is packed."""

    n_bytes: int
    md5: str | None
    packed: Packed | None = None

    @property
    def n_bytes_on_disk(self) -> int:
        """Size of the file once it is there."""
        return self.n_bytes if self.packed is None else self.packed.n_bytes


class RemoteFiles(Protocol):
    """Files below one URL."""

    @property
    def url(self) -> str: ...

    def place(self, path: str, origin: str) -> str:
        """Return where this place keeps a file: by its place on disk (``path``), or by where it came from."""

    def look(self, path: str) -> RemoteFile | None:
        """Return size and hash of a file; None if there is none."""

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` to before ``stop``."""

    def below(self, folder: str) -> Iterable[str]:
        """Return the files below a folder, which ends in ``/``, relative to it."""


def as_md5(etag: Any) -> str | None:
    """Return an ETag if it is the MD5 of the content, as of an object that was put in one piece."""
    text = str(etag or "").strip('"').lower()
    return text if len(text) == 32 and set(text) <= set("0123456789abcdef") else None

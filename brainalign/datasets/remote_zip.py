"""Members of a zip archive at a URL: its table of contents is read, and only the members that are wanted."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from brainalign.datasets.remote_files import Packed
from brainalign.errors import DatasetError

__all__ = ["RemoteZip", "open_zip"]

Read = Callable[[int, int], bytes]
_LOCAL_HEADER = 30
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class RemoteZip:
    """A zip archive that is read in pieces."""

    name: str
    read: Read
    members: dict[str, zipfile.ZipInfo]

    def find(self, path: str) -> zipfile.ZipInfo | None:
        """Return the member whose path is, or ends in, ``path``: archives wrap their content in folders or not.

        Raises
        ------
        DatasetError
            If two members do.
        """
        found = [info for name, info in self.members.items() if name == path or name.endswith(f"/{path}")]
        if len(found) > 1:
            names = ", ".join(info.filename for info in found[:3])
            raise DatasetError(
                f"{self.name} holds {len(found)} members {path}: {names}; which one is meant is not clear."
            )
        return found[0] if found else None

    def start(self, info: zipfile.ZipInfo) -> int:
        """Return where the stored bytes of a member begin."""
        header = self.read(info.header_offset, info.header_offset + _LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            raise DatasetError(f"{self.name} is damaged: {info.filename} does not begin where its table says.")
        name, extra = struct.unpack("<HH", header[26:30])
        return info.header_offset + _LOCAL_HEADER + int(name) + int(extra)

    def packed(self, info: zipfile.ZipInfo) -> Packed:
        """Return size and checksum of a member once it is unpacked.

        Raises
        ------
        DatasetError
            If it is packed in a way that is not read here.
        """
        if info.compress_type not in _KINDS:
            raise DatasetError(
                f"{self.name}: {info.filename} is packed by method {info.compress_type}; fetch it by hand."
            )
        return Packed(info.file_size, info.CRC, info.compress_type == zipfile.ZIP_DEFLATED)


def open_zip(name: str, n_bytes: int, read: Read) -> RemoteZip:
    """Read the table of contents of an archive, which is at its end.

    Raises
    ------
    DatasetError
        If it is no zip archive.
    """
    try:
        with zipfile.ZipFile(io.BufferedReader(_Pieces(n_bytes, read), 1 << 16)) as archive:
            infos = [i for i in archive.infolist() if not i.is_dir() and not i.filename.startswith("__MACOSX/")]
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{name} is no zip archive: {error}") from error
    return RemoteZip(name, read, {info.filename: info for info in infos})


class _Pieces(io.RawIOBase):
    """A file of which each read is a request."""

    def __init__(self, n_bytes: int, read: Read) -> None:
        self._n, self._read, self._at = n_bytes, read, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._n}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        stop = min(self._at + len(view), self._n)
        data = self._read(self._at, stop) if stop > self._at else b""
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

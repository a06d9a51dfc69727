"""Files at a URL, read in pieces: over HTTP with nothing else installed, or on any file system that fsspec opens."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import fsspec

from brainalign.errors import DatasetError, MissingDependencyError
from brainalign.store.files import without_secrets

__all__ = ["RemoteFile", "RemoteFiles", "open_remote"]

_TIMEOUT = 60.0


@dataclass(frozen=True)
class RemoteFile:
    """Size in bytes, and the MD5 of the content where the server states it."""

    n_bytes: int
    md5: str | None


class RemoteFiles(Protocol):
    """Files below one URL."""

    @property
    def url(self) -> str: ...

    def look(self, path: str) -> RemoteFile | None:
        """Return size and hash of a file; None if there is none."""

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` to before ``stop``."""


def open_remote(url: str, options: Mapping[str, Any]) -> RemoteFiles:
    """Open the files below a URL.

    Raises
    ------
    MissingDependencyError
        If fsspec needs a package for this kind of URL.
    DatasetError
        If fsspec does not know it.
    """
    if url.startswith(("http://", "https://")):
        return _HttpFiles(url.rstrip("/"))
    try:
        system, base = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise MissingDependencyError(f"{without_secrets(url)} cannot be opened: {error}") from error
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{without_secrets(url)} is no URL that fsspec opens: {error}") from error
    return _FsspecFiles(url, system, base.rstrip("/"))


def _as_md5(etag: Any) -> str | None:
    """Return an ETag if it is the MD5 of the content, as of an object that was put in one piece."""
    text = str(etag or "").strip('"').lower()
    return text if len(text) == 32 and set(text) <= set("0123456789abcdef") else None


@dataclass(frozen=True)
class _HttpFiles:
    url: str

    @property
    def shown(self) -> str:
        """The URL in messages."""
        return without_secrets(self.url)

    def look(self, path: str) -> RemoteFile | None:
        try:
            with self._open(path, method="HEAD") as answer:
                return RemoteFile(int(answer.headers["Content-Length"]), _as_md5(answer.headers.get("ETag")))
        except urllib.error.HTTPError as error:
            if error.code in (403, 404):  # a bucket that may not be listed answers 403
                return None
            raise DatasetError(f"{self.shown}/{path}: the server answers {error.code} {error.reason}.") from error
        except (OSError, TypeError, ValueError) as error:
            raise DatasetError(f"{self.shown}/{path} does not answer: {error}") from error

    def read(self, path: str, start: int, stop: int) -> bytes:
        try:
            with self._open(path, {"Range": f"bytes={start}-{stop - 1}"}) as answer:
                if answer.status != 206 and start:
                    raise DatasetError(f"{self.shown} does not serve parts of files, so {path} cannot be resumed.")
                return bytes(answer.read(stop - start))
        except OSError as error:
            raise DatasetError(
                f"{self.shown}/{path} broke off at byte {start}: {error}; call again to resume."
            ) from error

    def _open(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.url}/{quote(path)}", headers=dict(headers or {}), method=method)
        return urllib.request.urlopen(request, timeout=_TIMEOUT)  # nosec B310 - http(s) alone comes here


@dataclass(frozen=True)
class _FsspecFiles:
    url: str
    system: Any
    base: str

    @property
    def shown(self) -> str:
        """The URL in messages."""
        return without_secrets(self.url)

    def look(self, path: str) -> RemoteFile | None:
        try:
            info = self.system.info(f"{self.base}/{path}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DatasetError(f"{self.shown}/{path} does not answer: {error}") from error
        return RemoteFile(int(info["size"]), _as_md5(info.get("ETag")))

    def read(self, path: str, start: int, stop: int) -> bytes:
        try:
            return bytes(self.system.cat_file(f"{self.base}/{path}", start=start, end=stop))
        except OSError as error:
            raise DatasetError(
                f"{self.shown}/{path} broke off at byte {start}: {error}; call again to resume."
            ) from error

"""Files below a URL over HTTP, with nothing else installed: plain servers and public buckets."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree  # nosec B405 - see _listing

from brainalign.datasets.remote_files import RemoteFile, as_md5
from brainalign.errors import DatasetError
from brainalign.store.files import without_secrets

__all__ = ["HttpFiles", "ask", "read_range"]

_TIMEOUT = 60.0
_ABSENT = (403, 404)  # a bucket that may not be listed answers 403


@dataclass(frozen=True)
class HttpFiles:
    """Files laid out below a URL as they are on disk."""

    url: str

    def place(self, path: str, origin: str) -> str:
        """Return ``path``."""
        return path

    def look(self, path: str) -> RemoteFile | None:
        """Return size and, where the ETag is one, MD5."""
        try:
            with ask(self._at(path), method="HEAD") as answer:
                return RemoteFile(int(answer.headers["Content-Length"]), as_md5(answer.headers.get("ETag")))
        except urllib.error.HTTPError as error:
            if error.code in _ABSENT:
                return None
            raise DatasetError(
                f"{without_secrets(self._at(path))}: the server answers {error.code} {error.reason}."
            ) from error
        except (OSError, TypeError, ValueError) as error:
            raise DatasetError(f"{without_secrets(self._at(path))} does not answer: {error}") from error

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file."""
        return read_range(self._at(path), start, stop)

    def below(self, folder: str) -> Iterator[str]:
        """List a folder of a bucket (ListObjectsV2 of S3)."""
        more: dict[str, str] = {}
        while True:
            query = urlencode({"list-type": "2", "prefix": folder, **more})
            try:
                with ask(f"{self.url}/?{query}") as answer:
                    listing = _listing(answer.read())
            except (OSError, ElementTree.ParseError) as error:
                raise DatasetError(
                    f"{without_secrets(self.url)} does not list what is below {folder}: {error}"
                ) from error
            found = {part.tag.rsplit("}", 1)[-1]: part.text or "" for part in listing}
            keys = [key.text for key in listing.iter() if key.tag.rsplit("}", 1)[-1] == "Key"]
            yield from (key.removeprefix(folder) for key in keys if key and not key.endswith("/"))
            if found.get("IsTruncated") != "true":
                return
            more = {"continuation-token": found["NextContinuationToken"]}

    def _at(self, path: str) -> str:
        return f"{self.url}/{quote(path)}"


def _listing(document: bytes) -> ElementTree.Element:
    """Parse the listing of a bucket; one that declares entities could grow without end, and no bucket sends it."""
    if b"<!" in document:
        raise ElementTree.ParseError("it declares a document type")
    return ElementTree.fromstring(document)  # nosec B314


def read_range(url: str, start: int, stop: int) -> bytes:
    """Return the bytes of a URL from ``start`` to before ``stop``.

    Raises
    ------
    DatasetError
        If it broke off, or the server does not serve parts.
    """
    try:
        with ask(url, {"Range": f"bytes={start}-{stop - 1}"}) as answer:
            if answer.status != 206 and start:
                raise DatasetError(f"{without_secrets(url)} is not served in parts, so it cannot be resumed.")
            return bytes(answer.read(stop - start))
    except OSError as error:
        raise DatasetError(
            f"{without_secrets(url)} broke off at byte {start}: {error}; call again to resume."
        ) from error


def ask(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
    """Return the answer to a request, to be closed by the caller."""
    request = urllib.request.Request(url, headers=dict(headers or {}), method=method)
    return urllib.request.urlopen(request, timeout=_TIMEOUT)  # nosec B310 - http(s) alone comes here

"""Opening a URL with files: over HTTP, of figshare articles, or on any file system that fsspec opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fsspec

from brainalign.datasets.figshare import FigshareFiles
from brainalign.datasets.remote_files import RemoteFile, RemoteFiles, as_md5
from brainalign.datasets.remote_http import HttpFiles
from brainalign.errors import DatasetError, MissingDependencyError
from brainalign.store.files import without_secrets

__all__ = ["open_remote"]

_FIGSHARE = "figshare+"


def open_remote(url: str, options: Mapping[str, Any]) -> RemoteFiles:
    """Open the files below a URL.

    Parameters
    ----------
    url : str
        ``http(s)://…``; ``figshare+https://api.figshare.com/v2``, or any URL that fsspec opens.
    options : mapping
        For fsspec.

    Raises
    ------
    MissingDependencyError
        If fsspec needs a package for this kind of URL.
    DatasetError
        If fsspec does not know it.
    """
    if url.startswith(_FIGSHARE):
        return FigshareFiles(url.removeprefix(_FIGSHARE).rstrip("/"))
    if url.startswith(("http://", "https://")):
        return HttpFiles(url.rstrip("/"))
    try:
        system, base = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise MissingDependencyError(f"{without_secrets(url)} cannot be opened: {error}") from error
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{without_secrets(url)} is no URL that fsspec opens: {error}") from error
    return _FsspecFiles(url, system, base.rstrip("/"))


@dataclass(frozen=True)
class _FsspecFiles:
    url: str
    system: Any
    base: str

    def place(self, path: str, origin: str) -> str:
        return path

    def look(self, path: str) -> RemoteFile | None:
        try:
            info = self.system.info(f"{self.base}/{path}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DatasetError(f"{without_secrets(self.url)}/{path} does not answer: {error}") from error
        return RemoteFile(int(info["size"]), as_md5(info.get("ETag")))

    def read(self, path: str, start: int, stop: int) -> bytes:
        try:
            return bytes(self.system.cat_file(f"{self.base}/{path}", start=start, end=stop))
        except OSError as error:
            raise DatasetError(
                f"{without_secrets(self.url)}/{path} broke off at byte {start}: {error}; call again to resume."
            ) from error

    def below(self, folder: str) -> list[str]:
        try:
            found = self.system.find(f"{self.base}/{folder}")
        except OSError as error:
            raise DatasetError(f"{without_secrets(self.url)} does not list what is below {folder}: {error}") from error
        return [str(path).rpartition(f"{self.base}/{folder}")[2] for path in found]

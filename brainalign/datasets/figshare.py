"""Files of figshare articles, and members of their zip archives, found by the public interface of figshare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from brainalign.datasets.remote_files import RemoteFile, as_md5
from brainalign.datasets.remote_http import ask, read_range
from brainalign.datasets.remote_zip import RemoteZip, open_zip
from brainalign.errors import DatasetError
from brainalign.store.files import without_secrets

__all__ = ["FigshareFiles"]

_PAGE = 100


@dataclass(frozen=True)
class FigshareFiles:
    """Files of articles; ``url`` is that of the interface, as ``https://api.figshare.com/v2``.

    A file is ``<article>/<name>``, a member of an archive ``<article>/<name>!<path in it>``; size and MD5 come from the
    article's list of files, CRC-32 of a member from the archive.
    """

    url: str
    _lists: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)
    _zips: dict[str, RemoteZip] = field(default_factory=dict, compare=False)

    def place(self, path: str, origin: str) -> str:
        """Return ``origin``: articles know nothing of places on disk."""
        return origin or path

    def look(self, path: str) -> RemoteFile | None:
        """Return size and hash of a file or member."""
        name, _, inner = path.partition("!")
        file = self._file(name)
        if file is None:
            return None
        if not inner:
            return RemoteFile(int(file["size"]), as_md5(file.get("computed_md5") or file.get("supplied_md5")))
        archive = self._zip(name, file)
        member = archive.find(inner)
        return None if member is None else RemoteFile(member.compress_size, None, archive.packed(member))

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file, or of a member as it is stored."""
        name, _, inner = path.partition("!")
        file = self._file(name)
        assert file is not None, "only files that were looked at are read"
        if not inner:
            return read_range(str(file["download_url"]), start, stop)
        archive = self._zip(name, file)
        member = archive.find(inner)
        assert member is not None, "only members that were looked at are read"
        first = archive.start(member)
        return archive.read(first + start, first + stop)

    def below(self, folder: str) -> Iterator[str]:
        """Return the files of an article, or the members of an archive below a folder in it."""
        name, _, inner = folder.partition("!")
        if not inner:
            yield from self._list(name.rstrip("/"))
            return
        file = self._file(name)
        for member in self._zip(name, file).members if file is not None else ():
            before, found, rest = f"/{member}".partition(f"/{inner}")
            if found and "/" not in before.lstrip("/"):
                yield rest

    def _file(self, name: str) -> Any:
        article, _, file = name.partition("/")
        return self._list(article).get(file)

    def _list(self, article: str) -> dict[str, Any]:
        page = 0
        while article not in self._lists or len(self._lists[article]) == page * _PAGE:
            page += 1
            try:
                with ask(f"{self.url}/articles/{article}/files?page={page}&page_size={_PAGE}") as answer:
                    files = {str(file["name"]): file for file in json.load(answer)}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DatasetError(
                    f"{without_secrets(self.url)} does not list the files of article {article}: {error}"
                ) from error
            self._lists.setdefault(article, {}).update(files)
            if not files:
                break
        return self._lists[article]

    def _zip(self, name: str, file: Any) -> RemoteZip:
        if name not in self._zips:
            url = str(file["download_url"])
            self._zips[name] = open_zip(name, int(file["size"]), lambda start, stop: read_range(url, start, stop))
        return self._zips[name]

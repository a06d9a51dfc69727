"""The files of a store: one small interface over a disk and over any fsspec file system."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import fsspec

from brainalign.errors import StoreError
from brainalign.foreign.json_text import parse_json
from brainalign.store.layout import LEASE_SECONDS

__all__ = ["Disk", "Files", "Remote", "open_files", "store_errors", "without_secrets"]

# servers on which "write unless there" is one operation
_CONDITIONAL = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"})
_SYNCS = 16
_QUERY = re.compile(r"\?[^\s'\"]+")  # of a URL: it may hold a token
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class Files(Protocol):
    """What the store asks of a file system. Paths are relative to the root, with ``/``."""

    label: str
    writers: int
    """How many files are best written at a time."""

    def read(self, path: str) -> bytes:
        """Return a file; FileNotFoundError if there is none."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file: a reader sees it whole or not at all."""

    def publish(self, path: str, data: bytes, *, create: bool) -> None:
        """Write durably; with ``create`` raise FileExistsError where one is there already."""

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; empty if there is none."""

    def walk(self, path: str) -> dict[str, int]:
        """Return the files below a folder, relative to it, with their sizes in bytes."""

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all below; nothing happens if there is none."""

    def settle(self, path: str) -> None:
        """Make one file durable."""

    def flush(self, path: str) -> None:
        """Make all files below a folder durable."""


class Disk:
    """Files in a folder."""

    writers = max(2, min(8, os.cpu_count() or 1))

    def __init__(self, root: Path) -> None:
        self.root = root
        self.label = str(root)

    def read(self, path: str) -> bytes:
        try:
            return (self.root / path).read_bytes()
        except (IsADirectoryError, NotADirectoryError):
            raise FileNotFoundError(path) from None

    def write(self, path: str, data: bytes) -> None:
        with self._temporary(path, data) as temporary:
            os.replace(temporary, self.root / path)  # noqa: PTH105 - the one atomic step, injectable

    def publish(self, path: str, data: bytes, *, create: bool) -> None:
        target = self.root / path
        with self._temporary(path, data, durable=True) as temporary:
            if not create:
                os.replace(temporary, target)  # noqa: PTH105
            else:
                _link(temporary, target)
        _fsync(target.parent)

    @contextlib.contextmanager
    def _temporary(self, path: str, data: bytes, *, durable: bool = False) -> Iterator[Path]:
        target = self.root / path
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            try:
                handle = temporary.open("wb")
            except FileNotFoundError:
                target.parent.mkdir(parents=True, exist_ok=True)
                handle = temporary.open("wb")
            with handle:
                handle.write(data)
                if durable:
                    handle.flush()
                    os.fsync(handle.fileno())
            yield temporary
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def names(self, path: str) -> list[str]:
        try:
            return sorted(p.name for p in (self.root / path).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def walk(self, path: str) -> dict[str, int]:
        base = self.root / path
        return {p.relative_to(base).as_posix(): p.stat().st_size for p in base.rglob("*") if p.is_file()}

    def remove(self, path: str) -> None:
        target = self.root / path
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def settle(self, path: str) -> None:
        _fsync(self.root / path)

    def flush(self, path: str) -> None:
        base = self.root / path
        with ThreadPoolExecutor(_SYNCS) as pool:  # a journal commits together what waits together
            list(pool.map(_fsync, [*base.rglob("*"), base, *list(base.parents)[:3]]))


def _link(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)  # unlike rename it refuses to replace
    except OSError as error:
        if isinstance(error, FileExistsError) or error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(str(target)) from None
        os.replace(temporary, target)  # noqa: PTH105


def _fsync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (PermissionError, FileNotFoundError, IsADirectoryError):  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # some mounts sync no folders
            raise
    finally:
        os.close(descriptor)


class Remote:
    """Files behind any fsspec URL."""

    writers = 8  # most of the time is spent waiting for the server

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None) -> None:
        self._url = url
        self._options = dict(storage_options or {})
        self._fs, root = fsspec.core.url_to_fs(url, **self._options)
        self._root = root.rstrip("/")
        self.label = without_secrets(url)
        protocol = self._fs.protocol
        self._conditional = not _CONDITIONAL.isdisjoint({protocol} if isinstance(protocol, str) else protocol)

    def __repr__(self) -> str:  # never the options: they hold secrets
        return f"Remote({self.label!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Remote, (self._url, self._options)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _call(self, operation: str, *arguments: Any, **options: Any) -> Any:
        """Call an operation of the file system; what its client raises in words of its own is an OSError."""
        try:
            return getattr(self._fs, operation)(*arguments, **options)
        except Exception as error:
            if isinstance(error, OSError) or type(error).__module__ == "builtins":
                raise
            said = _QUERY.sub("", f"{type(error).__name__}: {error}")
            raise OSError(errno.EIO, said) from error

    def read(self, path: str) -> bytes:
        try:
            return bytes(self._call("cat_file", self._full(path)))
        except (IsADirectoryError, NotADirectoryError):
            raise FileNotFoundError(path) from None

    def write(self, path: str, data: bytes) -> None:
        self._put(path, data)

    def _put(self, path: str, data: bytes, **mode: str) -> None:
        full = self._full(path)
        try:
            self._call("pipe_file", full, data, **mode)
        except FileNotFoundError:  # file systems with real folders
            self._call("makedirs", full.rsplit("/", 1)[0], exist_ok=True)
            self._call("pipe_file", full, data, **mode)

    def publish(self, path: str, data: bytes, *, create: bool) -> None:
        if not create:
            self._put(path, data)
        elif self._conditional:
            try:
                self._put(path, data, mode="create")
            except FileExistsError:
                if self.read(path) != data:  # else it is our own: the answer was lost and the client asked again
                    raise
        else:
            self._publish_with_lock(path, data)

    def _publish_with_lock(self, path: str, data: bytes) -> None:
        lock, token = f"{path}.lock", uuid.uuid4().hex
        with contextlib.suppress(FileNotFoundError, ValueError):
            held = parse_json(self.read(lock))
            if time.time() - float(held.get("time", 0)) < LEASE_SECONDS:
                raise FileExistsError(f"{lock}: another writer publishes now")
        self._put(lock, json.dumps({"owner": token, "time": time.time()}).encode())
        try:
            if parse_json(self.read(lock)).get("owner") != token or self._call("exists", self._full(path)):
                raise FileExistsError(path)
            self._put(path, data)
        finally:
            self.remove(lock)

    def names(self, path: str) -> list[str]:
        self._fs.invalidate_cache()
        try:
            found = self._call("ls", self._full(path), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted({n for n in (str(p).rstrip("/").rsplit("/", 1)[-1] for p in found) if n})

    def walk(self, path: str) -> dict[str, int]:
        self._fs.invalidate_cache()
        full = self._full(path)
        found = self._call("find", full, detail=True)
        prefix = len(self._fs._strip_protocol(full).rstrip("/")) + 1
        return {str(name)[prefix:]: int(info.get("size") or 0) for name, info in found.items()}

    def remove(self, path: str) -> None:
        self._fs.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            self._call("rm", self._full(path), recursive=True)

    def settle(self, path: str) -> None:
        """Nothing to do: a finished PUT is durable."""

    def flush(self, path: str) -> None:
        """Nothing to do: a finished PUT is durable."""


def open_files(url: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> Files:
    """Return the files of a store at a folder or an fsspec URL."""
    text = os.fspath(url)
    if text.startswith("file://"):
        return Disk(Path(urlsplit(text).path))
    if "://" not in text and "::" not in text:
        return Disk(Path(text).expanduser().absolute())
    try:
        return Remote(text, storage_options)
    except (ImportError, ValueError) as error:
        raise StoreError(f"cannot open a store at {without_secrets(text)}: {error}") from error


def without_secrets(url: str) -> str:
    """Return a URL without user, password and query.

    >>> without_secrets("s3://key:secret@bucket/prefix?token=1")
    's3://bucket/prefix'
    """
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], parts.path, "", "")) or url


@contextlib.contextmanager
def store_errors(doing: str, files: Files) -> Iterator[None]:
    """Turn what the operating system raises into a StoreError that says what was being done."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "the disk is full; free space and repeat the call"
        elif isinstance(error, PermissionError):
            hint = "this account may not write there"
        else:
            hint = "nothing that readers see has changed"
        raise StoreError(f"{doing} in {files.label} failed: {error}; {hint}") from error

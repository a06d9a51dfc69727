"""Who is writing an entry now: so that two writers never share a folder and repair spares the living."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import uuid
import weakref
from typing import IO, Protocol

from brainalign.errors import StoreError
from brainalign.foreign.json_text import parse_json
from brainalign.store.files import Disk, Files
from brainalign.store.layout import LEASE_SECONDS, LOCK

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    _FLOCK = False
else:
    _FLOCK = True

__all__ = ["EntryLock", "take"]

_LIVE: set[str] = set()  # owners of leases in this process


class EntryLock(Protocol):
    """A held lock on the folder of an entry."""

    def confirm(self) -> None:
        """Raise StoreError unless the lock is still ours; a lease is renewed."""

    def release(self) -> None:
        """Give it back. Happens by itself when the process dies."""


def take(files: Files, folder: str) -> EntryLock | None:
    """Take the lock of an entry folder; None if another living writer holds it."""
    if _FLOCK and isinstance(files, Disk):
        return _Flock.take(files, folder)
    return _Lease.take(files, folder)


class _Flock:
    """An flock on a file: the kernel releases it when the process dies, however it dies."""

    def __init__(self, handle: IO[bytes], path: str) -> None:
        self._handle, self._path = handle, path

    @classmethod
    def take(cls, files: Disk, folder: str) -> _Flock | None:
        path = files.root / folder / LOCK
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("ab")
        try:
            fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return None
        except BaseException:
            handle.close()
            raise
        return cls(handle, str(path))

    def confirm(self) -> None:
        try:
            there = os.stat(self._path)  # noqa: PTH116
        except FileNotFoundError:
            there = None
        if there is None or there.st_ino != os.fstat(self._handle.fileno()).st_ino:
            raise StoreError(f"the folder of this writer was removed under it ({self._path}); repeat the call")

    def release(self) -> None:
        self._handle.close()


class _Lease:
    """A file that names owner and time: for file systems without locks."""

    def __init__(self, files: Files, path: str) -> None:
        self._files, self._path, self._owner = files, path, uuid.uuid4().hex
        _LIVE.add(self._owner)
        weakref.finalize(self, _LIVE.discard, self._owner)

    @classmethod
    def take(cls, files: Files, folder: str) -> _Lease | None:
        path = f"{folder}/{LOCK}"
        try:
            held = parse_json(files.read(path))
        except FileNotFoundError:
            held = None
        except ValueError:
            held = {}
        if isinstance(held, dict) and held and _alive(held):
            return None
        lease = cls(files, path)
        if held is not None:
            files.remove(path)
        try:
            files.publish(path, lease._text(), create=True)
        except FileExistsError:
            return None
        return lease

    def _text(self) -> bytes:
        lease = {"owner": self._owner, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
        return json.dumps(lease).encode()

    def confirm(self) -> None:
        try:
            owner = parse_json(self._files.read(self._path)).get("owner")
        except (FileNotFoundError, ValueError):
            owner = None
        if owner != self._owner:
            raise StoreError(f"another writer has taken over {self._path}; this one stops")
        self._files.write(self._path, self._text())

    def release(self) -> None:
        _LIVE.discard(self._owner)
        self._files.remove(self._path)


def _alive(held: dict[str, object]) -> bool:
    if held.get("host") == socket.gethostname() and sys.platform != "win32":
        pid = held.get("pid")
        if pid == os.getpid():
            return held.get("owner") in _LIVE
        try:
            os.kill(int(str(pid)), 0)  # signal 0 only asks
        except (ProcessLookupError, ValueError):
            return False
        except PermissionError:
            return True
        return True
    return time.time() - float(str(held.get("time", 0))) < LEASE_SECONDS

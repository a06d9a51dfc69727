"""Making files durable while the next ones are written."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from brainalign.store.files import Files

__all__ = ["Settling"]

_WORTH_STARTING = 2**20  # bytes; a journal commits many small files together at the end for less
_THREADS = 2


class Settling:
    """A thread makes large files durable as they come, so that a flush at the end finds little left to wait for.

    Used as a context: leaving it waits for all files. What goes wrong is raised there or at the next file, since a
    file system says only once that it could not keep what was written.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="brainalign-settle")
        self._started: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    def add(self, path: str, size: int) -> None:
        """Begin with a file that was just written; may be called by any thread."""
        with self._lock:
            if size >= _WORTH_STARTING:
                self._started.append(self._pool.submit(self._files.settle, path))
            while self._started and self._started[0].done():
                self._started.popleft().result()

    def __enter__(self) -> Settling:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            while self._started:
                self._started.popleft().result()

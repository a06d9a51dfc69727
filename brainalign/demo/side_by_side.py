"""Calls that run in threads side by side, each on one core, and tell how far they are."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any, TypeVar

import torch
from threadpoolctl import threadpool_limits

__all__ = ["Progress", "SideBySide", "tell"]

T = TypeVar("T")
Progress = Callable[[str, int, int], None]

THREADS = 2  # each holds the work of one network, some hundred megabytes; the libraries and the targets are shared
_LISTEN = 0.1  # seconds
_TURN = 5e-4  # seconds; at Python's 5 ms a thread back from a convolution of 1 ms waits for longer than it worked

_here = threading.local()


class SideBySide:
    """Threads for calls that do not depend on each other.

    Small convolutions and small decompositions gain little from a second thread of their own, so two networks side by
    side are done earlier than one after the other with all cores; and they share the libraries and the prepared
    responses, which processes would hold twice. Calls start in the order in which they are handed in. Leaving the
    context by an error, Ctrl-C among them, interrupts the calls: what they were writing goes on at the last whole chunk
    another time.

    Parameters
    ----------
    progress
        Called with what a call :func:`tell` s.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> SideBySide:
        self._cores = torch.get_num_threads()
        self._limits = threadpool_limits(1)
        torch.set_num_threads(1)
        self._turn = sys.getswitchinterval()
        sys.setswitchinterval(_TURN)
        self._news: SimpleQueue[tuple[str, int, int]] = SimpleQueue()
        self._pool = ThreadPoolExecutor(min(THREADS, self._cores), initializer=self._begin)
        self._calls: list[Future[Any]] = []
        self._workers: set[int] = set()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            while not all(call.done() for call in self._calls):
                for worker in self._workers:
                    _interrupt(worker)
                wait(self._calls, timeout=1)
        self._pool.shutdown()
        sys.setswitchinterval(self._turn)
        self._limits.restore_original_limits()
        torch.set_num_threads(self._cores)

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Hand in a call."""
        future = self._pool.submit(function, *arguments)
        self._calls.append(future)
        return future

    def as_done(self, calls: Iterable[Future[T]]) -> Iterator[T]:
        """Yield what the calls return, as they end, and pass on what they tell meanwhile; raise what they raise."""
        waiting = set(calls)
        while waiting:
            done, waiting = wait(waiting, timeout=_LISTEN, return_when=FIRST_COMPLETED)
            while not self._news.empty():
                self._progress(*self._news.get())
            for call in done:
                yield call.result()

    def _begin(self) -> None:
        _here.news = self._news
        torch.set_num_threads(1)  # of OpenMP, which counts for each thread
        self._workers.add(threading.get_ident())


def tell(what: str, done: int, total: int) -> None:
    """Tell the thread that waits for this call how far it is."""
    news: SimpleQueue[tuple[str, int, int]] | None = getattr(_here, "news", None)
    if news is not None:
        news.put((what, done, total))


def _interrupt(thread: int) -> None:
    """Raise KeyboardInterrupt in a thread as soon as it runs Python code, as Ctrl-C does in the first thread."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt))

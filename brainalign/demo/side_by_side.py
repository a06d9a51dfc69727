"""Calls that run in processes side by side, each with its share of the cores, and tell how far they are."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

import torch

from brainalign.errors import BrainalignError

__all__ = ["Progress", "SideBySide", "tell"]

T = TypeVar("T")
Progress = Callable[[str, int, int], None]

PROCESSES = 2  # each holds the libraries and the work of one network, about a gigabyte
_LISTEN = 0.1  # seconds

_news: SimpleQueue[tuple[str, int, int]] | None = None  # of this process, if it is one of those at work


class SideBySide:
    """Processes for calls that do not depend on each other.

    Small convolutions and small decompositions gain little from a second thread, so two networks side by side are
    done earlier than one after the other with all cores. Calls start in the order in which they are handed in.
    Leaving the context by an error, Ctrl-C among them, ends the processes: what they were writing goes on at the last
    whole chunk another time.

    Parameters
    ----------
    progress
        Called with what a call :func:`tell` s.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> SideBySide:
        context = get_context("spawn")
        cores = torch.get_num_threads()
        processes = min(PROCESSES, cores)
        self._news: SimpleQueue[tuple[str, int, int]] = context.SimpleQueue()
        self._others = set(active_children())
        self._pool = ProcessPoolExecutor(processes, context, _begin, (cores // processes, self._news))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            for process in set(active_children()) - self._others:
                process.terminate()
        self._pool.shutdown(cancel_futures=True)
        self._news.close()

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Hand in a call: a function of a module, and arguments that can be sent to another process."""
        return self._pool.submit(function, *arguments)

    def as_done(self, calls: Iterable[Future[T]]) -> Iterator[T]:
        """Yield what the calls return, as they end, and pass on what they tell meanwhile.

        Raises
        ------
        BrainalignError
            What a call raised; or, if a process was killed, that it was.
        """
        waiting = set(calls)
        while waiting:
            done, waiting = wait(waiting, timeout=_LISTEN, return_when=FIRST_COMPLETED)
            while not self._news.empty():
                self._progress(*self._news.get())
            for call in done:
                try:
                    yield call.result()
                except BrokenProcessPool as error:
                    raise BrainalignError(
                        "a process that embeds or scores was killed from outside, often for want of memory; what is "
                        "finished is kept: the same command goes on from there"
                    ) from error


def tell(what: str, done: int, total: int) -> None:
    """Tell the process that waits for this call how far it is."""
    if _news is not None:
        _news.put((what, done, total))


def _begin(threads: int, news: SimpleQueue[tuple[str, int, int]]) -> None:
    global _news
    _news = news
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the one that waits ends the others
    torch.set_num_threads(threads)

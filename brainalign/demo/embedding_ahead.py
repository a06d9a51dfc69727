"""Networks are embedded in a process beside the one that scores, each with its share of the cores."""

from __future__ import annotations

import signal
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import Empty
from typing import TYPE_CHECKING

import torch

from brainalign.errors import BrainalignError
from brainalign.models import embed
from brainalign.store import open_store

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

__all__ = ["embedded_ahead"]

POOLING = "srp:1024"
MAX_MEMORY = "500MB"


def embedded_ahead(models: Sequence[str], stimuli: str, store_url: str) -> Generator[str]:
    """Yield ``model@revision`` as each network is embedded; while the caller works on one, others are being embedded.

    Small convolutions gain little from a second thread, so one process that embeds beside one that scores is faster
    than both in turn with all cores. Where the caller is the faster one, networks that nobody has begun are embedded
    here. What the store holds already, and the first network, need no second process.
    Closing the generator ends the other process; what it was writing goes on at the last whole chunk another time.
    If it fails, the network is embedded here, which raises the error where it can be read.
    """
    entries = open_store(store_url).entries()
    known = set(entries.loc[entries["stimulus_set"] == stimuli, "model"])
    missing = [model for model in models if model not in known]
    threads = torch.get_num_threads()
    beside = max(1, threads // 2)
    with _Beside(missing[1:], stimuli, store_url, beside) as other:
        try:
            here = [model for model in models if model in known] + missing[:1]
            while here or other.left:
                torch.set_num_threads(max(1, threads - beside) if other.left else threads)
                yield _embedded(here.pop(0), stimuli, store_url) if here else other.take()
        finally:
            torch.set_num_threads(threads)


class _Beside:
    """A process that embeds networks in turn, and the queue from which both sides take them."""

    def __init__(self, models: Sequence[str], stimuli: str, store_url: str, threads: int) -> None:
        context = get_context("spawn")
        self.left = list(models)
        self._where = (stimuli, store_url)
        self._queue = context.Queue()
        for model in models:
            self._queue.put(model)
        self._done, self._report = context.Pipe(duplex=False)
        arguments = (self._queue, *self._where, threads, self._report)
        self._process = context.Process(target=_embed_in_turn, args=arguments, daemon=True)

    def __enter__(self) -> _Beside:
        if self.left:
            self._process.start()
        self._report.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.cancel_join_thread()
        if self._process.pid is not None:
            self._process.terminate()
            self._process.join()

    def take(self) -> str:
        """Return the next network that is done: by the other process, else by this one, else by waiting."""
        if not self._done.poll():
            with suppress(Empty):
                return self._finished(_embedded(self._queue.get_nowait(), *self._where))
        try:
            return self._finished(str(self._done.recv()))
        except EOFError:  # the other process has ended
            return self._finished(_embedded(self.left[0], *self._where))

    def _finished(self, name: str) -> str:
        self.left.remove(name.rsplit("@", 1)[0])
        return name


def _embed_in_turn(models: Queue[str], stimuli: str, store_url: str, threads: int, report: Connection) -> None:
    """Embed what the queue holds and report each; stop at the first error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the parent ends this one
    torch.set_num_threads(threads)
    with suppress(BrainalignError):
        while True:
            report.send(_embedded(models.get(), stimuli, store_url))


def _embedded(model: str, stimuli: str, store_url: str) -> str:
    return embed(model, stimuli, open_store(store_url), pooling=POOLING, max_memory=MAX_MEMORY)

"""Networks are embedded in a process beside the one that scores, each with its share of the cores."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch

from brainalign.errors import BrainalignError
from brainalign.models import embed
from brainalign.store import open_store

__all__ = ["EmbeddedAhead"]

POOLING = "srp:1024"
MAX_MEMORY = "500MB"


class EmbeddedAhead:
    """``model@revision`` of each network as it is embedded; while the caller works on one, others are being embedded.

    Small convolutions gain little from a second thread, so one process that embeds beside one that scores is faster
    than both in turn with all cores. It starts on entering the context, from the second network on; the first is
    embedded here, and where the caller would have to wait, so are the last ones. What the store holds already needs no
    second process.
    Leaving the context ends the other process; what it was writing goes on at the last whole chunk another time.
    If it fails, the network is embedded here, which raises the error where it can be read.
    """

    def __init__(self, models: Sequence[str], stimuli: str, store_url: str) -> None:
        entries = open_store(store_url).entries()
        known = set(entries.loc[entries["stimulus_set"] == stimuli, "model"])
        self._known = [model for model in models if model in known]
        self._left = [model for model in models if model not in known]
        self._where = (stimuli, store_url)
        self._threads = torch.get_num_threads()

    def __enter__(self) -> EmbeddedAhead:
        context = get_context("spawn")
        self._other, end = context.Pipe()
        beside = max(1, self._threads // 2)
        arguments = (tuple(self._left[1:]), *self._where, beside, end)
        self._process = context.Process(target=_embed_in_turn, args=arguments, daemon=True)
        if len(self._left) > 1:
            self._process.start()
            torch.set_num_threads(max(1, self._threads - beside))
        end.close()
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._threads)
        self._other.close()
        if self._process.pid is not None:
            self._process.terminate()
            self._process.join()

    def __iter__(self) -> Iterator[str]:
        for model in [*self._known, *self._left[:1]]:
            yield _embedded(model, *self._where)
        del self._left[:1]
        while self._left:
            name = self._next()
            self._left.remove(name.rsplit("@", 1)[0])
            if not self._process.is_alive():  # all cores are free again
                torch.set_num_threads(self._threads)
            yield name

    def _next(self) -> str:
        """Return a network that the other process has done, else embed the last one, else wait."""
        try:
            # the other process is at the first one that is left, and may begin the second
            if not self._other.poll() and len(self._left) > 2:
                self._other.send(self._left[-1])
                return _embedded(self._left[-1], *self._where)
            return str(self._other.recv())
        except (EOFError, OSError):  # it has ended, or was never needed
            return _embedded(self._left[0], *self._where)


def _embed_in_turn(models: Sequence[str], stimuli: str, store_url: str, threads: int, caller: Connection) -> None:
    """Embed all but those that the caller names, and report each; stop at the first error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the caller ends this one
    torch.set_num_threads(threads)
    taken = set()
    with suppress(BrainalignError):
        for model in models:
            while caller.poll():
                taken.add(caller.recv())
            if model not in taken:
                caller.send(_embedded(model, stimuli, store_url))


def _embedded(model: str, stimuli: str, store_url: str) -> str:
    return embed(model, stimuli, open_store(store_url), pooling=POOLING, max_memory=MAX_MEMORY)

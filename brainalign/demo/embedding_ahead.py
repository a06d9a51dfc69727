"""Networks are embedded in a process beside the one that scores, each with its share of the cores."""

from __future__ import annotations

import signal
from collections.abc import Generator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch

from brainalign.errors import BrainalignError
from brainalign.models import embed
from brainalign.store import open_store

__all__ = ["embedded_ahead"]

POOLING = "srp:1024"
MAX_MEMORY = "500MB"


def embedded_ahead(models: Sequence[str], stimuli: str, store_url: str) -> Generator[str]:
    """Yield ``model@revision`` in turn; while the caller works on one, the next ones are embedded.

    Small convolutions gain little from a second thread, so one process that embeds beside one that scores is faster
    than both in turn with all cores. What the store holds already, and the first network, need no second process.
    Closing the generator ends the other process; what it was writing goes on at the last whole chunk another time.
    If it fails, the network is embedded here, which raises the error where it can be read.
    """
    entries = open_store(store_url).entries()
    known = set(entries.loc[entries["stimulus_set"] == stimuli, "model"])
    ahead = [model for model in models if model not in known][1:]
    threads = torch.get_num_threads()
    beside = max(1, threads // 2)
    context = get_context("spawn")
    done, report = context.Pipe(duplex=False)
    process = context.Process(target=_embed_all, args=(ahead, stimuli, store_url, beside, report), daemon=True)
    if ahead:
        process.start()
    report.close()
    try:
        for model in models:
            name = _next(done) if model in ahead else None
            name = name or _embedded(model, stimuli, store_url)
            busy = bool(ahead) and model != ahead[-1] and process.is_alive()
            torch.set_num_threads(max(1, threads - beside) if busy else threads)
            yield name
    finally:
        torch.set_num_threads(threads)
        done.close()
        if ahead:
            process.terminate()
            process.join()


def _next(done: Connection) -> str | None:
    try:
        return str(done.recv())
    except EOFError:  # it has ended
        return None


def _embed_all(models: Sequence[str], stimuli: str, store_url: str, threads: int, report: Connection) -> None:
    """Embed in turn and report each; stop at the first error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the parent ends this one
    torch.set_num_threads(threads)
    try:
        for model in models:
            report.send(_embedded(model, stimuli, store_url))
    except BrainalignError:
        report.close()


def _embedded(model: str, stimuli: str, store_url: str) -> str:
    return embed(model, stimuli, open_store(store_url), pooling=POOLING, max_memory=MAX_MEMORY)

"""A Dask scheduler and its workers as processes of their own, for tests that take them away."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brainalign.errors import ScheduleError
from brainalign.testing import faults

__all__ = ["Cluster", "opened", "score_and_say"]

_START_SECONDS = 60.0
_WARM = ("--preload", "brainalign.evaluate")  # both import what tasks need, which blocks them for seconds


class Cluster:
    """A scheduler on a free port of this machine, and workers of one thread each without nannies."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._log = folder, (folder / "cluster.log").open("ab")
        file = folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._started(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file), *_WARM
        )
        self.address = _address(file, self.scheduler)

    def add_workers(self, count: int) -> None:
        """Start workers; they come when they are ready."""
        for _ in range(count):
            place = ("--host", "127.0.0.1", "--local-directory", str(self._folder), "--memory-limit", "0")
            one = (
                "--preload",
                "brainalign.evaluate",
                "--no-nanny",
                "--nthreads",
                "1",
                "--no-dashboard",
                "--death-timeout",
                "10",
            )
            self.workers.append(self._started("worker", self.address, *place, *one))

    def wait(self, count: int) -> None:
        """Wait until so many workers have come."""
        distributed: Any = importlib.import_module("distributed")
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=_START_SECONDS)

    def close(self) -> None:
        """End all of it."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()

    def _started(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )


@contextlib.contextmanager
def opened(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Give a cluster whose workers are there and have imported what they need; its processes are gone at the end."""
    cluster = Cluster(folder)
    try:
        cluster.add_workers(workers)
        cluster.wait(workers)
        yield cluster
    finally:
        cluster.close()


def score_and_say(
    folder: str, results: str, scheduler: str, note: str, wait: float | None = None, answer: float | None = None
) -> None:
    """Score the toy on a scheduler, and leave in a file how it ended.

    Parameters
    ----------
    folder, results, scheduler : str
        Of `faults.score_toy`.
    note : str
        File of the outcome: ``error`` (its type, None where there was none), ``message``, ``typed`` and ``seconds``
        that the run said it had been without a worker.
    wait : float, optional
        Seconds to wait for workers.
    answer : float, optional
        Seconds that the scheduler may take to answer.
    """
    from brainalign.schedule import cluster

    if answer is not None:
        cluster._ANSWER = answer
    said: dict[str, Any] = {"error": None, "message": "", "typed": True, "seconds": []}

    def heard(what: str, done: int, total: int) -> None:
        if what == "seconds without a worker":
            said["seconds"].append(done)

    try:
        faults.score_toy(folder, results, scheduler, worker_wait=wait, progress=heard)
    except Exception as error:
        said |= {"error": type(error).__name__, "message": str(error), "typed": isinstance(error, ScheduleError)}
    Path(note).write_text(json.dumps(said), encoding="utf-8")


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and scheduler.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):  # not written yet, or not to its end
            return str(json.loads(file.read_bytes())["address"])
        time.sleep(0.05)
    scheduler.kill()
    scheduler.wait()
    raise AssertionError("the scheduler did not start; see cluster.log beside its file")

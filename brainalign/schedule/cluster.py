"""Running tasks on a Dask cluster: a window of tasks in flight, retries, and an end to those that take too long."""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from brainalign.errors import ScheduleError
from brainalign.schedule.tasks import Failure, Limits, Progress, Task, Work, may_pass

__all__ = ["run_on_cluster"]

TOPIC = "brainalign-started"
_TURN = 0.25  # seconds between looks at the clock
_ANSWER = 60.0  # seconds that a scheduler may take to answer; one that is stopped or unreachable never does
_NOTICE = 5.0  # seconds without any worker before the run says that it waits
_UNDER_WAY = ("pending", "lost")  # "lost": it had ended, its worker died with the outcome, and it is made again
_AHEAD = 2  # tasks sent for each thread, so that none waits for the network


@dataclass
class _InFlight:
    task: Task
    future: Any
    attempt: int
    started: float | None = None
    worker: str | None = None


def run_on_cluster(
    work: Work,
    tasks: Sequence[Task],
    done: Callable[[Task, Any], None],
    client: Any,
    limits: Limits,
    progress: Progress | None,
    patience: float,
) -> list[Failure]:
    """Run tasks on the cluster of a client; see `brainalign.schedule.run_tasks`.

    ``patience`` is how many seconds the run waits without any worker before it gives up.
    """
    return _Run(work, done, client, limits, progress, patience).run(tasks)


class _Run:
    def __init__(
        self,
        work: Work,
        done: Callable[[Task, Any], None],
        client: Any,
        limits: Limits,
        progress: Progress | None,
        patience: float,
    ) -> None:
        self._work, self._done, self._client, self._limits, self._progress = work, done, client, limits, progress
        self._patience = patience
        self._flying: dict[str, _InFlight] = {}
        self._made_again: set[str] = set()
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._began: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._failures: list[Failure] = []
        self._seen_worker, self._said_waiting = time.monotonic(), False
        self._steps = self._total = 0

    def run(self, tasks: Sequence[Task]) -> list[Failure]:
        self._waiting = deque((task, 1) for task in tasks)
        self._total = sum(task.steps for task in tasks)
        self._client.subscribe_topic(TOPIC, self._heard)
        try:
            while self._waiting or self._flying:
                self._send()
                self._look_at_outcomes()
                self._look_at_clock()
                with contextlib.suppress(queue.Empty):
                    self._settle(self._ended.get(timeout=_TURN))
        finally:
            with contextlib.suppress(Exception):  # of a scheduler that is gone
                self._client.unsubscribe_topic(TOPIC)
                self._client.cancel([flight.future for flight in self._flying.values()])
        return self._failures

    def _heard(self, event: Any) -> None:
        _, message = event
        self._began.put((message["key"], message["worker"]))

    def _send(self) -> None:
        workers = self._workers()
        threads = sum(workers.values())
        self._forget_starts_on_lost(workers)
        self._wait_for_workers(threads)
        while self._waiting and len(self._flying) < _AHEAD * threads:
            task, attempt = self._waiting.popleft()
            key = f"{task.key}-{attempt}"
            with self._reached():
                future = self._client.submit(_guarded, self._work, task.arguments, key, key=key, pure=False)
                future.add_done_callback(lambda _, key=key: self._ended.put(key))
            self._flying[key] = _InFlight(task, future, attempt)

    def _workers(self) -> dict[str, int]:
        if self._client.status != "running":
            raise self._lost_scheduler("the connection is closed")
        with self._reached():
            return dict(self._client.nthreads(callback_timeout=_ANSWER))

    def _forget_starts_on_lost(self, workers: dict[str, int]) -> None:
        """Let the clock of a task whose worker died begin anew when it starts on another."""
        for flight in self._flying.values():
            if flight.worker not in workers:
                flight.started = flight.worker = None

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Tell of a scheduler that goes in the middle of a request as of one that is gone between two."""
        try:
            yield
        except Exception as error:
            if isinstance(error, TimeoutError):
                raise self._lost_scheduler(f"it did not answer within {_ANSWER:.0f} s") from error
            if isinstance(error, (OSError, CancelledError)) or self._client.status != "running":
                raise self._lost_scheduler(f"{type(error).__name__} while it was asked") from error
            raise

    def _lost_scheduler(self, why: str) -> ScheduleError:
        return ScheduleError(f"the scheduler was lost after {self._steps} of {self._total} steps ({why})")

    def _wait_for_workers(self, threads: int) -> None:
        """Wait for workers that come later, as those of a queue do, but visibly and not for ever."""
        now = time.monotonic()
        if threads:
            self._seen_worker = now
        waited = now - self._seen_worker
        if waited > self._patience:
            raise ScheduleError(
                f"the scheduler has had no worker for {waited:.0f} s, after {self._steps} of {self._total} steps: "
                "start workers that reach it, or allow a longer wait (worker_wait, --worker-wait)"
            )
        if self._progress is not None and (waited > _NOTICE or (self._said_waiting and threads)):
            self._said_waiting = not threads
            self._progress("seconds without a worker", int(waited), int(self._patience))

    def _look_at_outcomes(self) -> None:
        """Settle tasks whose outcome went with its worker once the scheduler has had them made again."""
        for key in list(self._made_again):
            flight = self._flying.get(key)
            if flight is None or flight.future.status not in _UNDER_WAY:
                self._made_again.discard(key)
                self._ended.put(key)

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        with contextlib.suppress(queue.Empty):
            while True:
                key, worker = self._began.get_nowait()
                if key in self._flying:
                    self._flying[key].started, self._flying[key].worker = now, worker
        allowed = self._limits.seconds
        if allowed is None:
            return
        for key, flight in list(self._flying.items()):
            if flight.started is not None and now - flight.started > allowed and not flight.future.done():
                del self._flying[key]
                flight.future.cancel()
                with contextlib.suppress(Exception):  # a worker without a nanny cannot be restarted
                    self._client.restart_workers([flight.worker], timeout=30, raise_for_error=False)
                self._failed(flight, "TimeLimit", f"ran longer than {allowed:g} s", again=True)

    def _settle(self, key: str) -> None:
        flight = self._flying.get(key)
        if flight is None:  # was stopped
            return
        if flight.future.status in _UNDER_WAY:
            self._made_again.add(key)
            return
        if flight.future.status != "finished":
            del self._flying[key]
            self._lost(flight)
            return
        outcome = self._fetched(flight)
        if outcome is None:
            self._made_again.add(key)
            return
        del self._flying[key]
        if "error" in outcome:
            self._failed(flight, outcome["error"], outcome["message"], again=outcome["again"])
            return
        self._advance(flight.task)
        self._done(flight.task, outcome["value"])

    def _fetched(self, flight: _InFlight) -> dict[str, Any] | None:
        """Return an outcome; None where it did not come, as when it was lost with its worker and must be made again."""
        with self._reached():
            try:
                return dict(flight.future.result(timeout=_ANSWER))
            except TimeoutError:
                return None

    def _lost(self, flight: _InFlight) -> None:
        if flight.future.status == "error":
            error = flight.future.exception()
            kind = type(error).__name__
            if kind == "KilledWorker":
                limit = "" if self._limits.memory is None else f" (its limit is {self._limits.memory / 2**20:.0f} MiB)"
                said = f"its worker process died again and again, most often of too little memory{limit}"
                self._failed(flight, kind, said, again=False)
            else:
                self._failed(flight, kind, str(error), again=may_pass(error))
        else:
            self._failed(flight, "Lost", f"the scheduler dropped it ({flight.future.status})", again=True)

    def _failed(self, flight: _InFlight, kind: str, message: str, *, again: bool) -> None:
        if again and flight.attempt <= self._limits.retries:
            self._waiting.append((flight.task, flight.attempt + 1))
            return
        self._failures.append(Failure(flight.task, kind, message, flight.attempt))
        self._advance(flight.task)

    def _advance(self, task: Task) -> None:
        self._steps += task.steps
        if self._progress is not None:
            self._progress("tasks", self._steps, self._total)


def _guarded(work: Work, arguments: Any, key: str) -> dict[str, Any]:
    """Run on a worker: errors come back as words, since not every exception survives the way."""
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(TOPIC, {"key": key, "worker": worker.address})
    try:
        return {"value": work(arguments, _nowhere)}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error), "again": may_pass(error)}


def _nowhere(what: str, steps: int) -> None:
    pass

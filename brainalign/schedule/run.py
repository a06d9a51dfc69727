"""Running tasks, one after the other here or side by side on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from brainalign.errors import BrainalignError, InputError
from brainalign.schedule.tasks import Failure, Limits, Progress, Task, Work

__all__ = ["run_tasks"]


def run_tasks(
    work: Work,
    tasks: Sequence[Task],
    done: Callable[[Task, Any], None],
    *,
    scheduler: Any = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    keep_going: bool = True,
) -> list[Failure]:
    """Run tasks and hand each outcome over as soon as it is there.

    Parameters
    ----------
    work : callable
        Importable; called with the arguments of a task and a ticker.
    tasks : sequence of Task
        Keys are unique. On a scheduler that two calls share, tasks with one key are computed once.
    done : callable
        Called in this thread with a task and its outcome. What it raises ends the run.
    scheduler : None, str, path, ClusterSpec or dask.distributed.Client
        None: this process. See `read_spec` for the rest.
    limits : Limits, optional
        Hold on clusters: a process cannot stop itself.
    progress : callable, optional
        Called with a description, the steps done and the steps of all.
    keep_going : bool
        In this process: go on with the next task after an error in the data, instead of raising it.

    Returns
    -------
    list of Failure
        Tasks that failed for good.

    Raises
    ------
    InputError
        Limits without a cluster, keys that repeat.
    ScheduleError
        If no scheduler answers, no worker comes, or the scheduler is lost on the way.
    MissingDependencyError
        Without Dask.
    """
    keys = [task.key for task in tasks]
    if len(set(keys)) != len(keys):
        raise InputError("two tasks have the same key")
    if not tasks:
        return []
    if scheduler is None:
        if limits is not None and limits.seconds is not None:
            raise InputError("a time limit for tasks needs a worker process; give scheduler='local:1' or more")
        return _run_here(work, tasks, done, progress, keep_going=keep_going)
    from brainalign.schedule.cluster import run_on_cluster
    from brainalign.schedule.spec import connected, patience, read_spec

    limits = limits or Limits()
    if isinstance(scheduler, str | Path):
        scheduler = read_spec(scheduler)
    with connected(scheduler, limits) as client:
        return run_on_cluster(work, tasks, done, client, limits, progress, patience(scheduler, limits))


def _run_here(
    work: Work,
    tasks: Sequence[Task],
    done: Callable[[Task, Any], None],
    progress: Progress | None,
    *,
    keep_going: bool,
) -> list[Failure]:
    failures = []
    total, count = sum(task.steps for task in tasks), 0

    def tick(what: str, steps: int) -> None:
        nonlocal count
        count += steps
        if progress is not None:
            progress(what, min(count, total), total)

    for task in tasks:
        try:
            outcome = work(task.arguments, tick)
        except BrainalignError as error:
            if not keep_going:
                raise
            failures.append(Failure(task, type(error).__name__, str(error), 1))
            continue
        done(task, outcome)
    return failures

"""Which cluster is meant: ``local:4``, ``tcp://scheduler:8786``, or a file for a queueing system."""

from __future__ import annotations

import contextlib
import importlib
import logging
import queue
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from brainalign.errors import InputError, MissingDependencyError, ScheduleError, near_names
from brainalign.freed_memory import keep_freed_memory
from brainalign.schedule.tasks import Limits

__all__ = ["ClusterSpec", "connected", "job_script", "patience", "read_spec"]

QUEUES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
    "htcondor": "HTCondorCluster",
}
_CONNECT_SECONDS = 30
_LOGGERS = ("distributed", "distributed.client")  # Dask gives the second a level of its own
_WORKER_SECONDS = 300.0
_QUEUE_SECONDS = 7 * 86400.0  # queues start jobs when they like
# Dask samples what every worker does 100 times a second and wakes every process 50 times: 6 % of each core's time
_LESS_WATCHED = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500ms"}


@dataclass(frozen=True)
class ClusterSpec:
    """A cluster in words.

    Attributes
    ----------
    kind : str
        ``local``, ``address``, or a queueing system.
    workers : int
        Worker processes of a local cluster, or jobs to ask for.
    address : str
        Of a running scheduler.
    options : dict
        For the queueing system: what `dask_jobqueue` takes (cores, memory, queue, walltime, account, …).
    """

    kind: str
    workers: int = 1
    address: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def read_spec(text: str | Path) -> ClusterSpec:
    """Read ``local:N``, the address of a scheduler, or a YAML file for a queueing system.

    Raises
    ------
    InputError
        If it is none of these; says what is wrong.

    Examples
    --------
    >>> read_spec("local:4").workers
    4
    >>> read_spec("tcp://10.0.0.1:8786").kind
    'address'
    """
    name = str(text)
    if name.startswith("local:"):
        count = name.removeprefix("local:")
        if not count.isdecimal() or int(count) < 1:
            raise InputError(f"a local cluster is local:N with N worker processes, as local:4; given {name!r}")
        return ClusterSpec("local", workers=int(count))
    if name.startswith(("tcp://", "tls://", "ucx://", "ws://", "wss://")):
        return ClusterSpec("address", address=name)
    if name.endswith((".yaml", ".yml")):
        return _read_file(Path(name))
    raise InputError(
        f"no cluster is called {name!r}: give local:N, the address of a scheduler (tcp://host:8786), or a .yaml file "
        "with queue, jobs and options"
    )


def _read_file(path: Path) -> ClusterSpec:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"the cluster file {path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not {"system"} <= found.keys() <= {"system", "jobs", "options"}:
        keys = sorted(map(str, found)) if isinstance(found, dict) else type(found).__name__
        raise InputError(f"{path} has the keys system, jobs and options; given {keys}")
    system, jobs, options = found["system"], found.get("jobs", 1), found.get("options") or {}
    if system not in QUEUES:
        raise InputError(f"{path}: system {system!r} is unknown.{near_names(str(system), QUEUES)}")
    if not isinstance(jobs, int) or jobs < 1 or not isinstance(options, dict):
        raise InputError(f"{path}: jobs is a number of at least 1 and options a mapping; given {jobs!r}, {options!r}")
    return ClusterSpec(str(system), workers=jobs, options={str(k): v for k, v in options.items()})


def job_script(spec: ClusterSpec) -> str:
    """Return the script that a queueing system is given for each job.

    Raises
    ------
    InputError
        If the cluster is not one of a queueing system, or lacks cores or memory.
    MissingDependencyError
        Without dask-jobqueue.
    """
    if spec.kind not in QUEUES:
        raise InputError(f"a cluster of kind {spec.kind!r} has no job script")
    with _queue(spec) as cluster:
        return str(cluster.job_script())


@contextlib.contextmanager
def connected(scheduler: Any, limits: Limits) -> Iterator[Any]:
    """Give a Dask client of a cluster that is opened here and closed at the end; a client is taken as it is."""
    distributed = _needed("distributed")
    if isinstance(scheduler, distributed.Client):
        yield scheduler
        return
    spec = scheduler if isinstance(scheduler, ClusterSpec) else read_spec(scheduler)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        if spec.kind == "address":
            client = _client_of(distributed, spec.address)
        else:
            cluster = stack.enter_context(_local(spec, limits) if spec.kind == "local" else _queue(spec))
            if spec.kind != "local":
                cluster.scale(jobs=spec.workers)
            client = distributed.Client(cluster)
        stack.enter_context(client)
        if spec.kind != "address":  # workers of our own
            client.register_plugin(_memory_keeper())
        yield client


def _client_of(distributed: Any, address: str) -> Any:
    """Connect within a time: Dask waits without end for the first words behind a port that is open."""
    outcome: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def connect() -> None:
        try:
            outcome.put(distributed.Client(address, timeout=_CONNECT_SECONDS))
        except Exception as error:
            outcome.put(error)

    threading.Thread(target=connect, name="brainalign-connect", daemon=True).start()
    try:
        found = outcome.get(timeout=1.5 * _CONNECT_SECONDS)
    except queue.Empty:
        said = f"the port is open, and nothing was said within {1.5 * _CONNECT_SECONDS:.0f} s"
        raise ScheduleError(f"no scheduler answers at {address}: {said}") from None
    if isinstance(found, (OSError, ValueError)):
        raise ScheduleError(f"no scheduler answers at {address}: {found}") from found
    if isinstance(found, Exception):
        raise found
    return found


def patience(scheduler: Any, limits: Limits) -> float:
    """Return how many seconds a run on a cluster, or with a client, waits without any worker before it gives up.

    >>> patience(read_spec("tcp://10.0.0.1:8786"), Limits())
    300.0
    """
    if limits.wait is not None:
        return limits.wait
    return _QUEUE_SECONDS if isinstance(scheduler, ClusterSpec) and scheduler.kind in QUEUES else _WORKER_SECONDS


def _memory_keeper() -> Any:
    """What makes workers keep freed memory: Dask lets glibc give it back at once, which doubles the time of a task."""
    plugin = importlib.import_module("distributed.diagnostics.plugin")

    class KeepFreedMemory(plugin.WorkerPlugin):  # type: ignore[misc, name-defined]
        name = "brainalign-keep-freed-memory"

        def setup(self, worker: Any) -> None:
            keep_freed_memory()

    return KeepFreedMemory()


def _local(spec: ClusterSpec, limits: Limits) -> Any:
    distributed = _needed("distributed")
    with _needed("dask").config.set(_LESS_WATCHED):  # the scheduler, which runs in this process
        return distributed.LocalCluster(
            n_workers=spec.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any port that is free; another cluster may run here
            memory_limit=limits.memory or "auto",
            config=_LESS_WATCHED,  # of workers, also of those that replace others
            silence_logs=logging.CRITICAL,
        )


def _queue(spec: ClusterSpec) -> Any:
    with _interrupts_kept():
        jobqueue = _needed("dask_jobqueue")
    try:
        return getattr(jobqueue, QUEUES[spec.kind])(
            **{"scheduler_options": {"dashboard_address": ":0"}, **spec.options}  # any port that is free
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"options of the {spec.kind} cluster: {error}") from error


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Give Ctrl-C back to Python: dask-jobqueue makes it an exit of the process when it is imported."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave what Dask says of dying workers and schedulers to the errors of the run."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _needed(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingDependencyError(
            f"a cluster needs {package.replace('_', '-')}, which is not installed: pip install 'brainalign[cluster]'"
        ) from error

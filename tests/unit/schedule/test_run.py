"""Tasks run here and on a cluster of two worker processes."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from brainalign.errors import InputError, MissingDependencyError, ScheduleError, ShapeError
from brainalign.schedule import ClusterSpec, Limits, Task, job_script, read_spec, run_tasks
from brainalign.schedule.cluster import run_on_cluster
from brainalign.schedule.spec import connected, patience
from brainalign.testing.tasks import square


def tasks_of(*arguments: tuple[str, int, str]) -> list[Task]:
    return [Task(f"key-{i}-{a[0]}-{a[2]}", f"task {i}", a) for i, a in enumerate(arguments)]


def collected(tasks: list[Task], **how: Any) -> tuple[dict[str, int], list[Any]]:
    outcomes: dict[str, int] = {}
    failures = run_tasks(square, tasks, lambda task, value: outcomes.update({task.label: value}), **how)
    return outcomes, failures


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    pytest.importorskip("distributed")
    with connected("local:2", Limits()) as client:
        yield client


def test_workers_are_not_sampled_and_the_process_keeps_its_own_settings(client: Any) -> None:
    dask = pytest.importorskip("dask")
    names = ("distributed.worker.profile.enabled", "distributed.admin.tick.interval")
    for settings in client.run(lambda: [dask.config.get(name) for name in names]).values():
        assert settings == [False, "500ms"]
    assert [dask.config.get(name) for name in names] == [True, "20ms"]


def test_here_they_run_in_order_and_say_so() -> None:
    seen: list[tuple[str, int, int]] = []
    outcomes, failures = collected(tasks_of(("", 2, ""), ("", 3, "x")), progress=lambda *said: seen.append(said))
    assert outcomes == {"task 0": 4, "task 1": 9}
    assert failures == [] and seen == [("squares", 1, 2), ("squares", 2, 2)]


def test_here_an_error_in_the_data_ends_its_own_task_or_the_run() -> None:
    tasks = tasks_of(("bad", 2, ""), ("", 3, ""))
    outcomes, failures = collected(tasks)
    assert outcomes == {"task 1": 9}
    assert str(failures[0]) == "task 0: ShapeError: not square"
    with pytest.raises(ShapeError):
        collected(tasks, keep_going=False)


def test_arguments_are_checked_first() -> None:
    with pytest.raises(InputError, match="same key"):
        collected(tasks_of(("", 2, "")) * 2)
    with pytest.raises(InputError, match="worker process"):
        collected(tasks_of(("", 2, "")), limits=Limits(seconds=1.0))
    for wrong in ("local:0", "local:x", "here", "local"):
        with pytest.raises(InputError, match="local:"):
            collected(tasks_of(("", 2, "")), scheduler=wrong)
    with pytest.raises(InputError, match="retries"):
        Limits(retries=-1)


def test_without_dask_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'brainalign\[cluster\]'"):
        collected(tasks_of(("", 2, "")), scheduler="local:2")


@pytest.mark.filterwarnings("ignore")
def test_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainalign.schedule.spec._CONNECT_SECONDS", 1)
    with pytest.raises(ScheduleError, match="no scheduler answers at tcp"):
        collected(tasks_of(("", 2, "")), scheduler="tcp://127.0.0.1:9")


def test_a_port_behind_which_nobody_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("brainalign.schedule.spec._CONNECT_SECONDS", 0.5)
    said = pytest.raises(ScheduleError, match="the port is open, and nothing was said")
    with socket.create_server(("127.0.0.1", 0)) as server, said:
        collected(tasks_of(("", 2, "")), scheduler=f"tcp://127.0.0.1:{server.getsockname()[1]}")


ONE, DEFAULTS = {"worker": 1}, Limits()


class Stub:
    """A client and its one future: what their calls raise or return, one after the other."""

    def __init__(self, workers: list[Any], results: list[Any] | None = None, status: str = "running") -> None:
        self.status, self._workers, self.future = status, workers, StubFuture(results or [])

    def nthreads(self, callback_timeout: float) -> dict[str, int]:
        assert callback_timeout > 0
        return dict(_next(self._workers))

    def subscribe_topic(self, topic: str, handler: Any) -> None:
        self._handler = handler

    def submit(self, *arguments: Any, **how: Any) -> Any:
        self._handler((0.0, {"key": how["key"], "worker": "worker"}))
        return self.future


class StubFuture:
    def __init__(self, results: list[Any]) -> None:
        self._results, self.states = results, ["finished"]

    @property
    def status(self) -> str:
        return str(_next(self.states))

    def add_done_callback(self, call: Any) -> None:
        call(self)

    def done(self) -> bool:
        return False

    def cancel(self) -> None:
        pass

    def result(self, timeout: float) -> Any:
        assert timeout > 0
        return _next(self._results)


def _next(values: list[Any]) -> Any:
    """Take the next value, the last one again and again; raise it where it is an error."""
    found = values.pop(0) if len(values) > 1 else values[0]
    if isinstance(found, Exception):
        raise found
    return found


def stubbed(stub: Stub, patience: float = 300.0, progress: Any = None, limits: Limits = DEFAULTS) -> dict[str, int]:
    outcomes: dict[str, int] = {}
    tasks = tasks_of(("", 2, ""))
    failures = run_on_cluster(
        square, tasks, lambda t, value: outcomes.update({t.label: value}), stub, limits, progress, patience
    )
    assert failures == []
    return outcomes


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError("by peer"), "ConnectionResetError while it was asked"),
        (TimeoutError(), "it did not answer within 60 s"),
        (CancelledError(), "CancelledError while it was asked"),
    ],
)
def test_a_scheduler_that_goes_while_it_is_asked_is_said_to_be_lost(error: Exception, said: str) -> None:
    for stub in (Stub([error]), Stub([ONE, error], [TimeoutError()])):
        with pytest.raises(ScheduleError, match=f"the scheduler was lost after 0 of 1 steps .{said}") as caught:
            stubbed(stub)
        assert caught.value.__cause__ is error
    with pytest.raises(ScheduleError, match="the connection is closed"):
        stubbed(Stub([ONE], status="connecting"))


def test_an_outcome_that_is_lost_with_its_worker_is_waited_for() -> None:
    assert stubbed(Stub([ONE], [TimeoutError(), {"value": 4}])) == {"task 0": 4}
    with pytest.raises(ScheduleError, match="no worker"):
        stubbed(Stub([ONE, {}], [TimeoutError()]), patience=0.1)
    with pytest.raises(ScheduleError, match=r"lost after 0 of 1 steps .CancelledError while"):
        stubbed(Stub([ONE], [CancelledError()]))


@pytest.mark.parametrize("state", ["lost", "pending"])
def test_a_task_whose_worker_dies_after_it_ended_has_not_failed(state: str) -> None:
    stub = Stub([ONE], [{"value": 4}])
    stub.future.states = [state, state, "finished"]
    assert stubbed(stub, limits=Limits(retries=0)) == {"task 0": 4}


def test_a_task_whose_worker_died_gets_all_its_time_on_the_next() -> None:
    def stub(*workers: dict[str, int]) -> Stub:
        made = Stub(list(workers), [{"value": 4}])
        made.future.states = ["pending"] * 5 + ["finished"]
        return made

    limits = Limits(retries=0, seconds=0.5)
    assert stubbed(stub(ONE, ONE, {"next": 1}), limits=limits) == {"task 0": 4}
    with pytest.raises(AssertionError, match="ran longer than"):
        stubbed(stub(ONE), limits=limits)


def test_a_run_without_workers_says_that_it_waits_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainalign.schedule.cluster._NOTICE", 0.2)
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(ScheduleError, match=r"no worker for \d+ s, after 0 of 1 steps.*--worker-wait"):
        stubbed(Stub([{}]), patience=1.2, progress=lambda *said: seen.append(said))
    assert seen[0] == ("seconds without a worker", 0, 1) and seen[-1][1] == 1
    assert (patience("tcp://a:1", Limits()), patience("tcp://a:1", Limits(wait=7.0))) == (300.0, 7.0)
    assert patience(ClusterSpec("slurm"), Limits()) > 86400
    with pytest.raises(InputError, match="wait is 0 seconds or more"):
        Limits(wait=-1.0)


def test_a_cluster_survives_what_clusters_do(client: Any, tmp_path: Path) -> None:
    notes = [str(tmp_path / name) for name in ("flaky", "dies", "sleeps")]
    tasks = tasks_of(
        ("", 2, ""), ("bad", 3, ""), ("flaky", 4, notes[0]), ("dies", 5, notes[1]), ("sleeps", 6, notes[2]),
        *(("", i, str(i)) for i in range(10)),
    )  # fmt: skip
    started = time.monotonic()
    outcomes, failures = collected(tasks, scheduler=client, limits=Limits(retries=2, seconds=8.0))
    assert time.monotonic() - started < 55
    assert outcomes == {f"task {i}": t.arguments[1] ** 2 for i, t in enumerate(tasks) if i != 1}
    assert [str(f) for f in failures] == ["task 1: ShapeError: not square"]


def test_what_never_passes_is_said_with_its_attempts(client: Any, tmp_path: Path) -> None:
    task = tasks_of(("flaky", 2, str(tmp_path / "no" / "such" / "folder")))
    _, failures = collected(task, scheduler=client, limits=Limits(retries=1))
    assert failures[0].kind == "FileNotFoundError" and failures[0].attempts == 2


_SLURM = (
    "system: slurm\njobs: 20\noptions:\n  cores: 1\n  memory: 4GB\n  queue: short\n  walltime: '02:00:00'\n"
    "  interface: lo\n"
)
_needs_jobqueue = pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed")


@_needs_jobqueue
def test_a_queue_leaves_ctrl_c_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "slurm.yaml"
    file.write_text(_SLURM)
    code = (
        "import signal, sys; from brainalign.schedule.spec import job_script, read_spec; "
        "before = signal.getsignal(signal.SIGINT); job_script(read_spec(sys.argv[1])); "
        "assert 'dask_jobqueue.runner' in sys.modules; assert signal.getsignal(signal.SIGINT) is before"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)


@_needs_jobqueue
def test_the_script_of_a_queue(tmp_path: Path) -> None:
    file = tmp_path / "slurm.yaml"
    file.write_text(_SLURM)
    spec = read_spec(file)
    assert (spec.kind, spec.workers) == ("slurm", 20)
    script = job_script(spec)
    assert script.startswith("#!/usr/bin/env bash") and "#SBATCH -p short" in script and "#SBATCH -t 02:00:00" in script
    with pytest.raises(InputError, match="job script"):
        job_script(read_spec("local:2"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jobs: 3", "system"),
        ("system: slrum", "slurm"),
        ("system: slurm\njobs: 0", "at least 1"),
        ("system: slurm\nextra: 1", "system, jobs and options"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
        ("- a list", "list"),
    ],
)
def test_a_cluster_file_is_checked(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        read_spec(file)

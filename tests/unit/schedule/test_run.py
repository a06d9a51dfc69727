"""Tasks run here and on a cluster of two worker processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from brainalign.errors import InputError, MissingDependencyError, ScheduleError, ShapeError
from brainalign.schedule import Limits, Task, job_script, read_spec, run_tasks
from brainalign.schedule.spec import connected
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

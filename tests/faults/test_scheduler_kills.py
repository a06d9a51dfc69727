"""A scheduler of its own, or its workers, are killed: the run ends with words or goes on, and loses nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brainalign.evaluate import parts
from brainalign.results import check_results
from brainalign.testing import clusters, faults

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9"),
]
TIMES = int(os.environ.get("BRAINALIGN_FAULTS", "20"))
LONGEST = 75.0  # seconds from a strike to the end of the client: it must not hang


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and the results of one process in which nothing was killed."""
    folder = tmp_path_factory.mktemp("whole")
    for job, arguments in (
        (faults.ingest_toy, (str(folder),)),
        (faults.embed_rows, (str(folder),)),
        (faults.score_toy, (str(folder), str(folder / "results"))),
    ):
        assert not faults.killed(job, *arguments, after=600)
    return folder


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Look for processes of a cluster that outlive the test."""
    pytest.importorskip("distributed")
    psutil = pytest.importorskip("psutil")
    yield
    left = [child for child in psutil.Process().children(recursive=True) if str(tmp_path) in " ".join(child.cmdline())]
    assert left == []


class _Client:
    """A process that scores on a cluster; the outcome it leaves, and the seconds from a strike to its end."""

    def __init__(self, reference: Path, results: Path, cluster: clusters.Cluster, note: Path, **how: float) -> None:
        self._note = note
        arguments = (str(reference), str(results), cluster.address, str(note), how.get("wait"), how.get("answer"))
        self.process = faults.start(clusters.score_and_say, *arguments)

    def ended(self, within: float) -> tuple[dict[str, Any], float]:
        started = time.perf_counter()
        self.process.join(within)
        hangs = self.process.is_alive()
        if hangs:
            self.process.kill()
        self.process.join()
        assert not hangs, f"the client was there {within:.0f} s after the strike"
        assert self.process.exitcode == 0
        return json.loads(self._note.read_text()), time.perf_counter() - started


def _kept(results: Path) -> dict[Path, bytes]:
    """Results and whole parts, byte for byte; a part is whole when its JSON is there."""
    found = [path for path in results.rglob("*.json") if parts.FOLDER not in path.parts]
    for document in (results / parts.FOLDER).glob("*.json"):
        found += [path for path in (results / parts.FOLDER).glob(f"{document.stem}.*") if path.suffix != ".tmp"]
    return {path: path.read_bytes() for path in found}


def _same_as_before(before: dict[Path, bytes], results: Path) -> None:
    """A finished result is as it was; a part is, or has gone into a result."""
    now = _kept(results)
    for path, data in before.items():
        if parts.FOLDER in path.parts and path not in now:
            continue
        assert now[path] == data


def _whole(reference: Path, results: Path) -> None:
    assert faults.content(results) == faults.content(reference / "results")
    assert [p for p in check_results(results) if ".tmp" not in p.path.name] == []


def _done(results: Path) -> bool:
    return len(list(results.rglob("*.v1.json"))) == len(faults.MODELS) * len(faults.METRICS)


def _kill(cluster: clusters.Cluster) -> None:
    cluster.scheduler.kill()


def _stop(cluster: clusters.Cluster) -> None:
    cluster.scheduler.send_signal(signal.SIGSTOP)


@pytest.mark.parametrize(
    ("strike", "times", "answer"),
    [(_kill, TIMES, 60.0), (_stop, max(1, TIMES // 5), 10.0)],
    ids=["killed", "stopped"],
)
def test_a_scheduler_goes(
    whole: Path, tmp_path: Path, strike: Callable[[clusters.Cluster], None], times: int, answer: float
) -> None:
    draw, before, seconds, partly, strikes = random.Random(7), {}, [], 0, 0
    results, note = tmp_path / "results", tmp_path / "note"
    with clusters.opened(tmp_path) as cluster:
        said, longest = _Client(whole, tmp_path / "undisturbed", cluster, note).ended(600)
    assert said["error"] is None
    _whole(whole, tmp_path / "undisturbed")
    while strikes < times:
        with clusters.opened(tmp_path) as cluster:
            client = _Client(whole, results, cluster, note, answer=answer)
            client.process.join(draw.uniform(0.2, 1.0) * longest if strikes else 0.0)
            caught = client.process.is_alive()
            strike(cluster)
            said, took = client.ended(LONGEST)
        _same_as_before(before, results)
        before = _kept(results)
        if said["error"] is not None:
            assert caught and said["error"] == "ScheduleError", said
            assert "scheduler" in said["message"] and "the same call computes only the rest" in said["message"]
            strikes, partly = strikes + 1, partly + bool(before)
            seconds.append(took)
            print(f"strike {strikes}: {len(before)} files kept, said after {took:.1f} s", flush=True)
        if _done(results):  # the strike came too late, or the last one left little to do
            _whole(whole, results)
            longest = max(1.0, longest * 0.8) if not caught else longest
            results, before = tmp_path / f"results{strikes}-{len(list(tmp_path.iterdir()))}", {}
    with clusters.opened(tmp_path) as cluster:
        said, _ = _Client(whole, results, cluster, note).ended(600)
    assert said["error"] is None
    _same_as_before(before, results)
    _whole(whole, results)
    seconds.sort()
    print(f"\n{strikes} strikes, {partly} with something finished; seconds to say so: {[round(s, 1) for s in seconds]}")


def test_workers_go_one_by_one(whole: Path, tmp_path: Path) -> None:
    draw, kills, rounds, failed = random.Random(8), 0, 0, 0
    results, note = tmp_path / "results0", tmp_path / "note"
    with clusters.opened(tmp_path) as cluster:
        while kills < TIMES:
            client = _Client(whole, results, cluster, note)
            while client.process.is_alive() and kills < TIMES:
                client.process.join(draw.uniform(0.3, 3.0))
                if client.process.is_alive():
                    struck = draw.choice(cluster.workers)
                    struck.kill()
                    struck.wait()
                    cluster.workers.remove(struck)
                    kills += 1
                    cluster.add_workers(1)
                    cluster.wait(2)
            said, _ = client.ended(600)
            if said["error"] is not None:  # one task lost four workers
                assert said["error"] == "IncompleteRunError" and "KilledWorker" in said["message"], said
                failed += 1
            rounds += 1
            if _done(results):
                _whole(whole, results)
                results = tmp_path / f"results{rounds}"
        said, _ = _Client(whole, results, cluster, note).ended(600)
    assert said["error"] is None
    _whole(whole, results)
    print(f"\n{kills} workers killed in {rounds} runs, {failed} of them incomplete")


def test_one_of_two_workers_goes_and_the_other_goes_on(whole: Path, tmp_path: Path) -> None:
    with clusters.opened(tmp_path) as cluster:
        client = _Client(whole, tmp_path / "results", cluster, tmp_path / "note")
        client.process.join(random.Random(9).uniform(1.5, 4.0))
        assert client.process.is_alive()
        cluster.workers[0].kill()
        said, _ = client.ended(600)
    assert said["error"] is None
    _whole(whole, tmp_path / "results")


@pytest.mark.parametrize("others", [False, True], ids=["none-comes", "others-come"])
def test_all_workers_go(whole: Path, tmp_path: Path, others: bool) -> None:
    draw, results, seconds = random.Random(10), tmp_path / "results", []
    for i in range(max(1, TIMES // 5)):
        with clusters.opened(tmp_path) as cluster:
            client = _Client(whole, results, cluster, tmp_path / "note", wait=120.0 if others else 7.0, answer=10.0)
            client.process.join(draw.uniform(0.5, 3.0))
            caught = client.process.is_alive()
            for worker in cluster.workers:
                worker.kill()
            if others:
                client.process.join(8.0)
                cluster.add_workers(2)
            said, took = client.ended(180)
        if not others and caught and said["error"] is not None:
            assert said["error"] == "ScheduleError" and "has had no worker for" in said["message"], said
            assert "the same call computes only the rest" in said["message"]
            seconds.append(took)
            assert max(said["seconds"]) >= 5
        if others:
            assert said["error"] is None
            assert not caught or (max(said["seconds"]) >= 5 and said["seconds"][-1] == 0)
            _whole(whole, results)
            results = tmp_path / f"results{i}"
    if not others:
        assert seconds
        print(f"\nno worker came: the client said so after {[round(s, 1) for s in seconds]} s of 7 allowed")
        assert not faults.killed(faults.score_toy, str(whole), str(results), after=600)
        _whole(whole, results)

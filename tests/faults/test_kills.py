"""Kill -9 at random moments of ingest, embed, score and leaderboard: the next call does the rest, to the last bit."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from brainalign.results import check_results
from brainalign.store import open_store
from brainalign.testing import faults

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
TIMES = int(os.environ.get("BRAINALIGN_FAULTS", "20"))

many = pytest.mark.faults
Case = pytest.mark.parametrize("times", [2, pytest.param(TIMES, marks=many)], ids=["few", "many"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A folder in which nothing was killed, and the seconds of each job."""
    folder, seconds = tmp_path_factory.mktemp("whole"), {}
    jobs: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
        "ingest": (faults.ingest_toy, (str(folder),)),
        "embed": (faults.embed_rows, (str(folder),)),
        "score": (faults.score_toy, (str(folder), str(folder / "results"))),
        "leaderboard": (faults.build, (str(folder / "results"), str(folder / "board"))),
    }
    assert not faults.killed(time.sleep, 0.0, after=120)  # the server is warm
    for name, (job, arguments) in jobs.items():
        started = time.perf_counter()
        assert not faults.killed(job, *arguments, after=600)
        seconds[name] = time.perf_counter() - started
    return folder, seconds


def _until_done(times: int, seed: int, seconds: float, job: Callable[..., None], *arguments: str) -> int:
    """Kill a job so many times, then let it end; return how often it was caught running."""
    draw = random.Random(seed)
    caught = sum(faults.killed(job, *arguments, after=faults.pause(draw, seconds)) for _ in range(times))
    assert not faults.killed(job, *arguments, after=600)
    return caught


@many
def test_ingest_and_embed(whole: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    reference, seconds = whole
    caught = _until_done(TIMES, 1, seconds["ingest"], faults.ingest_toy, str(tmp_path))
    caught += _until_done(TIMES, 2, seconds["embed"], faults.embed_rows, str(tmp_path))
    assert caught > 0
    stores = [open_store(str(folder / "store")) for folder in (tmp_path, reference)]
    report = stores[0].check(full=True, repair=True)
    assert report.ok, str(report)
    entries = [store.entries().set_index("path")["entry_sha256"] for store in stores]
    pd.testing.assert_series_equal(*(e.sort_index() for e in entries))


@Case
def test_score(whole: tuple[Path, dict[str, float]], tmp_path: Path, times: int) -> None:
    reference, seconds = whole
    draw, results, finished, caught = random.Random(3), tmp_path / "results", {}, 0
    strikes, longest = 0, seconds["score"]
    while strikes < times or (not caught and strikes < times + 12):
        strikes += 1
        hit = faults.killed(faults.score_toy, str(reference), str(results), after=faults.pause(draw, longest))
        caught, longest = (
            caught + hit,
            longest if hit else longest / 2,
        )  # the machine may be faster than when it was timed
        now = {path: path.read_bytes() for path in results.rglob("*.json") if ".parts" not in path.parts}
        assert {path: now.get(path) for path in finished} == finished  # what was finished stays as it was
        finished = now
    assert not faults.killed(faults.score_toy, str(reference), str(results), after=600)
    assert caught > 0
    assert faults.content(results) == faults.content(reference / "results")
    assert [p for p in check_results(results) if ".tmp" not in p.path.name] == []


@many
def test_leaderboard(whole: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    reference, seconds = whole
    board = tmp_path / "board"
    arguments = (str(reference / "results"), str(board))
    assert _until_done(TIMES, 4, seconds["leaderboard"], faults.build, *arguments) >= 0
    for name in ("leaderboard.csv", "leaderboard.parquet"):
        made = [next(folder.rglob(name)).read_bytes() for folder in (board, reference / "board")]
        assert made[0] == made[1]


@Case
def test_two_runs_of_one_command(whole: tuple[Path, dict[str, float]], tmp_path: Path, times: int) -> None:
    reference, seconds = whole
    draw = random.Random(5)
    for i in range(max(1, times // 4)):
        results = tmp_path / f"{i}"
        first = faults.start(faults.score_toy, str(reference), str(results))
        time.sleep(draw.uniform(0, seconds["score"] / 2))
        second = faults.start(faults.score_toy, str(reference), str(results))
        for process in (first, second):
            process.join()
            assert process.exitcode == 0
            process.close()
        assert faults.content(results) == faults.content(reference / "results")
        assert check_results(results) == []


@many
def test_workers_of_a_cluster(whole: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    pytest.importorskip("psutil")
    reference, _ = whole
    draw, kills, results, rounds = random.Random(6), 0, tmp_path / "results", 0
    while kills < TIMES:
        client = faults.start(faults.score_toy, str(reference), str(results), "local:2")
        while client.is_alive() and kills < TIMES:
            client.join(draw.uniform(0.3, 3.0))
            workers = faults.worker_processes(client.pid)
            if workers:
                faults.kill(draw.choice(workers))
                kills += 1
        client.join()
        client.close()
        rounds += 1
        if kills < TIMES and len(list(results.rglob("*.v1.json"))) == len(faults.MODELS) * len(faults.METRICS):
            results = tmp_path / f"results{rounds}"
    assert not faults.killed(faults.score_toy, str(reference), str(results), after=600)
    assert faults.content(results) == faults.content(reference / "results")

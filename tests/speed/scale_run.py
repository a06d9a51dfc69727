"""Scoring at scale, timed. Run as a script, for example

    OMP_NUM_THREADS=1 python tests/speed/scale_run.py compare --embeddings 8 --subjects 1 --rois 4
    OMP_NUM_THREADS=1 python tests/speed/scale_run.py full --embeddings 200 --subjects 8 --rois 10 --cluster local:2

``compare``: this process, one worker and two workers, in turn; the threads of this process are those of the
environment. ``full``: the plan with its estimate, the run, and the leaderboard; a second call goes on. ``plan``: the
estimate against the time of a run in this process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import torch

from brainalign.benchmarks import Benchmark
from brainalign.evaluate import estimate, plan_score, score
from brainalign.freed_memory import keep_freed_memory
from brainalign.leaderboard import build_leaderboard
from brainalign.schedule import Limits
from brainalign.schedule.spec import connected
from brainalign.store import Store
from brainalign.testing.scale import make_scale_store


def main() -> None:
    keep_freed_memory()  # as a command does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compare", "full", "plan"])
    for name, default in (("embeddings", 8), ("subjects", 1), ("rois", 4), ("neuroids", 300), ("n", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--encoding-permutations", type=int, default=200)
    parser.add_argument("--metric", action="append", help="default: the four of a benchmark")
    parser.add_argument("--cluster", default="local:2")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="brainalign-scale-"))
    sizes = ("embeddings", "subjects", "rois", "neuroids", "n", "width", "layers")
    store = make_scale_store(folder, **{name: getattr(given, name) for name in sizes})
    benchmark = Benchmark(
        id="scale",
        dataset="scale",
        n_permutations=given.permutations,
        encoding_permutations=given.encoding_permutations,
        **({"metrics": tuple(given.metric)} if given.metric else {}),
    )
    print(json.dumps({"threads": torch.get_num_threads(), **{s: getattr(given, s) for s in sizes}}))
    {"compare": compare, "full": full, "plan": planned}[given.what](store, benchmark, folder, given)


def _timed(folder: Path, store: Store, benchmark: Benchmark, scheduler: Any) -> float:
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    started = time.perf_counter()
    score("net-*", benchmark, store, results=results, scheduler=scheduler)
    return time.perf_counter() - started


def compare(store: Store, benchmark: Benchmark, folder: Path, given: Any) -> None:
    """Times of one process, of one worker, of two; workers are started, and have scored once, before the clock runs."""
    tasks = len(plan_score("net-*", benchmark, store).units)
    times: dict[str, list[float]] = {"here": [], "local:1": [], "local:2": []}
    with connected("local:1", Limits()) as one, connected("local:2", Limits()) as two:
        for turn in range(given.turns + 1):
            for name, scheduler in (("here", None), ("local:1", one), ("local:2", two)):
                seconds = _timed(folder, store, benchmark, scheduler)
                print(f"turn {turn}, {name}: {seconds:.2f} s", flush=True)
                if turn:
                    times[name].append(round(seconds, 2))
    best = {name: min(seconds) for name, seconds in times.items()}
    print(json.dumps({"tasks": tasks, "seconds": times}))
    print(f"a task: {best['here'] / tasks:.2f} s; one worker over this process: {best['local:1'] / best['here']:.3f}")
    print(f"two workers over one: {best['local:1'] / best['local:2']:.2f} times as fast")


def planned(store: Store, benchmark: Benchmark, folder: Path, given: Any) -> None:
    """The estimate of each family, and what it took."""
    for metric in benchmark.metrics:
        plan = plan_score("net-*", benchmark, store, metrics=[metric])
        guess = estimate(plan.units)
        started = time.perf_counter()
        score("net-*", benchmark, store, metrics=[metric])
        took = time.perf_counter() - started
        operations = sum(cost.operations for cost in plan.costs())
        print(
            f"{metric}: {operations:.3g} operations, estimated {guess.total:.2f} s (measured in "
            f"{guess.measured_in:.1f} s), took {took:.2f} s, ratio {guess.total / took:.2f}"
        )


def full(store: Store, benchmark: Benchmark, folder: Path, given: Any) -> None:
    """Plan, run, leaderboard. A run that was stopped goes on; what each sitting took stands in ``sittings.json``."""
    results, log = folder / "results", folder / "sittings.json"
    plan = plan_score("net-*", benchmark, store, results=results)
    guess = estimate(plan.units)
    workers = int(given.cluster.split(":")[1]) if given.cluster.startswith("local:") else 1
    read = sum(cost.bytes_read for cost in plan.costs())
    print(f"{len(plan.units)} tasks, estimated {guess.total / workers:.0f} s on {workers} workers: {guess.seconds}")
    print(f"bytes read, by the plan: {read}", flush=True)
    sittings = json.loads(log.read_text()) if log.exists() else []
    planned = {"tasks": len(plan.units), "estimated": guess.total / workers, "seconds_by_family": guess.seconds}
    with _Watched({**planned, "bytes_read_by_plan": read}, sittings, log):
        score("net-*", benchmark, store, results=results, scheduler=given.cluster)
    started = time.perf_counter()
    build_leaderboard(results, folder / "board")
    print(f"leaderboard in {time.perf_counter() - started:.1f} s")
    seconds, read = (sum(sitting[name] for sitting in sittings) for name in ("seconds", "bytes_read"))
    first, peak = sittings[0], max(sitting["peak"] for sitting in sittings)
    print(
        f"scored in {seconds:.0f} s in {len(sittings)} sittings; estimate over time {first['estimated'] / seconds:.2f}"
    )
    print(f"peak memory {peak / 2**30:.2f} GiB; bytes read {read}, by the plan {first['bytes_read_by_plan']}")


class _Watched:
    """Seconds, memory and reading of this process and its workers, looked at every five seconds and written down."""

    def __init__(self, planned: dict[str, Any], sittings: list[dict[str, Any]], log: Path) -> None:
        self._sitting: dict[str, Any] = {
            **planned,
            "seconds": 0.0,
            "peak": 0,
            "bytes_read": 0,
            "processor_seconds": 0.0,
        }
        sittings.append(self._sitting)
        self._sittings, self._log, self._over = sittings, log, threading.Event()
        self._read: dict[int, int] = {}
        self._used: dict[int, float] = {}
        self._workers = 0

    def __enter__(self) -> None:
        self._started = time.perf_counter()
        self._before = psutil.Process().io_counters().read_chars
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(5.0):  # a look takes 0.1 s of one of the cores that are measured
            self._look()
            kept = self._log.with_suffix(".tmp")
            kept.write_text(json.dumps(self._sittings, indent=1))
            kept.replace(self._log)

    def _look(self) -> None:
        self._sitting["seconds"] = time.perf_counter() - self._started
        held, children = 0, psutil.Process().children(recursive=True)
        if len(children) < self._workers:  # what a child has read counts for this process once it has ended
            return
        self._workers = len(children)
        for process in (psutil.Process(), *children):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                held += process.memory_full_info().pss  # libraries that processes share count once
                self._read[process.pid] = process.io_counters().read_chars
                self._used[process.pid] = sum(process.cpu_times()[:2])
        self._sitting["peak"] = max(self._sitting["peak"], held)
        self._sitting["bytes_read"] = sum(self._read.values()) - self._before
        self._sitting["processor_seconds"] = sum(self._used.values())


if __name__ == "__main__":
    main()

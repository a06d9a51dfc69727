"""Scoring at scale, timed. Run as a script, for example

    OMP_NUM_THREADS=1 python tests/speed/scale_run.py compare --embeddings 8 --subjects 1 --rois 4
    OMP_NUM_THREADS=1 python tests/speed/scale_run.py full --embeddings 200 --subjects 8 --rois 10 --cluster local:2

``compare``: this process, one worker and two workers, in turn; the threads of this process are those of the
environment. ``full``: the plan with its estimate, the run, and the leaderboard; a second call goes on. ``plan``: the
estimate against the time of a run in this process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
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
    """Plan, run, leaderboard; the largest memory of this process and its workers together, looked at every second."""
    import threading

    plan = plan_score("net-*", benchmark, store, results=folder / "results")
    guess = estimate(plan.units)
    workers = int(given.cluster.split(":")[1]) if given.cluster.startswith("local:") else 1
    print(f"{len(plan.units)} tasks, estimated {guess.total / workers:.0f} s on {workers} workers: {guess.seconds}")
    print(f"bytes read, by the plan: {sum(cost.bytes_read for cost in plan.costs())}")
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(1.0):
            family = [psutil.Process(), *psutil.Process().children(recursive=True)]
            peak = max(peak, sum(p.memory_info().rss for p in family if p.is_running()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    score("net-*", benchmark, store, results=folder / "results", scheduler=given.cluster)
    scored = time.perf_counter() - started
    build_leaderboard(folder / "results", folder / "board")
    over.set()
    print(f"scored in {scored:.0f} s, estimate over time {guess.total / workers / scored:.2f}")
    print(f"leaderboard after {time.perf_counter() - started:.0f} s, peak memory {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()

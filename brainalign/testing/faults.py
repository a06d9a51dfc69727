"""Jobs that tests kill at random moments, started from a server that has imported everything: a kill is cheap."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from brainalign.benchmarks import Benchmark
from brainalign.evaluate import score
from brainalign.evaluate import units as units_of_work
from brainalign.leaderboard import build_leaderboard
from brainalign.store import LayerSpec, open_store
from brainalign.testing.toy import make_toy_store

__all__ = [
    "BENCHMARK",
    "METRICS",
    "MODELS",
    "build",
    "content",
    "embed_rows",
    "ingest_toy",
    "kill",
    "killed",
    "pause",
    "score_toy",
    "start",
    "worker_processes",
]

BENCHMARK = Benchmark(
    id="toy", dataset="toy", groups="group", blocks=10, n_permutations=20, encoding_permutations=20, half_samples=20
)
METRICS = ["encoding.ridge.r", "cka.linear.debiased", "mutual-knn.k10"]
MODELS = ("toy-net@0123456789ab", "lab/a@1")
N_STIMULI = 60


def start(job: Callable[..., None], *arguments: Any) -> Any:
    """Start a job in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=job, args=arguments)
    process.start()
    return process


def killed(job: Callable[..., None], *arguments: Any, after: float) -> bool:
    """Run a job and kill it after some seconds; return whether it was still running."""
    process = start(job, *arguments)
    process.join(after)
    running = bool(process.is_alive())
    if running:
        process.kill()
    process.join()
    if not running and process.exitcode != 0:
        raise AssertionError(f"{job.__name__} ended with {process.exitcode}")
    process.close()
    return running


def ingest_toy(folder: str) -> None:
    """Write the toy store: stimuli, embeddings, responses of two subjects."""
    make_toy_store(folder, n_stimuli=N_STIMULI)


def embed_rows(folder: str) -> None:
    """Stream the layer of one more model into the toy store, going on where a killed job stopped."""
    store = open_store(str(Path(folder) / "store"))
    ids = [str(name) for name in store.stimuli("images")["stimulus"]]
    rng = np.random.default_rng(1)
    for name in ("lab/a",):
        rows = rng.standard_normal((len(ids), 20)).astype("f4")
        layers = [LayerSpec("fc|mean", 20)]
        with store.embedding_writer(name, "1", "images", stimuli=ids, layers=layers, chunk_rows=8) as writer:
            for row in range(writer.rows_done, len(ids), 4):
                writer.append({"fc|mean": rows[row : row + 4]})
            writer.commit()


def score_toy(folder: str, results: str, scheduler: str | None = None, **how: Any) -> None:
    """Score both models, each subject in a block of its own, as large data are."""
    units_of_work.TARGETS_PER_STIMULUS = 0.1  # type: ignore[assignment]
    store = open_store(str(Path(folder) / "store"))
    score(list(MODELS), BENCHMARK, store, metrics=METRICS, results=results, scheduler=scheduler, **how)


def build(results: str, out: str) -> None:
    """Build the leaderboard."""
    build_leaderboard(results, out)


def content(root: Path) -> dict[str, Any]:
    """Every result file and table below a folder, byte for byte, without the times of computing."""
    found: dict[str, Any] = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.name.endswith(".tmp")):
        name = str(path.relative_to(root))
        found[name] = path.read_bytes()
        if path.suffix == ".json":
            document = json.loads(found[name])
            assert document["provenance"].pop("time") and document["provenance"].pop("seconds") >= 0
            found[name] = json.dumps(document)
    return found


def pause(draw: random.Random, longest: float) -> float:
    """A random moment within a job, and now and then right at its start."""
    return draw.uniform(0.0, longest) if draw.random() < 0.8 else draw.uniform(0.0, 0.05)


def worker_processes(client: int) -> list[int]:
    """Process ids of the workers of a local cluster that a process has opened."""
    import psutil

    try:
        children = psutil.Process(client).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    found = []
    for child in children:
        try:
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child.pid)
        except psutil.Error:
            continue
    return found


def kill(pid: int) -> None:
    """End a process as a full machine does."""
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        time.sleep(0)

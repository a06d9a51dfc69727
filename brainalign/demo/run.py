"""The steps of the demo: stimuli, simulated cortex, embeddings, scores, leaderboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from brainalign.benchmarks import Benchmark, load_benchmark
from brainalign.datasets import ingest
from brainalign.datasets.natural_scenes import make_natural_scenes
from brainalign.demo.embedding_ahead import EmbeddedAhead
from brainalign.demo.report import DemoReport, best_layers, mean_scores
from brainalign.demo.truth_table import TruthTable
from brainalign.evaluate import Results, score
from brainalign.leaderboard import build_leaderboard
from brainalign.plots import leaderboard_figure
from brainalign.store import Store, open_store
from brainalign.studies.truth import noise_free_scores, recovery

__all__ = ["MODELS", "run_demo"]

STIMULI = "natural-scenes"
DATASET = "simulated-cortex"
TRUTH_VARIANT = "noise-free"
SUBJECTS = ("sim01", "sim02", "sim03")
MODELS = (
    "pixels",
    "efficientnet-lite0",
    "efficientnet-lite1",
    "efficientnet-lite2",
    "efficientnet-lite0-random",
    "efficientnet-lite1-random",
    "efficientnet-lite2-random",
)

Advance = Callable[[str, int, int], None]


def run_demo(out: str | Path, *, progress: bool = False, models: tuple[str, ...] = MODELS) -> DemoReport:
    """Make stimuli and a simulated cortex, embed networks, score them, and write a leaderboard.

    Parameters
    ----------
    out : path
        Folder for ``store/``, ``results/``, ``truth/``, ``leaderboard.html`` and ``leaderboard.png``. What is there
        already, from the same inputs, is used again.
    progress : bool
        Show progress bars on stderr.
    models : tuple of str
        Networks to score.

    Returns
    -------
    DemoReport

    Raises
    ------
    MissingDependencyError
        Without the packages of ``brainalign[demo]``, naming the command that installs them.
    """
    started = time.perf_counter()
    folder = Path(out).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    url = str(folder / "store")
    store, benchmark = open_store(url), load_benchmark(DATASET)
    scored, truths = [], TruthTable(folder / "truth" / "truth.parquet")
    with _bars(progress) as advance:
        advance("stimuli and simulated cortex", 0, 2)
        if STIMULI not in store.stimulus_sets():
            make_natural_scenes(store, folder=folder / "stimuli")
        with EmbeddedAhead(models, STIMULI, url) as names:
            advance("stimuli and simulated cortex", 1, 2)
            _make_cortex(store, folder / "truth")
            advance("stimuli and simulated cortex", 2, 2)
            advance("networks", 0, len(models))
            for number, name in enumerate(names, start=1):
                result = _scored(name, benchmark, store, folder / "results", advance)
                truths.add(result, partial(_truth, name, result.table, benchmark, store))
                scored.append(result.table)
                advance("networks", number, len(models))
        files = build_leaderboard(folder / "results", folder, title="brainalign demo")
        picture = folder / "leaderboard.png"
        leaderboard_figure(pd.read_parquet(files.parquet)).savefig(picture, dpi=150)
    table, primary = pd.concat(scored, ignore_index=True), benchmark.aggregation.primary
    return DemoReport(
        page=Path(files.html),
        picture=picture,
        results=folder / "results",
        truth=truths.path,
        scores=mean_scores(table),
        best_layers=best_layers(table, primary),
        recovered=recovery(table, truths.save(), primary=primary),
        seconds=time.perf_counter() - started,
    )


def _make_cortex(store: Store, truth: Path) -> None:
    known = store.entries()
    has_truth = all((truth / f"{subject}.npz").is_file() for subject in SUBJECTS)
    if (known["dataset"] == DATASET).sum() < len(SUBJECTS) * 3 or not has_truth:
        ingest(DATASET, None, store, truth=truth)


def _scored(name: str, benchmark: Benchmark, store: Store, results: Path, advance: Advance) -> Results:
    short = name.split("@")[0]
    return score(name, benchmark, store, results=results, progress=lambda _, done, total: advance(short, done, total))


def _truth(name: str, table: pd.DataFrame, benchmark: Benchmark, store: Store) -> pd.DataFrame:
    return noise_free_scores(name, benchmark, store, truth_variant=TRUTH_VARIANT, table=table)


@contextmanager
def _bars(shown: bool) -> Iterator[Advance]:
    if not shown:
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield advance

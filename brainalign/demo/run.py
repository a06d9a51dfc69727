"""The steps of the demo: stimuli, simulated cortex, embeddings, scores, leaderboard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd
import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from brainalign.benchmarks import load_benchmark
from brainalign.datasets import ingest
from brainalign.datasets.natural_scenes import make_natural_scenes
from brainalign.demo.report import DemoReport, best_layers, mean_scores
from brainalign.demo.side_by_side import Progress, SideBySide, tell
from brainalign.demo.truth_table import TruthTable
from brainalign.evaluate import Results, score
from brainalign.leaderboard import build_leaderboard
from brainalign.models import embed
from brainalign.plots import leaderboard_figure
from brainalign.store import Store, open_store
from brainalign.studies.truth import noise_free_scores, recovery

__all__ = ["MODELS", "run_demo"]

T = TypeVar("T")

STIMULI = "natural-scenes"
DATASET = "simulated-cortex"
TRUTH_VARIANT = "noise-free"
POOLING = "srp:1024"
MAX_MEMORY = "500MB"
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
    truths = TruthTable(folder / "truth" / "truth.parquet")
    with _bars(progress) as advance:
        advance("stimuli and simulated cortex", 0, 2)
        if STIMULI not in store.stimulus_sets():
            make_natural_scenes(store, folder=folder / "stimuli")
        advance("stimuli and simulated cortex", 1, 2)
        with SideBySide(advance) as work:
            embedded = [work.call(_embedded, model, url) for model in models]
            _make_cortex(store, folder / "truth")
            advance("stimuli and simulated cortex", 2, 2)
            calls = []
            for name in _counted("networks embedded", work.as_done(embedded), len(models), advance):
                calls.append(work.call(_scored, name, url, folder / "results"))
            checks, found = [], []
            for scored in _counted("networks scored", work.as_done(calls), len(models), advance):
                found.append(scored)
                checks.append(work.call(_noise_free, scored, url, truths))
            truth_of = dict(_counted("scores without noise", work.as_done(checks), len(models), advance))
        in_order = sorted(found, key=lambda scored: models.index(scored.model))
        files = build_leaderboard(folder / "results", folder, title="brainalign demo")
        picture = folder / "leaderboard.png"
        leaderboard_figure(pd.read_parquet(files.parquet)).savefig(picture, dpi=150)
    truth = truths.write({s.model: truth_of[s.model] for s in in_order}, {s.model: s.results.files for s in in_order})
    table, primary = pd.concat([s.results.table for s in in_order], ignore_index=True), benchmark.aggregation.primary
    return DemoReport(
        page=Path(files.html),
        picture=picture,
        results=folder / "results",
        truth=truths.path,
        scores=mean_scores(table),
        best_layers=best_layers(table, primary),
        recovered=recovery(table, truth, primary=primary),
        seconds=time.perf_counter() - started,
    )


def _make_cortex(store: Store, truth: Path) -> None:
    known = store.entries()
    has_truth = all((truth / f"{subject}.npz").is_file() for subject in SUBJECTS)
    if (known["dataset"] == DATASET).sum() < len(SUBJECTS) * 3 or not has_truth:
        ingest(DATASET, None, store, truth=truth)


def _embedded(model: str, store_url: str) -> str:
    return embed(model, STIMULI, open_store(store_url), pooling=POOLING, max_memory=MAX_MEMORY, fold_norms=True)


@dataclass(frozen=True)
class _Scored:
    model: str
    embedding: str
    results: Results


def _scored(name: str, store_url: str, results: Path) -> _Scored:
    """Score a network against the noisy responses."""
    model = name.rsplit("@", 1)[0]
    store, benchmark = open_store(store_url), load_benchmark(DATASET)
    return _Scored(model, name, score(name, benchmark, store, results=results, progress=partial(_tell_of, model)))


def _noise_free(scored: _Scored, store_url: str, truths: TruthTable) -> tuple[str, pd.DataFrame]:
    """Score a network against the responses without noise, or take that from where it stands."""
    known = truths.rows(scored.model, scored.results.files)
    if known is not None:
        return scored.model, known
    store, benchmark = open_store(store_url), load_benchmark(DATASET)
    table = scored.results.table
    rows = noise_free_scores(scored.embedding, benchmark, store, truth_variant=TRUTH_VARIANT, table=table)
    return scored.model, rows.assign(model=scored.model)


def _tell_of(model: str, _: str, done: int, total: int) -> None:
    tell(model, done, total)


def _counted(what: str, items: Iterator[T], total: int, advance: Progress) -> Iterator[T]:
    advance(what, 0, total)
    for number, item in enumerate(items, start=1):
        advance(what, number, total)
        yield item


@contextmanager
def _bars(shown: bool) -> Iterator[Progress]:
    if not shown:
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with rich.progress.Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield advance

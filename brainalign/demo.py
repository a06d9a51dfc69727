"""The main job from images to a leaderboard, offline, on real networks and a simulated cortex."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from brainalign.benchmarks import Benchmark, load_benchmark
from brainalign.datasets import ingest
from brainalign.datasets.natural_scenes import make_natural_scenes
from brainalign.evaluate import Results, score
from brainalign.evaluate.cells import SELECTED
from brainalign.leaderboard import build_leaderboard
from brainalign.models import embed
from brainalign.plots import leaderboard_figure
from brainalign.store import Store, open_store
from brainalign.studies.truth import Recovery, noise_free_scores, recovery

__all__ = ["MODELS", "DemoReport", "run_demo"]

STIMULI = "natural-scenes"
DATASET = "simulated-cortex"
TRUTH_VARIANT = "noise-free"
SUBJECTS = ("sim01", "sim02", "sim03")
POOLING = "srp:1024"
MODELS = (
    "efficientnet-lite0",
    "efficientnet-lite1",
    "efficientnet-lite2",
    "efficientnet-lite0-random",
    "efficientnet-lite1-random",
    "efficientnet-lite2-random",
    "pixels",
)

SHORT = {
    "encoding.ridge.r": "encoding r",
    "cka.linear.debiased": "CKA",
    "rsa.correlation.rho-a": "RSA",
    "mutual-knn.k10": "kNN",
}

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DemoReport:
    """What the demo made and measured.

    ``str(report)`` is the table of models, how well the truth is recovered, and where the page lies.
    """

    page: Path
    picture: Path
    results: Path
    truth: Path
    scores: pd.DataFrame
    best_layers: dict[str, float]
    recovered: Recovery
    seconds: float

    def __str__(self) -> str:
        out = io.StringIO()
        Console(file=out, width=118).print(_rich_table(self.scores))
        groups = ", ".join(f"{name} {value:.3f}" for name, value in self.best_layers.items())
        lines = [
            f"Best layers, encoding r, mean over subjects and ROIs: {groups}",
            *self.recovered.lines(),
            f"{self.seconds:.0f} s. Results: {self.results}. Scores against noise-free responses: {self.truth}",
            "SIMULATED data: the cortex is simulated; the images and the networks are real.",
            f"Leaderboard: {self.page}",
        ]
        return out.getvalue() + "\n".join(lines)


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
    store = open_store(str(folder / "store"))
    benchmark = load_benchmark(DATASET)
    with _bars(progress) as advance:
        _prepare(store, folder, advance)
        names = []
        for i, model in enumerate(models):
            advance("embedding", i, len(models))
            names.append(embed(model, STIMULI, store, pooling=POOLING, max_memory="1GB"))
        advance("embedding", len(models), len(models))
        scored = [_scored(name, benchmark, store, folder / "results", advance) for name in names]
        table = pd.concat([result.table for result in scored], ignore_index=True)
        truth = _truth(names, scored, benchmark, store, folder / "truth" / "truth.parquet", advance)
        files = build_leaderboard(folder / "results", folder, title="brainalign demo")
        picture = folder / "leaderboard.png"
        leaderboard_figure(pd.read_parquet(files.parquet)).savefig(picture, dpi=150)
    primary = benchmark.aggregation.primary
    return DemoReport(
        page=Path(files.html),
        picture=picture,
        results=folder / "results",
        truth=folder / "truth" / "truth.parquet",
        scores=_scores(table),
        best_layers=_best_layers(table, primary),
        recovered=recovery(table, truth, primary=primary),
        seconds=time.perf_counter() - started,
    )


def _prepare(store: Store, folder: Path, advance: Advance) -> None:
    advance("stimuli and simulated cortex", 0, 2)
    if STIMULI not in store.stimulus_sets():
        make_natural_scenes(store, folder=folder / "stimuli")
    advance("stimuli and simulated cortex", 1, 2)
    known = store.entries()
    if (known["dataset"] == DATASET).sum() < len(SUBJECTS) * 3 or not all(
        (folder / "truth" / f"{subject}.npz").is_file() for subject in SUBJECTS
    ):
        ingest(DATASET, None, store, truth=folder / "truth")
    advance("stimuli and simulated cortex", 2, 2)


def _scored(name: str, benchmark: Benchmark, store: Store, results: Path, advance: Advance) -> Results:
    short = name.split("@")[0]
    return score(name, benchmark, store, results=results, progress=lambda _, done, total: advance(short, done, total))


def _truth(
    names: list[str], scored: list[Results], benchmark: Benchmark, store: Store, path: Path, advance: Advance
) -> pd.DataFrame:
    """Scores against noise-free responses, computed again only when a result has changed."""
    stamp = hashlib.sha256(b"".join(file.read_bytes() for result in scored for file in result.files)).hexdigest()
    beside = path.with_suffix(".json")
    if path.is_file() and beside.is_file() and json.loads(beside.read_text())["results_sha256"] == stamp:
        return pd.read_parquet(path)
    parts = []
    for i, (name, result) in enumerate(zip(names, scored, strict=True)):
        advance("noise-free scores", i, len(names))
        part = noise_free_scores(name, benchmark, store, truth_variant=TRUTH_VARIANT, table=result.table)
        parts.append(part.assign(model=result.table["model"].iloc[0]))
    advance("noise-free scores", len(names), len(names))
    truth = pd.concat(parts, ignore_index=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".partial")
    truth.to_parquet(temporary)
    temporary.replace(path)
    beside.write_text(json.dumps({"results_sha256": stamp}) + "\n", encoding="utf-8")
    return truth


def _scores(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over subjects of the selected rows: one line a model, one column a ROI and metric."""
    selected = table[table["layer"] == SELECTED]
    named = selected.assign(column=selected["roi"] + " " + selected["metric"])
    wide = named.pivot_table(index="model", columns="column", values="value", sort=False)
    return wide.sort_values(wide.columns[0], ascending=False)


def _best_layers(table: pd.DataFrame, primary: str) -> dict[str, float]:
    rows = table[(table["metric"] == primary) & (table["layer"] != SELECTED)]
    by_layer = rows.groupby(["model", "layer"])["value"].mean().groupby("model").max().sort_values(ascending=False)
    return {str(model): float(value) for model, value in by_layer.items()}


def _rich_table(scores: pd.DataFrame) -> Table:
    table = Table(title="SIMULATED cortex: scores of the layer chosen on other stimuli, mean over subjects")
    table.add_column("model", no_wrap=True)
    for column in scores.columns:
        roi, metric = str(column).split(" ", 1)
        table.add_column(f"{roi}\n{SHORT.get(metric, metric)}", justify="right")
    for model, row in scores.iterrows():
        table.add_row(str(model), *(f"{value:.3f}" for value in row))
    return table


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

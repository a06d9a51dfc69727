"""``brainalign embed``, ``score`` and ``leaderboard``: from a network to a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.options import Device, Model, ResultsRoot, StoreUrl
from brainalign.cli.progress import bars
from brainalign.cli.reply import Grid, Reply, plain
from brainalign.cli.resuming import resumable

if TYPE_CHECKING:
    from brainalign.models.dry_run import EmbeddingPlan

RESULTS = Path("brainalign-results")
SHOWN = ("subject", "roi", "metric", "layer", "value", "low", "high", "ceiling", "normalised", "chance", "z", "p")


def register(app: typer.Typer) -> None:
    command(
        app,
        "embed",
        example="brainalign embed efficientnet-lite0 --stimuli macaque-v4\n"
        "brainalign embed mypackage.mynet:build --stimuli macaque-v4 --layer 'features.*' --pooling srp:4096\n"
        "brainalign embed timm:resnet50/weights.pth --stimuli macaque-v4 --layer stages --dry-run",
    )(embed)
    command(
        app,
        "score",
        example="brainalign score efficientnet-lite0 macaque-v4\n"
        "brainalign score efficientnet-lite0@0a1b2c3d4e5f macaque-v4 --metric cka.linear.debiased --json\n"
        "brainalign score 'timm/*' nsd-streams --cluster local:4 --max-memory 4GB --dry-run",
    )(score)
    command(
        app,
        "leaderboard",
        example="brainalign leaderboard\nbrainalign leaderboard brainalign-results --out site --title V4",
    )(leaderboard)


def embed(
    model: Model,
    stimuli: Annotated[str, typer.Option("--stimuli", metavar="SET", help="Stimulus set in the store.")],
    store: StoreUrl = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="Name, pattern ('blocks.*'), depth:0.5, blocks, stages, last, or a number; several times.",
        ),
    ] = None,
    pooling: Annotated[
        str, typer.Option("--pooling", help="flatten, mean, mean-last, max, cls, patches, srp:N or pca:N.")
    ] = "mean",
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Images at a time. Default: found by timing.")
    ] = None,
    device: Device = None,
    max_memory: Annotated[str, typer.Option("--max-memory", help="Upper limit of working memory.")] = "2GB",
    seed: Annotated[int, typer.Option("--seed", help="Seed of random projections and random weights.")] = 0,
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or float16, in the store.")] = "float32",
    name: Annotated[str | None, typer.Option("--name", help="Keep the embeddings under this name.")] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Let the source fetch published weights.")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Accept a checkpoint that lacks weights; they stay random.")
    ] = False,
    preprocessing: Annotated[
        str | None,
        typer.Option("--preprocessing", metavar="JSON", help="In place of the network's own, as '{\"size\": 224}'."),
    ] = None,
    fit_on: Annotated[
        str | None, typer.Option("--fit-on", metavar="SET", help="Stimulus set that pca:N is fitted on.")
    ] = None,
    precision: Annotated[
        str, typer.Option("--precision", help="Of the forward pass: float32, bfloat16 or float16.")
    ] = "float32",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the layers, their shapes and what they cost.")
    ] = False,
) -> Reply:
    """Run a network and keep its activations.

    Goes on where it was interrupted. A factory is imported from the current folder too.
    """
    from brainalign.models import embed as run
    from brainalign.models.preprocess import read_preprocessing
    from brainalign.store import open_store

    opened = open_store(store)
    options: dict[str, Any] = {
        "layers": _layers(layer),
        "pooling": pooling,
        "batch_size": batch_size,
        "device": device,
        "max_memory": max_memory,
        "seed": seed,
        "dtype": dtype,
        "name": name,
        "allow_download": allow_download,
        "allow_missing": allow_missing,
        "preprocessing": None if preprocessing is None else read_preprocessing(preprocessing),
        "fit_on": fit_on,
        "precision": precision,
    }
    if dry_run:
        from brainalign.models.dry_run import plan_embedding

        return _planned(plan_embedding(model, stimuli, opened, **options))
    written = run(model, stimuli, opened, progress=True, **options)
    return Reply({"embedding": written, "stimuli": stimuli}, [written])


def _planned(plan: EmbeddingPlan) -> Reply:
    rows = plain(plan.layers)
    columns = ["key", "shape", "n_features", "megabytes", "gflop", "stored"]
    inputs = f"{plan.n_stimuli} stimuli" + (f", {plan.n_inputs} frames" if plan.n_inputs != plan.n_stimuli else "")
    text: list[str | Grid] = [
        f"{plan.model} on {plan.stimuli}: {inputs}",
        Grid.of(rows, columns),
        f"{plan.megabytes:.1f} MB in all; forward passes about {plan.seconds:.0f} s, {plan.batch_size} at a time. "
        "Nothing was written.",
    ]
    return Reply(plan, text)


def _layers(given: list[str] | None) -> int | list[str] | None:
    if not given:
        return None
    return int(given[0]) if len(given) == 1 and given[0].isdecimal() else given


def score(
    embedding: Annotated[
        list[str],
        typer.Argument(
            metavar="EMBEDDING...",
            help="MODEL@REVISION, or MODEL where the store has one revision; several, or a pattern such as 'timm/*'.",
        ),
    ],
    benchmark: Annotated[
        str, typer.Argument(help="Benchmark of `data list`, a .yaml file, or a dataset of the store.")
    ],
    store: StoreUrl = None,
    results: ResultsRoot = RESULTS,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="ID", help="Metric id; several times. Default: those of the benchmark."),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="Show every layer, not the selected one alone.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="WHERE",
            help="local:4 (worker processes here), tcp://host:8786 (a Dask scheduler), or a .yaml file for a queue.",
        ),
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", metavar="SIZE", help="What one worker may hold, as 4GB.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", metavar="SECONDS", help="For one task, on a cluster.")
    ] = None,
    retries: Annotated[int, typer.Option("--retries", min=0, help="Further attempts of a task whose worker died.")] = 2,
    worker_wait: Annotated[
        float | None,
        typer.Option(
            "--worker-wait",
            metavar="SECONDS",
            min=0,
            help="How long to wait where a cluster has no worker. Default: 300, and a week in a queue.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done and how long it may take, and stop.")
    ] = False,
) -> Reply:
    """Score networks on a benchmark.

    One row for each subject, region and metric: value, interval, ceiling, chance, z and p. A result that is there
    already, from the same inputs, is not computed again: after an interruption the same command does the rest.
    """
    from brainalign.evaluate import score as run
    from brainalign.store import open_store

    common: dict[str, Any] = {"metrics": metric or None, "results": results, "max_memory": max_memory}
    if dry_run:
        from brainalign.cli.planning import plan_reply

        return plan_reply(embedding, benchmark, open_store(store), cluster, common)
    with bars() as progress, resumable():
        scored = run(
            embedding,
            benchmark,
            open_store(store),
            scheduler=cluster,
            time_limit=time_limit,
            retries=retries,
            worker_wait=worker_wait,
            progress=progress,
            **common,
        )
    rows = plain(scored.table)
    text: list[str | Grid] = [Grid.of(_shown(rows, every_layer=layers), SHOWN)]
    text += [f"{reason}" for reason in sorted({row["ceiling_reason"] for row in rows if row["ceiling_reason"]})]
    if any(row["simulated"] for row in rows):
        text.append("SIMULATED data: these are not scores against a brain.")
    text += map(str, scored.findings)
    text += [f"result file: {path}" for path in scored.files]
    found = {"rows": rows, "files": scored.files, "reused": scored.reused, "findings": scored.findings}
    return Reply(found, text)


def _shown(rows: list[dict[str, Any]], *, every_layer: bool) -> list[dict[str, Any]]:
    shown = []
    for row in rows:
        if row["layer"] == "selected":
            shown.append({**row, "layer": "selected: " + ", ".join(dict.fromkeys(row["choice"] or ()))})
        elif every_layer:
            shown.append(row)
    return shown


def leaderboard(
    folder: Annotated[
        Path | None, typer.Argument(metavar="RESULTS", help="Folder of the result files; the same as --results.")
    ] = None,
    results: ResultsRoot = RESULTS,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Folder for the page and the tables.")
    ] = Path("brainalign-leaderboard"),
    title: Annotated[str | None, typer.Option("--title", help="Title of the page.")] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="At most so many read files. Default: cores, up to 4.")
    ] = None,
) -> Reply:
    """Build a leaderboard from result files.

    One self-contained HTML page, CSV, parquet, JSON and badges.
    """
    from brainalign.cli.doctor import cores
    from brainalign.leaderboard import build_leaderboard

    paths = build_leaderboard(
        results if folder is None else folder, out, title=title, processes=processes or min(4, cores())
    )
    return Reply(paths, [str(path) for path in paths])

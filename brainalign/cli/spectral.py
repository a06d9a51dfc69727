"""``brainalign spectral``: singular bases under fine-tuning, and studies of adapters."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import Device
from brainalign.cli.reply import Grid, Reply, plain

app = family("spectral", "Singular bases of weight matrices: stability under fine-tuning, sharing, adapters.")

_Network = Annotated[Path, typer.Argument(help="Folder with config.json, weights and tokenizer.")]
_Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the cells; what is there is kept.")]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def compare(
    before: Annotated[Path, typer.Argument(help="Pretrained weights: .safetensors, torch file, transformers folder.")],
    after: Annotated[list[Path], typer.Argument(help="Fine-tuned weights; of several, what they share as well.")],
    rank: Annotated[
        list[int] | None, typer.Option("--rank", min=1, help="Leading directions; several times. Default: 4, 16, 64.")
    ] = None,
    judged: Annotated[
        int | None, typer.Option("--judged-rank", help="Rank of the verdicts. Default: the middle.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option("--include", metavar="PATTERN", help="Weights by pattern; several times.")
    ] = None,
    heads: Annotated[int | None, typer.Option("--heads", min=1, help="Split attention by that many heads.")] = None,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Draws of each null, for each matrix.")] = 1,
    method: Annotated[str, typer.Option("--method", help="auto, exact or randomised.")] = "auto",
    by: Annotated[str, typer.Option("--by", help="Print means by kind or depth.")] = "kind",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write every row as .csv.")] = None,
    device: Device = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the nulls.")] = 0,
) -> Reply:
    """Compare the singular bases of a network before and after fine-tuning.

    Every quantity stands beside what random updates of the same size do; two verdicts, kept apart, say whether leading
    directions stay beyond that, and whether updates lean toward them.
    """
    from brainalign.spectral import compare_checkpoints, compare_tasks
    from brainalign.studies.spectral import spectral_table, summarise

    options: dict[str, Any] = {
        "ranks": tuple(rank or (4, 16, 64)), "judged_rank": judged, "include": include or None, "heads": heads,
        "method": method, "device": device, "seed": seed,
    }  # fmt: skip
    document: dict[str, Any] = {}
    text: list[str | Grid] = []
    tables = []
    for path in after:
        found = compare_checkpoints(before, path, n_draws=draws, **options)
        table = spectral_table(found)
        tables.append(table.assign(checkpoint=str(path)))
        rows = plain(summarise(table, by=(by,)))
        shown = [row for row in rows if row["quantity"] in ("overlap", "best-cosine", "energy", "lean", "intruders")]
        columns = [by, "quantity", "rank", "value", "chance", "gaussian", "same-spectrum", "random-init", "n"]
        text += [Grid.of(shown, columns, str(path)), str(found.stable), str(found.leaning)]
        missing = [*found.only_before, *found.only_after]
        if missing:
            text.append(f"in one checkpoint only: {', '.join(missing[:8])}{', …' if len(missing) > 8 else ''}")
        text.append(f"largest relative residual of a singular triple: {found.worst_error:.1e}")
        document[str(path)] = {
            "means": rows, "stable": found.stable, "leaning": found.leaning, "only_before": found.only_before,
            "only_after": found.only_after, "tied": found.tied, "worst_error": found.worst_error,
        }  # fmt: skip
    if len(after) > 1:
        shared = compare_tasks(before, {str(path): path for path in after}, **options)
        tables.append(spectral_table(shared))
        text += [str(shared.shared), str(shared.updates_shared)]
        document["sharing"] = {"shared": shared.shared, "updates_shared": shared.updates_shared}
    if out is not None:
        import pandas as pd

        pd.concat(tables).to_csv(out, index=False)
        text.append(f"rows: {out}")
    return Reply(document, text)


def study(
    network: _Network,
    data: Annotated[Path, typer.Argument(help="Folder with sst2/, subj/, mrpc/, stsb_en/.")],
    out: _Out,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="sst2, subj, mrpc, stsb, reviews; several times. Default: four.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", help="head, full, lora, core, …; several times. Default: seven.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Fine-tunings of each method.")] = 3,
    train: Annotated[int, typer.Option("--train", min=1, help="Training sentences.")] = 1000,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over them.")] = 2,
    grid: Annotated[bool, typer.Option("--grid/--no-grid", help="Try three learning rates on the first seed.")] = True,
    analysis: Annotated[bool, typer.Option("--analysis", help="Stability, sharing and embeddings as well.")] = False,
    device: Device = None,
) -> Reply:
    """Fine-tune a text network by several methods at matched budgets.

    Learning rates are chosen on the development set of the first seed. A study that was cut off goes on.
    """
    from brainalign.spectral.study.cells import read_cells
    from brainalign.spectral.study.command import run_sentences
    from brainalign.spectral.study.summary import differences

    rows = run_sentences(
        network, data, out, tasks=tuple(task or ("sst2", "subj", "mrpc", "stsb")),
        methods=None if not method else tuple(method), n_seeds=seeds, n_train=train, epochs=epochs,
        device=device or "cpu", grid=grid, analysis=analysis, say=_say,
    )  # fmt: skip
    return _tables(rows, differences(read_cells(out)))


def table(folder: Annotated[Path, typer.Argument(help="Folder of the cells of a study.")]) -> Reply:
    """Make the tables of a study from its cells.

    Scores with intervals over seeds and test examples; the core less every other method, paired.
    """
    from brainalign.spectral.study.cells import read_cells
    from brainalign.spectral.study.command import tabulate
    from brainalign.spectral.study.summary import differences

    return _tables(tabulate(folder), differences(read_cells(folder)))


def glue(
    recipe: Annotated[str, typer.Argument(help="Such as roberta-base.core; an unknown one lists them.")],
    network: _Network,
    data: Annotated[Path, typer.Argument(help="Folder with CoLA/, SST-2/, … as published.")],
    out: _Out,
    task: Annotated[list[str] | None, typer.Option("--task", help="Only this task; several times.")] = None,
    device: Device = None,
) -> Reply:
    """Run a GLUE recipe for RoBERTa and score the development sets by the eight tasks' metrics."""
    from brainalign.spectral.study.recipes import GLUE_TASKS, run_glue

    found = run_glue(recipe, network, data, out, tasks=tuple(task or GLUE_TASKS), device=device or "cpu", say=_say)
    rows = [{"task": name, **scores} for name, scores in found["tasks"].items()]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return Reply(found, [Grid.of(rows, columns), f"average: {found['average']:.4f}"])


def _tables(rows: list[dict[str, Any]], paired: list[dict[str, Any]]) -> Reply:
    scores = ["task", "method", "metric", "score", "low", "high", "adapter", "percent", "rate", "step_ms", "saved_mb"]
    text = [Grid.of(plain(rows), scores)]
    if paired:
        text.append(Grid.of(plain(paired), ["task", "method", "against", "difference", "low", "high", "verdict"]))
    return Reply({"scores": rows, "differences": paired}, text)


command(
    app,
    "compare",
    example="brainalign spectral compare before.safetensors after.safetensors\n"
    "brainalign spectral compare pretrained/ task-a/ task-b/ --rank 4 --rank 16 --include 'encoder.*' --out rows.csv",
)(compare)
command(app, "study", example="brainalign spectral study minilm/ sentences/ --out study --task sst2 --method core")(
    study
)
command(app, "table", example="brainalign spectral table study")(table)
command(app, "glue", example="brainalign spectral glue roberta-base.core roberta-base/ glue/ --out glue-core")(glue)

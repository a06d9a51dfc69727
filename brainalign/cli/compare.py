"""``brainalign compare``: two bare matrices, every measure that applies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.reply import Grid, Reply, plain

SHOWN = ("metric", "value", "low", "high", "chance", "null_mean", "z", "p", "direction")

_Matrix = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", dir_okay=False, help="Rows = stimuli: .npy, .npz, .csv, .tsv or .parquet (a text column: ids)."
    ),
]


def register(app: typer.Typer) -> None:
    command(
        app,
        "compare",
        example="brainalign compare layer.npy responses.npy\n"
        "brainalign compare a.csv b.parquet --metric cka.linear.debiased --metric mutual-knn.k10 --json",
    )(compare)


def compare(
    first: _Matrix,
    second: _Matrix,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="ID", help="Metric id; several times. Default: all that apply."),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option("--groups", metavar="FILE", help="Source of each stimulus: .txt (one a line), .npy or a table."),
    ] = None,
    first_key: Annotated[
        str | None, typer.Option("--first-key", metavar="NAME", help="Which array of the first .npz.")
    ] = None,
    second_key: Annotated[
        str | None, typer.Option("--second-key", metavar="NAME", help="Which array of the second .npz.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of permutations and subsamples.")] = 0,
) -> Reply:
    """Compare two matrices of the same stimuli.

    One row for each metric: value, 95 % interval, chance, mean of the permutation null, z and p. Encoding predicts the
    second from the first. Where both files name their rows, the names must agree.
    """
    from brainalign.datasets.matrices import load_labels
    from brainalign.metrics import compare as run

    x, y = _matrix(first, first_key), _matrix(second, second_key)
    sources = None if groups is None else load_labels(groups, len(x), "groups")
    rows = plain(run(x, y, metrics=metric or None, groups=sources, seed=seed))
    notes = [f"{row['metric']}: {row['reason']}" for row in rows if row["reason"]]
    return Reply(rows, [Grid.of(rows, SHOWN), *notes])


def _matrix(path: Path, key: str | None) -> Any:
    """Return an array, or a table whose index are the ids of its rows."""
    from brainalign.datasets.matrices import TABLES, load_array, load_table, table_matrix

    if path.suffix not in TABLES:
        return load_array(path, key=key)
    table = load_table(path)
    text = [name for name in table.columns if table[name].dtype.kind not in "biuf"]
    if len(text) == 1:
        table = table.set_index(text[0])
    table_matrix(table, str(path))
    return table

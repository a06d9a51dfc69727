"""``brainalign geometry``: dimension and change over scales of a representation."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.options import StoreUrl
from brainalign.cli.reply import Grid, Reply, plain


def register(app: typer.Typer) -> None:
    command(
        app,
        "geometry",
        example="brainalign geometry features.npy\n"
        "brainalign geometry efficientnet-lite0 --stimuli macaque-v4 --property 'dimension.local.mle.k50' --json",
    )(geometry)


def geometry(
    source: Annotated[
        str, typer.Argument(metavar="FILE|MODEL@REV", help="A matrix (.npy, .npz, .csv, .tsv, .parquet), or a model.")
    ],
    stimuli: Annotated[
        str | None, typer.Option("--stimuli", metavar="SET", help="Stimulus set of the model's embeddings.")
    ] = None,
    store: StoreUrl = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", metavar="NAME", help="Layer or pattern; several times. Default: all.")
    ] = None,
    property_: Annotated[
        list[str] | None, typer.Option("--property", metavar="ID", help="Property id; several times. Default: all.")
    ] = None,
    n_stimuli: Annotated[
        int | None,
        typer.Option("--n-stimuli", min=4, help="Draw as many stimuli: dimension compares only at the same number."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of that draw.")] = 0,
) -> Reply:
    """Measure dimension, change over scales, and spectrum.

    One row for each layer and property, with its standard error where there is one.
    """
    from brainalign.studies.geometry import geometry_table

    table = geometry_table(
        source,
        stimuli=stimuli,
        store=store,
        layers=layer or None,
        properties=property_ or None,
        n_stimuli=n_stimuli,
        seed=seed,
    )
    rows: list[dict[str, Any]] = plain(table)
    columns = ["property", "value", "error", "n_stimuli", "n_units"]
    if any(row["layer"] for row in rows):
        columns.insert(0, "layer")
    text: list[str | Grid] = [Grid.of(rows, columns)]
    reasons = dict.fromkeys(f"{row['property']}: {row['reason']}" for row in rows if row["reason"])
    dropped = {row["layer"]: row["dropped"] for row in rows if row["dropped"]}
    where = {None: "", **{name: f" in {name}" for name in dropped if name}}
    copies = [f"{n} stimuli{where[name]} equal an earlier one (nearly): local measures leave them out."
              for name, n in dropped.items()]  # fmt: skip
    return Reply(rows, [*text, *reasons, *copies])

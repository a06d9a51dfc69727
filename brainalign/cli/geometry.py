"""``brainalign geometry``: dimension and change over scales of a representation, of a network or of a brain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.options import Layers, StimuliOfModel, StoreUrl, Subjects
from brainalign.cli.reply import Grid, Reply, plain


def register(app: typer.Typer) -> None:
    command(
        app,
        "geometry",
        example="brainalign geometry features.npy\n"
        "brainalign geometry efficientnet-lite0 --stimuli macaque-v4 --property 'dimension.local.mle.k50' --json\n"
        "brainalign geometry efficientnet-lite0 --stimuli macaque-v4 --property dimension.curve.mle --results DIR\n"
        "brainalign geometry macaque-v4 --roi V4 --repeats 1",
    )(geometry)


def geometry(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|MODEL@REV|DATASET",
            help="A matrix (.npy, .npz, .csv, .tsv, .parquet), a model (with --stimuli), or a dataset of responses.",
        ),
    ],
    stimuli: StimuliOfModel = None,
    store: StoreUrl = None,
    layer: Layers = None,
    subject: Subjects = None,
    roi: Annotated[
        list[str] | None, typer.Option("--roi", metavar="NAME", help="ROI or pattern; several times. Default: all.")
    ] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Variant of the responses.")] = None,
    property_: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            metavar="ID",
            help="Property id, such as dimension.curve.mle for all scales; several times. "
            "Default: all without curves and convergence.",
        ),
    ] = None,
    n_stimuli: Annotated[
        int | None,
        typer.Option("--n-stimuli", min=4, help="Draw as many stimuli: dimension compares only at the same number."),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", min=1, help="Average as many repeats of each stimulus. Default: all.")
    ] = None,
    min_ncsnr: Annotated[
        float | None, typer.Option("--min-ncsnr", min=0, help="Only neuroids with at least this signal to noise.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of those draws.")] = 0,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="Keep the properties as result files below it.")
    ] = None,
) -> Reply:
    """Measure dimension, change over scales, and spectrum.

    One row for each layer or ROI, property and scale, with its standard error where there is one.
    """
    from brainalign.studies.geometry import measure_geometry

    found = measure_geometry(
        source,
        stimuli=stimuli,
        subjects=subject or None,
        variant=variant,
        store=store,
        layers=layer or None,
        rois=roi or None,
        properties=property_ or None,
        n_stimuli=n_stimuli,
        repeats=repeats,
        min_ncsnr=min_ncsnr,
        seed=seed,
        results=results,
    )
    rows: list[dict[str, Any]] = plain(found.table)
    columns = ["property", "value", "error", "n_stimuli", "n_units"]
    if any(row["scale"] for row in rows):
        columns.insert(1, "scale")
    columns = [name for name in ("subject", "roi", "layer") if any(row[name] for row in rows)] + columns
    text: list[str | Grid] = [Grid.of(rows, columns)]
    reasons = dict.fromkeys(f"{row['property']}: {row['reason']}" for row in rows if row["reason"])
    dropped = {row["layer"] or row["roi"]: row["dropped"] for row in rows if row["dropped"]}
    where = {None: "", **{name: f" in {name}" for name in dropped if name}}
    copies = [f"{n} stimuli{where[name]} equal an earlier one (nearly): local measures leave them out."
              for name, n in dropped.items()]  # fmt: skip
    files = [f"property file: {path}" for path in found.files]
    return Reply(rows, [*text, *reasons, *copies, *files])

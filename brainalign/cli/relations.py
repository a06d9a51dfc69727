"""``brainalign relate`` and ``contrast``: scores against properties across models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.options import Subjects
from brainalign.cli.reply import Grid, Reply, plain

_Source = Annotated[
    Path,
    typer.Argument(
        metavar="RESULTS|TABLE",
        exists=True,
        help="Folder of the result files, a table with a row a model (.csv, …), or source_data of DeepNSD.",
    ),
]
_Group = Annotated[
    str | None, typer.Option("--group", metavar="COLUMN", help="Families: their models are not independent.")
]
_Roi = Annotated[
    list[str] | None, typer.Option("--roi", metavar="NAME", help="Only this ROI; several times. Default: mean of all.")
]
_Benchmark = Annotated[str | None, typer.Option("--benchmark", help="Which, where the results hold several.")]
_Permutations = Annotated[int, typer.Option("--permutations", min=1, help="Where there are more orders than that.")]
_Seed = Annotated[int, typer.Option("--seed", help="Seed of permutations and bootstrap.")]
_Also = Annotated[
    Path | None, typer.Option("--table", exists=True, dir_okay=False, help="More columns, joined by its column model.")
]


def register(app: typer.Typer) -> None:
    command(
        app,
        "relate",
        example="brainalign relate brainalign-results --x dimension.local.mle.k50 --y encoding.ridge.r --group family\n"
        "brainalign relate brainalign-results --x accuracy.top1 --y encoding.ridge.r --labelled imagenet1000\n"
        "brainalign relate models.csv --x 'log(dimension)' --y accuracy --group family --covariate 'log(n_parameters)'",
    )(relate)
    command(
        app,
        "contrast",
        example="brainalign contrast brainalign-results --y encoding.ridge.r --factor pretrained --match n_parameters\n"
        "brainalign contrast models.csv --y r --factor data --level 1k --level 22k --match size --group family",
    )(contrast)


def relate(
    source: _Source,
    x: Annotated[list[str], typer.Option("--x", metavar="NAME", help="Property id, or column; several times.")],
    y: Annotated[list[str], typer.Option("--y", metavar="NAME", help="Metric id, or column; several times.")],
    group: _Group = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option("--covariate", metavar="COLUMN", help="Held fixed in the controlled relation; several times."),
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="Of a property over scales, the one named beforehand. Default: 64.")
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="NAME", help="The same property by another estimator; several times."),
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="model or layer: what a row is.")] = "model",
    layer: Annotated[
        str, typer.Option("--layer", help="For models, the layer whose property counts: last, a name or a pattern.")
    ] = "last",
    roi: _Roi = None,
    subject: Subjects = None,
    benchmark: _Benchmark = None,
    stimuli: Annotated[
        str | None, typer.Option("--stimuli", metavar="SET", help="On which the properties were measured.")
    ] = None,
    labelled: Annotated[
        str | None, typer.Option("--labelled", metavar="SET", help="On which the accuracies were measured.")
    ] = None,
    table: _Also = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="COLUMN=VALUE", help="Only rows with it (or !=); several times."),
    ] = None,
    permutations: _Permutations = 10_000,
    seed: _Seed = 0,
) -> Reply:
    """Relate properties with scores across models.

    Correlation, what is left of it given the covariates, nulls that exchange whole families and models inside them,
    leave-one-family-out, p corrected over the grid, and a verdict with the rule that decided it.
    """
    from brainalign.studies.command import relate_source

    found = relate_source(
        source,
        x=x,
        y=y,
        group=group,
        covariates=covariate or (),
        scale=scale,
        checks=check or (),
        unit=unit,
        layer=layer,
        rois=roi or None,
        subjects=subject or None,
        benchmark=benchmark,
        stimuli=stimuli,
        labelled=labelled,
        more=table,
        where=where or (),
        n_permutations=permutations,
        seed=seed,
    )
    rows: list[dict[str, Any]] = plain(found.grid)
    columns = ["x", "y", "n", "r", "low", "high", "p", "p_holm", "rho", "partial", "partial_p", "within", "between"]
    text: list[str | Grid] = [Grid.of(rows, columns), *found.sentences, *found.notes]
    return Reply({"relations": rows, "judged": found.judged, "notes": found.notes}, text)


def contrast(
    source: _Source,
    y: Annotated[str, typer.Option("--y", metavar="NAME", help="Metric id, or column.")],
    factor: Annotated[str, typer.Option("--factor", metavar="COLUMN", help="The kind that is compared.")],
    match: Annotated[
        list[str], typer.Option("--match", metavar="COLUMN", help="In which two models of a pair agree; several times.")
    ],
    level: Annotated[
        list[str] | None,
        typer.Option("--level", metavar="VALUE", help="Two values of the factor, the second less the first."),
    ] = None,
    group: _Group = None,
    roi: _Roi = None,
    subject: Subjects = None,
    benchmark: _Benchmark = None,
    table: _Also = None,
    permutations: _Permutations = 10_000,
    seed: _Seed = 0,
) -> Reply:
    """Compare a score between two kinds of matched models.

    Mean difference over pairs of models that agree in all that is matched, with its interval and exact p; with families
    over these, as whole ones could have been the other way round, and beside it with every pair on its own.
    """
    from brainalign.studies.command import contrast_source

    found, notes = contrast_source(
        source,
        y=y,
        factor=factor,
        match=match,
        levels=level or None,
        group=group,
        rois=roi or None,
        subjects=subject or None,
        benchmark=benchmark,
        more=table,
        n_permutations=permutations,
        seed=seed,
    )
    pairs = plain(found.pairs)
    grid = Grid.of(pairs, list(found.pairs.columns))
    return Reply({**plain(found), "notes": notes}, [grid, found.sentence(y=y, factor=factor), *notes])

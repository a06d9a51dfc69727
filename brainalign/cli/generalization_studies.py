"""``brainalign generalization autoencoders|width|resnets|planted|table``: the experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.progress import bars
from brainalign.cli.reply import Grid, Reply, plain

_Seed = Annotated[int, typer.Option("--seed", help="Seed of all draws and networks.")]
_Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Networks of each kind.")]
_Permutations = Annotated[int, typer.Option("--permutations", min=1, help="Where there are more orders than that.")]


def register(app: typer.Typer) -> None:
    command(
        app,
        "autoencoders",
        example="brainalign generalization autoencoders\n"
        "brainalign generalization autoencoders --bottleneck 1 --bottleneck 4 --bottleneck 16 --json",
    )(autoencoders)
    command(
        app,
        "width",
        example="brainalign generalization width\n"
        "brainalign generalization width --size 100 --size 400 --noise 0 --noise 0.2 --seeds 2 --json",
    )(width)
    command(
        app,
        "resnets",
        example="brainalign generalization resnets resnet20.th resnet56.th --images cifar10_test.zip",
    )(resnets)
    command(app, "planted", example="brainalign generalization planted --models 24")(planted)
    command(
        app,
        "table",
        example="brainalign generalization table models.csv --measure dimension --measure slope --outcome alignment "
        "--group family",
    )(table)


def autoencoders(
    bottleneck: Annotated[
        list[int] | None, typer.Option("--bottleneck", min=1, help="Several times. Default: 1, 2, 4, 8, 16, 32.")
    ] = None,
    seeds: _Seeds = 1,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Pairs of samples at each size.")] = 10,
    seed: _Seed = 0,
) -> Reply:
    """Train autoencoders of growing bottleneck on scikit-learn's digits and measure their codes.

    Dimension, and the rate at which two samples of held-out codes approach each other.
    """
    from brainalign.studies.generalization.autoencoders import BOTTLENECKS, autoencoder_study

    with bars() as progress:
        found = autoencoder_study(
            bottlenecks=bottleneck or BOTTLENECKS, n_seeds=seeds, n_draws=draws, seed=seed, progress=progress
        )
    rows = plain(found.networks)
    columns = ["bottleneck", "error", "dimension", "distance", "slope", "slope_error", "rate_dimension"]
    said = (
        f"local dimension goes with the distance of two samples by rho {found.rho_distance:+.2f} over bottlenecks, and "
        f"with the slope of its fall by rho {found.rho_rate:+.2f} (slower means higher)"
    )
    return Reply({**plain(found), "networks": rows}, [Grid.of(rows, columns), said])


def width(
    width: Annotated[
        list[int] | None, typer.Option("--width", min=1, help="Several times. Default: 2, 4, 8, 16, 32, 128.")
    ] = None,
    size: Annotated[
        list[int] | None, typer.Option("--size", min=10, max=898, help="Training samples; several times. Default: 100.")
    ] = None,
    noise: Annotated[
        list[float] | None,
        typer.Option("--noise", min=0, max=1, help="Share of labels drawn anew; several times. Default: 0."),
    ] = None,
    seeds: _Seeds = 2,
    seed: _Seed = 0,
) -> Reply:
    """Narrow a layer of networks on scikit-learn's digits and see what happens to dimension, sensitivity and gap.

    The signs of both against the gap, inside cells where only the width differs, and Kendall's tau of all competitors.
    """
    from brainalign.studies.generalization.width import WIDTHS, width_study

    with bars() as progress:
        found = width_study(
            widths=width or WIDTHS, sizes=size or (100,), noises=noise or (0.0,), n_seeds=seeds, seed=seed,
            progress=progress,
        )  # fmt: skip
    means = found.networks.groupby(["n", "noise", "width"], as_index=False).mean(numeric_only=True)
    first = Grid.of(
        plain(means),
        ["n", "noise", "width", "dimension", "product", "local", "wasserstein", "train_loss", "test_loss", "gap"],
        "means over networks",
    )
    related = plain(found.relations)
    columns = ["measure", "tau", "tau_low", "tau_high", "tau_p", "tau_p_holm", "tau_within", "n_cells"]
    return Reply(plain(found), [first, Grid.of(related, columns, "with the gap"), *found.sentences])


def resnets(
    weights: Annotated[list[Path], typer.Argument(exists=True, help="Files of weights named resnetDEPTH….")],
    images: Annotated[
        Path, typer.Option("--images", exists=True, help="Folder or zip of labelled images, CLASS/name.jpg.")
    ],
    per_class: Annotated[int, typer.Option("--per-class", min=24, help="Images of each class.")] = 200,
    lipschitz: Annotated[
        bool, typer.Option("--lipschitz/--no-lipschitz", help="Bound the part after each layer: minutes a network.")
    ] = True,
    table: Annotated[
        Path | None,
        typer.Option("--table", metavar="FILE", help="Write all measures by layer there (.csv), for `table` to read."),
    ] = None,
    seed: _Seed = 0,
) -> Reply:
    """Measure CIFAR-10 ResNets of rising depth on images that they were not trained on.

    By layer and by class, on two held-out halves.
    """
    from brainalign.studies.generalization.resnets import resnet_study

    with bars() as progress:
        found = resnet_study(weights, images, n_per_class=per_class, lipschitz=lipschitz, seed=seed, progress=progress)
    if table is not None:
        from brainalign.studies.generalization.resnet_table import resnet_table

        resnet_table(found).to_csv(table, index=False)
    layers, networks, related = (plain(t) for t in (found.layers, found.networks, found.relations))
    columns = ["model", "layer", "dimension", "rate_dimension", "wasserstein", "wasserstein_null", "probe_test"]
    text: list[str | Grid] = [
        Grid.of(networks, ["model", "n_parameters", "accuracy", "spectral"], "networks"),
        Grid.of(layers, [*columns, *(["lipschitz_local", "lipschitz_upper"] if lipschitz else [])], "layers"),
        Grid.of(related, ["x", "y", "n", "tau", "tau_p", "r", "within", "within_p", "between", "between_p"], "classes"),
    ]
    document = {"networks": networks, "layers": layers, "classes": plain(found.classes), "relations": related}
    return Reply(document, text)


def planted(
    models: Annotated[int, typer.Option("--models", min=10, help="Synthetic embeddings.")] = 30,
    n: Annotated[int, typer.Option("--n", min=200, help="Points of each.")] = 800,
    seed: _Seed = 0,
) -> Reply:
    """Make embeddings with three known drivers and see which measure finds which.

    Dimensions inside classes, distance between classes, decay of the spectrum: the control of the table of measures.
    """
    from brainalign.studies.generalization.planted import planted_table

    found = planted_table(n_models=models, n=n, seed=seed)
    rows = plain(found.recovered)
    passed = bool(found.recovered["recovered"].all())
    columns = ["driver", "expected", "best", "rho", "rho_expected", "recovered"]
    return Reply({"recovered": rows, "table": plain(found.table)}, [Grid.of(rows, columns)], passed=passed)


def table(
    source: Annotated[Path, typer.Argument(metavar="TABLE", exists=True, help="A row a model or a layer (.csv, …).")],
    measure: Annotated[list[str], typer.Option("--measure", metavar="NAME", help="Column; several times.")],
    outcome: Annotated[list[str], typer.Option("--outcome", metavar="NAME", help="Column; several times.")],
    group: Annotated[
        str | None, typer.Option("--group", metavar="COLUMN", help="Families, or models where rows are layers.")
    ] = None,
    permutations: _Permutations = 2000,
    seed: _Seed = 0,
) -> Reply:
    """Relate measures with each other and with outcomes, and say which are one variable under several names.

    Correlations and partial correlations with nulls that exchange whole families, and commonality analysis.
    """
    from brainalign.datasets.matrices import load_table
    from brainalign.studies.generalization.four_papers import analyse_table

    found = analyse_table(
        load_table(source), measures=measure, outcomes=outcome, group=group, n_permutations=permutations, seed=seed
    )
    shares: list[dict[str, Any]] = [
        {"outcome": name, "measures": list(subset), "share": share}
        for name, one in found.commonality.items()
        for subset, share in one.parts.items()
    ]
    text: list[str | Grid] = [
        Grid.of(plain(found.correlations), ["first", "second", "n", "rho", "r", "tau", "p", "p_holm"], "measures"),
        Grid.of(plain(found.outcomes), ["x", "y", "n", "r", "rho", "tau", "rho_p", "rho_p_holm"], "outcomes"),
        Grid.of(shares, ["outcome", "measures", "share"], "commonality"),
        *found.sentences,
    ]
    document = {
        "correlations": plain(found.correlations), "outcomes": plain(found.outcomes),
        "partials": plain(found.partials), "commonality": shares, "synonyms": found.synonyms,
        "sentences": found.sentences,
    }  # fmt: skip
    return Reply(document, text)

"""``brainalign generalization``: convergence, sensitivity, the bound, and the experiments on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli import generalization_studies
from brainalign.cli.command import command, family
from brainalign.cli.options import ClassNames, FirstClass, LabelColumn, Layers, StimuliOfModel, StoreUrl
from brainalign.cli.reply import Grid, Reply, plain
from brainalign.foreign.damage import read_lines

app = family("generalization", "Convergence of embeddings, sensitivity of networks, the bound, and the experiments.")
generalization_studies.register(app)

_Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE|MODEL@REV",
        help="A matrix (.npy, .npz, .csv, .tsv, .parquet), or a model (with --stimuli).",
    ),
]
_Seed = Annotated[int, typer.Option("--seed", help="Seed of all draws.")]
_Method = Annotated[
    str, typer.Option("--method", help="exact, sinkhorn or sliced: see the documentation for their bias.")
]


@command(
    app,
    "rate",
    example="brainalign generalization rate features.npy\n"
    "brainalign generalization rate efficientnet-lite0 --stimuli macaque-v4 --size 50 --size 100 --size 200 --json",
)
def rate(
    source: _Source,
    stimuli: StimuliOfModel = None,
    store: StoreUrl = None,
    layer: Layers = None,
    size: Annotated[
        list[int] | None, typer.Option("--size", help="Points in each sample; several times. Default: five, doubling.")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Pairs of samples at each size.")] = 10,
    order: Annotated[float, typer.Option("--order", help="Order of the distance, at least 1.")] = 1.0,
    method: _Method = "exact",
    seed: _Seed = 0,
) -> Reply:
    """Measure how the distance between two samples of an embedding falls with their size.

    The slope of its logarithm, by octave and over the last three sizes, and the dimension that it implies.
    """
    from brainalign.studies.generalization.sources import rates_of

    found = rates_of(
        source, stimuli=stimuli, store=store, layers=layer or None, sizes=size or None, n_draws=draws, p=order,
        method=method, seed=seed,
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    for name, one in found.items():
        octaves = [None, *plain(one.local_slopes)]
        for i, (n, distance, (low, high)) in enumerate(zip(one.sizes, one.distance, one.interval, strict=True)):
            row = {"layer": name, "size": n, "distance": distance, "low": low, "high": high, "local_slope": octaves[i]}
            rows.append(plain(row))
    columns = ["layer"] * any(row["layer"] for row in rows) + ["size", "distance", "low", "high", "local_slope"]
    said = [
        f"{name + ': ' if name else ''}slope {one.slope:.3f} ± {one.slope_error:.3f} over the last three sizes, "
        f"dimension {one.dimension:.2f}"
        for name, one in found.items()
    ]
    document = [{"layer": name, **plain(one)} for name, one in found.items()]
    return Reply(document, [Grid.of(rows, columns), *said])


@command(
    app,
    "measure",
    example="brainalign generalization measure NET --stimuli cifar --heldout --network cifar-resnet:net.th "
    "--results DIR\n"
    "brainalign generalization measure NET --stimuli cifar --property gap.probe.logistic --json",
)
def measure(
    model: Annotated[str, typer.Argument(metavar="MODEL@REV", help="Stored embeddings.")],
    stimuli: Annotated[
        str, typer.Option("--stimuli", metavar="SET", help="Stimulus set; for most terms with classes.")
    ],
    store: StoreUrl = None,
    heldout: Annotated[
        bool, typer.Option("--heldout", help="The stimuli had no part in training: bounds are for such alone.")
    ] = False,
    network: Annotated[
        str | None, typer.Option("--network", metavar="NAME", help="The network itself. Default: by its stored name.")
    ] = None,
    label: LabelColumn = "label",
    classes: ClassNames = None,
    first_class: FirstClass = 0,
    layer: Layers = None,
    property_: Annotated[
        list[str] | None, typer.Option("--property", metavar="ID", help="Only this term; several times.")
    ] = None,
    points: Annotated[int, typer.Option("--points", min=1, help="Images at which Jacobians are taken.")] = 8,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Let the network's source fetch published weights.")
    ] = False,
    seed: _Seed = 0,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="Keep the terms as result files below it.")
    ] = None,
) -> Reply:
    """Measure sensitivity, gap and bound of a network, layer by layer.

    relate takes them as properties, and the leaderboard shows them. Dimension, slope and curve of convergence:
    brainalign geometry --property convergence.slope.
    """
    from brainalign.studies.generalization import measure_generalization

    found = measure_generalization(
        model, stimuli, store, heldout=heldout, network=network, label=label,
        classes=None if classes is None else read_lines(classes), first_class=first_class,
        layers=layer or None, properties=property_ or None, n_points=points, allow_download=allow_download, seed=seed,
        results=results,
    )  # fmt: skip
    rows: list[dict[str, Any]] = plain(found.table)
    reasons = dict.fromkeys(f"{row['layer']}, {row['property']}: {row['reason']}" for row in rows if row["reason"])
    files = [str(file) for file in found.files]
    text: list[str | Grid] = [Grid.of(rows, ["layer", "property", "value", "error", "n_stimuli"], found.model)]
    text += [*reasons, *found.notes, *(f"property file: {path}" for path in files)]
    return Reply({"model": found.model, "rows": rows, "notes": found.notes, "files": files}, text)


@command(app, "split", example="brainalign generalization split train.npy test.npy --json")
def split(
    train: Annotated[Path, typer.Argument(help="Embeddings of training samples, in rows.")],
    test: Annotated[Path, typer.Argument(help="Embeddings of test samples at the same layer.")],
    points: Annotated[int, typer.Option("--points", min=2, help="Drawn from either side.")] = 800,
    permutations: Annotated[int, typer.Option("--permutations", min=1, help="Random deals, for the null.")] = 20,
    method: _Method = "exact",
    seed: _Seed = 0,
) -> Reply:
    """Measure how far training embeddings lie from test embeddings, in diameters of the embedding.

    Beside it what random deals of the same points give.
    """
    from brainalign.studies.generalization.sources import split_of_files

    found = split_of_files(train, test, n_points=points, n_permutations=permutations, method=method, seed=seed)
    row = plain(found)
    return Reply(row, [Grid.of([row], ["scaled", "null_mean", "null_sd", "z", "p", "distance", "diameter", "n"])])


@command(
    app,
    "bound",
    example="brainalign generalization bound terms.csv losses.npy\n"
    "brainalign generalization bound terms.csv losses.npy --delta 0.01 --json",
)
def bound(
    terms: Annotated[
        Path,
        typer.Argument(
            help="Table with a row a layer: layer, dimension, diameter and, where not 1, 1, 0, 0: lipschitz, "
            "bayes_lipschitz, bayes_error, bayes_range; constant where it is known."
        ),
    ],
    losses: Annotated[Path, typer.Argument(help="Losses of samples that had no part in training (.npy, .csv, …).")],
    train: Annotated[
        bool,
        typer.Option("--train", help="The losses are those of training: the formula is evaluated, and bounds nothing."),
    ] = False,
    delta: Annotated[float, typer.Option("--delta", help="Probability of failure.")] = 0.05,
    epsilon: Annotated[float, typer.Option("--epsilon", help="Added to each dimension in the rate.")] = 0.1,
    loss_lipschitz: Annotated[float, typer.Option("--loss-lipschitz", help="Of the loss in the prediction.")] = 1.0,
    target_lipschitz: Annotated[float, typer.Option("--target-lipschitz", help="Of the loss in the target.")] = 1.0,
) -> Reply:
    """Bound the risk of a network by the dimension of its embeddings, every term by layer.

    Hoeffding's inequality, which knows no dimension and is never weaker, stands beside it.
    """
    from brainalign.studies.generalization.sources import bound_of_files

    report = bound_of_files(
        terms, losses, train=train, delta=delta, epsilon=epsilon, loss_lipschitz=loss_lipschitz,
        target_lipschitz=target_lipschitz,
    )  # fmt: skip
    rows = plain(report.rows())
    columns = ["layer", "dimension", "sensitivity", "convergence", "deviation", "bayes", "bayes_deviation", "gap"]
    said = [
        f"risk at most {report.value:.3g} = {report.empirical_risk:.3g} + {report.gap:.3g} (by {report.layer}), with "
        f"probability {1 - report.delta:g}; by Hoeffding's inequality {report.empirical_risk + report.hoeffding:.3g}",
        *(f"assumed: {words}" for words in report.assumptions),
    ]
    return Reply({**plain(report), "rows": rows}, [Grid.of(rows, [*columns, "hoeffding"]), *said])

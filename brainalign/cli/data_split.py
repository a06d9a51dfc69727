"""``brainalign data split``: a split of a stimulus set, made once and used by name."""

from __future__ import annotations

from typing import Annotated

import typer

from brainalign.cli.command import command
from brainalign.cli.options import StoreUrl
from brainalign.cli.reply import Grid, Reply


def register(app: typer.Typer) -> None:
    """Hang the command into ``data``."""
    command(
        app,
        "split",
        example="brainalign data split nsd tau --tau 0.7\n"
        "brainalign data split my-photos cluster --folds 4 --embedding resnet50 --name cluster-resnet\n"
        "brainalign data split laion-fmri splits/shared/tau.json",
    )(split)


def split(
    stimulus_set: Annotated[str, typer.Argument(metavar="SET", help="Stimulus set in the store.")],
    splitter: Annotated[
        str,
        typer.Argument(metavar="RULE", help="random, source, cluster, tau or ood; or a published split, FILE.json."),
    ],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Default: the rule.")] = None,
    version: Annotated[
        int, typer.Option("--version", min=1, help="A split never changes: other ids, other version.")
    ] = 1,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Parts, or clusters.")] = 5,
    test_share: Annotated[float, typer.Option("--test-share", help="Share of the test part, of tau.")] = 0.2,
    group: Annotated[str, typer.Option("--group", metavar="COLUMN", help="What source keeps together.")] = "group",
    tau: Annotated[float, typer.Option("--tau", help="Largest similarity between train and test, of tau.")] = 0.8,
    embedding: Annotated[
        str | None, typer.Option("--embedding", metavar="MODEL", help="Features; default 8 x 8 average colours.")
    ] = None,
    layer: Annotated[str | None, typer.Option("--layer", metavar="NAME", help="Of it; default the last.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the rule's random choices.")] = 0,
    store: StoreUrl = None,
) -> Reply:
    """Make a split of a stimulus set and keep it in the store.

    A file in the form of LAION-fMRI's splits (variants of train_ids and test_ids) is registered as it is. Benchmarks
    name a split: ``split: tau.v1``. `data audit --split` looks for leaks across it.
    """
    from brainalign.datasets import import_split, make_split
    from brainalign.store import open_store

    if splitter.endswith(".json"):
        made = import_split(open_store(store), stimulus_set, splitter, name=name, version=version)
    else:
        made = make_split(
            open_store(store),
            stimulus_set,
            splitter,
            name=name,
            version=version,
            folds=folds,
            test_share=test_share,
            group=group,
            tau=tau,
            embedding=embedding,
            layer=layer,
            seed=seed,
        )
    rows = [
        {"variant": v.variant_id, "train": len(v.train_ids), "test": len(v.test_ids), "mmd": v.mmd}
        for v in made.variants
    ]
    title = f"{made.stimulus_set}: {made.key}, sha256 {made.sha256[:12]}"
    return Reply(made, [Grid.of(rows, ("variant", "train", "test", "mmd"), title)])

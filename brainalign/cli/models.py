"""``brainalign models``: the networks that can be named, and what is inside one."""

from __future__ import annotations

from typing import Annotated

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import Model, StoreUrl
from brainalign.cli.reply import Grid, Reply, plain

app = family("models", "The networks that can be named, and what is inside one.")


@command(app, "list", example="brainalign models list\nbrainalign models list --source timm --match 'convnext*' --json")
def list_(
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", help="timm, torchvision, open_clip; else the shipped."),
    ] = None,
    match: Annotated[str, typer.Option("--match", metavar="PATTERN", help="Only these names, as 'convnext*'.")] = "*",
    store: StoreUrl = None,
) -> Reply:
    """List networks, and on which stimulus sets of the store each is embedded."""
    from brainalign.models import list_models
    from brainalign.models.catalogue import SOURCES
    from brainalign.store import open_store

    there = open_store(store).models()
    stored = [dict(zip(("model", "revision", "stimuli"), row, strict=True)) for row in there]
    known = [
        {**plain(row), "embedded": sorted({stimuli for model, _, stimuli in there if _is_of(model, row.name)})}
        for row in list_models(source=source, match=match)
    ]
    columns = ("name", "pretrained", "training_data", "available", "embedded", "note")
    text: list[str | Grid] = [Grid.of(known, columns)]
    if source is None:
        forms = ", ".join(kind.form for kind in SOURCES.values())
        text.append(f"Also: package.module:factory, {forms}.")
    if stored:
        text += ["", Grid.of(stored, ("model", "revision", "stimuli"), title="In the store")]
    return Reply({"models": known, "embeddings": stored}, text)


def _is_of(model: str, name: str) -> bool:
    """Whether an embedding's model is the one listed, with whatever weights (a file) or tower where the list has none.

    >>> _is_of("timm:resnet18/w.pth", "timm:resnet18"), _is_of("timm:resnet18d", "timm:resnet18")
    (True, False)
    """
    return model == name or model.startswith((f"{name}/", f"{name}#"))


@command(
    app,
    "show",
    example="brainalign models show efficientnet-lite0\nbrainalign models show mypackage.mynet:build --json",
)
def show(
    model: Model,
) -> Reply:
    """Show revision, preprocessing, layers of one."""
    from brainalign.models import load_network

    network = load_network(model)
    about = {
        "model": network.id,
        "revision": network.revision,
        "n_parameters": network.n_parameters,
        "preprocessing": network.preprocessing,
        **network.attributes,
    }
    layers = network.layers()
    default = set(network.default_layers or ())
    text = [f"{name}: {value}" for name, value in plain(about).items()]
    text += ["", "layers (* taken when none are asked for):"]
    text += [f"  {'*' if name in default else ' '} {name}" for name in layers]
    return Reply({**about, "layers": layers, "default_layers": network.default_layers}, text)

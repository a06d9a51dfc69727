"""``brainalign models``: the networks that can be named, and what is inside one."""

from __future__ import annotations

from typing import Annotated

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import Model, StoreUrl
from brainalign.cli.reply import Grid, Reply, plain

app = family("models", "The networks that can be named, and what is inside one.")


@command(app, "list", example="brainalign models list\nbrainalign models list --all --json")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="The architectures of open_clip as well.")] = False,
    store: StoreUrl = None,
) -> Reply:
    """List networks, and the embeddings in the store."""
    from brainalign.models import list_models
    from brainalign.store import open_store

    known = [plain(row) for row in list_models(open_clip=all_)]
    stored = [dict(zip(("model", "revision", "stimuli"), row, strict=True)) for row in open_store(store).models()]
    columns = ("name", "pretrained", "training_data", "available", "note")
    text: list[str | Grid] = [Grid.of(known, columns)]
    if not all_:
        text.append("Also: package.module:factory, and open_clip:ARCH/PRETRAINED_OR_FILE (--all lists them).")
    if stored:
        text += ["", Grid.of(stored, ("model", "revision", "stimuli"), title="In the store")]
    return Reply({"models": known, "embeddings": stored}, text)


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

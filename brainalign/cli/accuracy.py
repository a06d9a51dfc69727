"""``brainalign accuracy``: what networks know of classes, on labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.options import ClassNames, FirstClass, LabelColumn, StoreUrl
from brainalign.cli.reply import Grid, Reply, plain
from brainalign.foreign.damage import read_lines

_SHOWN = ("model", "layer", "property", "value", "error", "chance", "n_stimuli", "n_classes", "reason")


def register(app: typer.Typer) -> None:
    command(
        app,
        "accuracy",
        example="brainalign accuracy efficientnet-lite0 efficientnet-lite1 --stimuli imagenet1000 --results DIR\n"
        "brainalign accuracy mynet --stimuli cifar --layer 'layer3*' --property accuracy.knn.k10 --json\n"
        "brainalign accuracy open_clip:ViT-B-32/w.pt --stimuli cifar --text 'open_clip:ViT-B-32/w.pt#text'",
    )(accuracy)


def accuracy(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL@REV...", help="Stored embeddings, one or several networks.")
    ],
    stimuli: Annotated[str, typer.Option("--stimuli", metavar="SET", help="Stimulus set with classes.")],
    store: StoreUrl = None,
    label: LabelColumn = "label",
    classes: ClassNames = None,
    first_class: FirstClass = 0,
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", metavar="NAME", help="Stored layer or pattern for probe and kNN; several times."),
    ] = None,
    property_: Annotated[
        list[str] | None, typer.Option("--property", metavar="ID", help="Only this accuracy; several times.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="NETWORK", help="Text tower that describes the classes (zero-shot).")
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option("--template", help="What is said of a class, as 'a photo of a {}.'; several are averaged."),
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Let the text tower fetch published weights.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the halves of probe and kNN.")] = 0,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="Keep the accuracies as result files below it.")
    ] = None,
) -> Reply:
    """Measure accuracy on labelled images.

    Own classifier (needs the network's last layer in the store: embed --layer output), linear probe and kNN on
    held-out halves, zero-shot with a text tower. Of several networks every pair is compared, image by image.
    """
    from brainalign.store import open_store
    from brainalign.studies.accuracy import TEMPLATES, accuracy_differences, measure_accuracy

    opened = open_store(store)
    found = [
        measure_accuracy(
            model,
            stimuli,
            opened,
            label=label,
            classes=None if classes is None else read_lines(classes),
            first_class=first_class,
            layers=layer or None,
            properties=property_ or None,
            text=text,
            templates=template or TEMPLATES,
            allow_download=allow_download,
            seed=seed,
            results=results,
        )
        for model in models
    ]
    rows: list[dict[str, Any]] = [row for one in found for row in plain(one.table)]
    shown = [name for name in _SHOWN if name != "reason" or any(row["reason"] for row in rows)]
    pairs = plain(accuracy_differences(found))
    lines: list[str | Grid] = [Grid.of(rows, shown)]
    if pairs:
        lines += ["", Grid.of(pairs, list(pairs[0]), title="Pairs, each at its best layer (told apart: 3 errors)")]
    lines += [note for one in found for note in one.notes]
    lines += [f"property file: {path}" for one in found for path in one.files]
    return Reply({"accuracies": rows, "pairs": pairs, "notes": [n for one in found for n in one.notes]}, lines)

"""Options that several commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Folder or fsspec URL of the store. Default: $BRAINALIGN_STORE, else ./brainalign-store.",
    ),
]
ResultsRoot = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="Folder of the result files.", show_default=True)
]
Model = Annotated[
    str,
    typer.Argument(help="A name of `models list`, SOURCE:NAME or SOURCE:FILE, or package.module:factory."),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="Where to compute: cpu, cuda, mps. Default: CPU."),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option("--subject", metavar="NAME", help="Only this subject; may be given several times."),
]
StimuliOfModel = Annotated[
    str | None, typer.Option("--stimuli", metavar="SET", help="Stimulus set of the model's embeddings.")
]
Layers = Annotated[
    list[str] | None, typer.Option("--layer", metavar="NAME", help="Layer or pattern; several times. Default: all.")
]
LabelColumn = Annotated[str, typer.Option("--label", metavar="COLUMN", help="Column of the classes.")]
ClassNames = Annotated[
    Path | None,
    typer.Option(
        "--classes", exists=True, dir_okay=False, metavar="TXT", help="Class names in the order of the outputs."
    ),
]
FirstClass = Annotated[
    int, typer.Option("--first-class", min=0, help="Output of class 0: 1 where the first is 'background'.")
]


def settings(pairs: list[str] | None) -> dict[str, object]:
    """Read ``NAME=VALUE`` pairs; a value is taken as YAML does: number, true/false, list, else text.

    >>> settings(["space=func1pt8mm", "z_score=true", "sessions=[1, 2]"])
    {'space': 'func1pt8mm', 'z_score': True, 'sessions': [1, 2]}
    """
    import yaml

    read: dict[str, object] = {}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator or not name.isidentifier():
            raise typer.BadParameter(f"{pair!r} is not of the form NAME=VALUE", param_hint="--option")
        try:
            read[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            read[name] = value
    return read

"""``brainalign data import``: a laboratory's own images, responses and RDMs into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import StoreUrl
from brainalign.cli.reply import Reply, plain
from brainalign.errors import DatasetError

app = family("import", "A laboratory's own images, responses and RDMs into the store.")


@command(
    app,
    "images",
    example="brainalign data import images photos/ --set my-photos\n"
    "brainalign data import images crops.zip --set my-crops --pattern '*.png' --groups sources.csv",
)
def images(
    source: Annotated[Path, typer.Argument(exists=True, help="Folder or zip of images; they stay where they are.")],
    set_: Annotated[str, typer.Option("--set", metavar="NAME", help="Name of the stimulus set.")],
    store: StoreUrl = None,
    pattern: Annotated[str | None, typer.Option("--pattern", help="Only paths that match, as 'shown/*.png'.")] = None,
    id_from: Annotated[
        str, typer.Option("--id-from", help="Stimulus id: stem (file name without ending), name, or path.")
    ] = "stem",
    groups: Annotated[
        Path | None,
        typer.Option(
            "--groups",
            metavar="CSV",
            exists=True,
            dir_okay=False,
            help="Table with columns stimulus and group: stimuli that share a source stay in one fold.",
        ),
    ] = None,
) -> Reply:
    """Register images as a stimulus set.

    Keeps ids, hashes and average colours; every image is decoded once and stays where it is.
    """
    from brainalign.datasets.images import import_images
    from brainalign.store import open_store

    table = import_images(
        open_store(store),
        set_,
        source,
        pattern=pattern,
        id_from=id_from,
        groups=None if groups is None else _read_groups(groups),
    )
    number = int(table["group"].nunique()) if "group" in table.columns else None
    document = {"set": set_, "n_stimuli": len(table), "n_groups": number, "stimuli": plain(table["stimulus"])}
    of_groups = "" if number is None else f" of {number} sources"
    return Reply(document, [f"{set_}: {len(table)} images{of_groups}."])


def _read_groups(path: Path) -> dict[str, str]:
    import pandas as pd

    table = pd.read_csv(path, dtype=str)
    if not {"stimulus", "group"} <= set(table.columns):
        raise DatasetError(f"{path} has columns {', '.join(table.columns)}; expected stimulus and group.")
    return dict(zip(table["stimulus"], table["group"], strict=True))

"""``brainalign map``: values of single voxels back on the brain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainalign.cli.command import command
from brainalign.cli.options import StoreUrl, Subjects
from brainalign.cli.reply import Reply


def register(app: typer.Typer) -> None:
    command(
        app,
        "map",
        example="brainalign map brainalign-results/clean/mynet/0a1b2c3d4e5f/nsd.v1/encoding.ridge.r.v1.json\n"
        "brainalign map RESULT.json --to gifti --quantity ceiling --out maps\n"
        "brainalign map RESULT.json --to leaderboard",
    )(map_)


def map_(
    result: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="RESULT", help="JSON of an encoding result.")
    ],
    to: Annotated[
        str, typer.Option("--to", help="nifti, gifti, mgh, fsaverage5, page (HTML), or leaderboard.")
    ] = "nifti",
    quantity: Annotated[str, typer.Option("--quantity", help="r, r2, alpha or ceiling.")] = "r",
    layer: Annotated[
        str | None, typer.Option("--layer", help="Default: the one that was chosen in most folds.")
    ] = None,
    subject: Subjects = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Folder of the maps.")] = Path(
        "brainalign-maps"
    ),
    store: StoreUrl = None,
) -> Reply:
    """Put the values of single neuroids back where they came from.

    One volume a subject, or one surface file a hemisphere; places without a neuroid are NaN. Nothing is resampled. A
    page shows fsaverage5, turns by hand, and needs no network. For the leaderboard the mean over subjects is kept with
    the results, and shown on the page of the model.
    """
    from brainalign.evaluate.maps import write_maps
    from brainalign.store import open_store

    if to == "leaderboard":
        from brainalign.evaluate.maps import map_on_surface
        from brainalign.results import read_result, root_of, write_surface_map

        root = root_of(result, read_result(result))
        found = map_on_surface(result, open_store(store), quantity=quantity, layer=layer, subjects=subject)
        paths = [write_surface_map(root, found)]
    elif to == "page":
        from brainalign.studies.surface_pages import write_surface_pages

        paths = write_surface_pages(result, open_store(store), out, quantity=quantity, layer=layer, subjects=subject)
    else:
        paths = write_maps(result, open_store(store), out, to=to, quantity=quantity, layer=layer, subjects=subject)
    return Reply({"maps": paths}, [str(path) for path in paths])

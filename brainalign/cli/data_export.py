"""``brainalign data export``: responses of the store in the files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import StoreUrl, Subjects
from brainalign.cli.reply import Reply

Name = Annotated[str, typer.Argument(help="Dataset in the store.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if absent.")]
Variant = Annotated[str | None, typer.Option("--variant", metavar="NAME", help="Needed where there are several.")]

app = family("export", "Responses of the store in the files of other tools.")


@command(
    app,
    "brainscore",
    example="brainalign data export brainscore macaque-v4 --subject 210325 --out assemblies\n"
    "brainalign data export brainscore lab --roi V1 --roi IT --identifier Lab2026",
)
def brainscore(
    dataset: Name,
    out: Out = Path(),
    variant: Variant = None,
    subject: Subjects = None,
    roi: Annotated[
        list[str] | None,
        typer.Option("--roi", metavar="NAME", help="Regions to write; they must not overlap. Several times."),
    ] = None,
    identifier: Annotated[
        str | None, typer.Option("--identifier", metavar="NAME", help="Of the assembly. Default: the dataset's name.")
    ] = None,
    no_time_bin: Annotated[
        bool, typer.Option("--no-time-bin", help="Without the dimension time_bin (default: one bin, 70 to 170 ms).")
    ] = False,
    store: StoreUrl = None,
) -> Reply:
    """Write a Brain-Score assembly: netCDF and the table of its stimuli."""
    from brainalign.datasets import export_brainscore
    from brainalign.store import open_store

    paths = export_brainscore(
        open_store(store),
        dataset,
        out,
        identifier=identifier,
        variant=variant,
        subjects=subject or None,
        rois=roi or None,
        time_bin=None if no_time_bin else (70, 170),
    )
    return Reply({"files": paths}, [f"wrote {path}" for path in paths])


@command(
    app,
    "rsatoolbox",
    example="brainalign data export rsatoolbox macaque-v4 --out rsatoolbox\n"
    "brainalign data export rsatoolbox objects92 --subject sub01",
)
def rsatoolbox(
    dataset: Name,
    out: Out = Path(),
    variant: Variant = None,
    subject: Subjects = None,
    store: StoreUrl = None,
) -> Reply:
    """Write rsatoolbox files: a Dataset for each subject, or RDMs."""
    from brainalign.datasets import export_rsatoolbox
    from brainalign.store import open_store

    paths = export_rsatoolbox(open_store(store), dataset, out, variant=variant, subjects=subject or None)
    return Reply({"files": paths}, [f"wrote {path}" for path in paths])

"""``brainalign data import volumes|bids``: beta and statistic maps into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.data_import import Dataset, Licence, Simulated, StimulusSet, Variant
from brainalign.cli.options import StoreUrl
from brainalign.cli.reply import Reply

Subject = Annotated[str, typer.Option("--subject", metavar="NAME", help="Name of the subject.")]
Mask = Annotated[
    str | None,
    typer.Option(
        "--mask",
        metavar="FILE[,FILE]",
        help="Places to take: those above zero. Default: all regions together; without regions, every place.",
    ),
]
Rois = Annotated[
    list[str] | None,
    typer.Option(
        "--roi", metavar="NAME=FILE[,FILE]", help="A label image or mask, of a surface both hemispheres; several times."
    ),
]
LabelTables = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        metavar="NAME=TABLE",
        help="Names of the labels of a --roi: .tsv or .csv with index and name, .ctab.",
    ),
]
Zscore = Annotated[
    str | None, typer.Option("--zscore", metavar="session|run", help="Standardize each neuroid within these.")
]
Averaged = Annotated[
    str | None,
    typer.Option(
        "--averaged", metavar="N|REASON", help="The maps are means over N repeats (or why): there is no noise ceiling."
    ),
]


def register(app: typer.Typer) -> None:
    """Hang the commands into ``data import``."""
    command(
        app,
        "volumes",
        example="brainalign data import volumes betas.nii.gz --table trials.tsv --mask brain.nii.gz --dataset lab "
        "--subject s1\n"
        "brainalign data import volumes lh.betas.mgh rh.betas.mgh --table trials.csv --stimulus image "
        "--surface fsaverage --roi streams=lh.streams.mgz,rh.streams.mgz --labels streams=streams.mgz.ctab "
        "--dataset lab --subject s1",
    )(volumes)
    command(
        app,
        "bids",
        example="brainalign data import bids derivatives/glmsingle --dataset lab --subject 01 --entity space=T1w",
    )(bids)


def volumes(
    maps: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="NIfTI volumes (3-D or 4-D), or GIfTI or MGH files of the hemispheres."),
    ],
    table: Annotated[
        Path,
        typer.Option(
            "--table",
            metavar="TABLE",
            exists=True,
            dir_okay=False,
            help="One row a map, in order: stimulus, and any of session, run, trial, repetition.",
        ),
    ],
    dataset: Dataset,
    subject: Subject,
    stimulus: Annotated[
        str, typer.Option("--stimulus", metavar="COLUMN", help="Column of the table with the stimulus ids.")
    ] = "stimulus",
    mask: Mask = None,
    roi: Rois = None,
    labels: LabelTables = None,
    zscore: Zscore = None,
    scale: Annotated[
        float, typer.Option("--scale", help="What stored numbers are divided by, as 300 for the integers of NSD.")
    ] = 1.0,
    surface: Annotated[str, typer.Option("--surface", metavar="MESH", help="Name of the mesh, as fsaverage5.")] = "",
    averaged: Averaged = None,
    variant: Variant = "imported",
    stimuli_set: StimulusSet = "",
    simulated: Simulated = False,
    licence: Licence = "",
    store: StoreUrl = None,
) -> Reply:
    """Bring in beta or statistic maps of one subject.

    Volumes or surfaces, with a mask, regions and a table of what each map shows.
    """
    from brainalign.datasets import import_volumes
    from brainalign.store import open_store

    report = import_volumes(
        open_store(store),
        dataset=dataset,
        subject=subject,
        maps=maps,
        table=table,
        stimulus=stimulus,
        mask=_files(mask),
        rois={name: _files(file) for name, file in _pairs(roi, "--roi").items()},
        label_tables=_pairs(labels, "--labels"),
        zscore=zscore,
        scale=scale,
        surface=surface,
        averaged=as_averaged(averaged),
        variant=variant,
        stimulus_set=stimuli_set,
        simulated=simulated,
        licence=licence,
    )
    return Reply(report, [str(report)])


def bids(
    root: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The derivative: it holds sub-….")],
    dataset: Dataset,
    subject: Subject,
    suffix: Annotated[str, typer.Option("--suffix", metavar="NAME", help="Of the maps: statmap, bold, ….")] = "statmap",
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", metavar="KEY=VALUE", help="Only maps with this in their names; several times."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="TABLE",
            exists=True,
            dir_okay=False,
            help="One row a map. Default: the _trials, _events or _conditions table beside the maps.",
        ),
    ] = None,
    stimulus: Annotated[
        str | None, typer.Option("--stimulus", metavar="COLUMN", help="Column of the stimulus ids.")
    ] = None,
    mask: Mask = None,
    roi: Rois = None,
    labels: LabelTables = None,
    zscore: Zscore = None,
    averaged: Averaged = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Default: what the names of the maps share.")
    ] = None,
    stimuli_set: StimulusSet = "",
    simulated: Simulated = False,
    licence: Licence = "",
    store: StoreUrl = None,
) -> Reply:
    """Bring in the maps of one subject of a BIDS derivative.

    Masks, label images and tables are found by the entities in their names.
    """
    from brainalign.datasets import import_bids
    from brainalign.store import open_store

    report = import_bids(
        open_store(store),
        root,
        dataset=dataset,
        subject=subject,
        suffix=suffix,
        entities=_pairs(entity, "--entity"),
        table=table,
        stimulus=stimulus,
        mask=_files(mask),
        rois=None if roi is None else {name: _files(file) for name, file in _pairs(roi, "--roi").items()},
        label_tables=_pairs(labels, "--labels"),
        zscore=zscore,
        averaged=as_averaged(averaged),
        variant=variant,
        stimulus_set=stimuli_set,
        simulated=simulated,
        licence=licence,
    )
    return Reply(report, [str(report)])


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    pairs = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE", param_hint=option)
        pairs[name] = value
    return pairs


def _files(given: str | None) -> Any:
    return None if given is None else given if Path(given).exists() else given.split(",")


def as_averaged(given: str | None) -> int | str | None:
    """Read N or a reason."""
    return int(given) if given and given.isdecimal() else given

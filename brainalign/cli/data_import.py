"""``brainalign data import``: a laboratory's own images, responses and RDMs into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import StoreUrl
from brainalign.cli.reply import Reply, plain
from brainalign.errors import DatasetError

Dataset = Annotated[str, typer.Option("--dataset", metavar="NAME", help="Name of the dataset in the store.")]
Variant = Annotated[
    str, typer.Option("--variant", metavar="NAME", help="Short name of all that changes a number (preprocessing).")
]
Ids = Annotated[
    str,
    typer.Option(
        "--stimuli",
        metavar="FILE|COLUMN",
        help="Stimulus id of each row: a .txt (one a line), .csv or .npy file, or a column of a table.",
    ),
]
StimulusSet = Annotated[
    str,
    typer.Option("--stimuli-set", metavar="SET", help="Stimulus set of the store that every id must be in."),
]
Simulated = Annotated[bool, typer.Option("--simulated", help="Mark all that is made from these data as SIMULATED.")]
Licence = Annotated[str, typer.Option("--licence", metavar="TEXT", help="Terms of use, kept with the data.")]

app = family("import", "A laboratory's own images, responses and RDMs into the store.")


@command(
    app,
    "images",
    example="brainalign data import images photos/ --set my-photos\n"
    "brainalign data import images crops.zip --set my-crops --pattern '*.png' --groups sources.csv\n"
    "brainalign data import images cifar.zip --set cifar --id-from path --labels folder",
)
def images(
    source: Annotated[
        Path, typer.Argument(exists=True, help="Folder, zip or .parquet of images; they stay where they are.")
    ],
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
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="CSV|folder",
            help="Classes: a table with columns stimulus and label, or 'folder' for the folder that each lies in.",
        ),
    ] = None,
    videos: Annotated[
        bool, typer.Option("--videos", help="Each film, and each folder of images, is one video.")
    ] = False,
) -> Reply:
    """Register images as a stimulus set.

    Keeps ids, hashes and average colours; every image is decoded once and stays where it is.
    """
    from brainalign.datasets.images import import_images
    from brainalign.datasets.videos import import_videos
    from brainalign.store import open_store

    columns: dict[str, Any] = {
        "groups": None if groups is None else _read_column(groups, "group"),
        "labels": labels if labels in (None, "folder") else _read_column(Path(str(labels)), "label"),
    }
    if videos:
        if labels == "folder":
            raise DatasetError("the folder of a frame is its video: give the labels of videos as a table.")
        table = import_videos(open_store(store), set_, source, pattern=pattern, **columns)
    else:
        table = import_images(open_store(store), set_, source, pattern=pattern, id_from=id_from, **columns)
    number = int(table["group"].nunique()) if "group" in table.columns else None
    document = {"set": set_, "n_stimuli": len(table), "n_groups": number, "stimuli": plain(table["stimulus"])}
    of_groups = "" if number is None else f" of {number} sources"
    return Reply(document, [f"{set_}: {len(table)} {'videos' if videos else 'images'}{of_groups}."])


def _read_column(path: Path, column: str) -> dict[str, str]:
    import pandas as pd

    table = pd.read_csv(path, dtype=str)
    if not {"stimulus", column} <= set(table.columns):
        raise DatasetError(f"{path} has columns {', '.join(table.columns)}; expected stimulus and {column}.")
    return dict(zip(table["stimulus"], table[column], strict=True))


@command(
    app,
    "responses",
    example="brainalign data import responses betas.npy --dataset lab --subject s1 --stimuli ids.txt\n"
    "brainalign data import responses betas.csv --dataset lab --subject s1 --stimuli image --stimuli-set my-photos "
    "--repeats count --rois rois.csv",
)
def responses(
    matrix: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Matrix: .npy, .npz, .csv, .tsv or .parquet.")
    ],
    dataset: Dataset,
    subject: Annotated[str, typer.Option("--subject", metavar="NAME", help="Name of the subject.")],
    stimuli: Ids,
    stimuli_set: StimulusSet = "",
    axes: Annotated[
        str,
        typer.Option("--axes", help="What the dimensions are, in order; repetition may be the third, at any place."),
    ] = "stimulus,neuroid",
    key: Annotated[str | None, typer.Option("--key", metavar="NAME", help="Array of an .npz file.")] = None,
    rois: Annotated[
        Path | None,
        typer.Option(
            "--rois",
            metavar="TABLE",
            exists=True,
            dir_okay=False,
            help="One row a neuroid: a column roi, or one 0/1 column for each region; the rest are coordinates.",
        ),
    ] = None,
    repeats: Annotated[
        str | None,
        typer.Option(
            "--repeats",
            metavar="FILE|COLUMN|count",
            help="Which repeat each row is; 'count' numbers them in order. Needed where ids repeat.",
        ),
    ] = None,
    sessions: Annotated[
        str | None, typer.Option("--sessions", metavar="FILE|COLUMN", help="Session of each row.")
    ] = None,
    averaged: Annotated[
        str | None,
        typer.Option(
            "--averaged",
            metavar="N|REASON",
            help="The responses are means over N repeats (or why they are averaged, in words): no noise ceiling.",
        ),
    ] = None,
    variant: Variant = "imported",
    simulated: Simulated = False,
    licence: Licence = "",
    store: StoreUrl = None,
) -> Reply:
    """Bring in one subject's response matrix.

    Rows are presentations or stimuli, columns are voxels or neurons.
    """
    from brainalign.datasets import import_responses
    from brainalign.store import open_store

    report = import_responses(
        open_store(store),
        dataset=dataset,
        subject=subject,
        matrix=matrix,
        stimuli=stimuli,
        axes=tuple(axis.strip() for axis in axes.split(",")),
        key=key,
        rois=rois,
        repeats=repeats,
        sessions=sessions,
        averaged=int(averaged) if averaged and averaged.isdecimal() else averaged,
        variant=variant,
        stimulus_set=stimuli_set,
        simulated=simulated,
        licence=licence,
    )
    return Reply(report, [str(report)])


@command(
    app,
    "rdms",
    example="brainalign data import rdms rdms.npz --dataset lab --stimuli ids.txt --stimuli-set my-photos\n"
    "brainalign data import rdms V1=v1.npy IT=it.npy --dataset lab --stimuli ids.txt --subject s1 --subject s2",
)
def rdms(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE | ROI=FILE ...", help="One .npz with an array for each region, or .npy files."),
    ],
    dataset: Dataset,
    stimuli: Ids,
    stimuli_set: StimulusSet = "",
    roi: Annotated[
        list[str] | None,
        typer.Option("--roi", metavar="NAME|KEY=NAME", help="Arrays of the .npz to take; several times. Default: all."),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option("--subject", metavar="NAME", help="Names of the subjects, in order; default sub01, sub02, …"),
    ] = None,
    variant: Variant = "imported",
    simulated: Simulated = False,
    licence: Licence = "",
    store: StoreUrl = None,
) -> Reply:
    """Bring in responses that exist only as RDMs.

    Arrays are (subject, n, n), (n, n), (subject, pair) or (pair,), pairs in SciPy's order.
    """
    from brainalign.datasets import import_rdms
    from brainalign.store import open_store

    by_roi = dict(_named(file) for file in files)
    if len(files) > 1 and (len(by_roi) < len(files) or "" in by_roi):
        raise typer.BadParameter("give several files as ROI=FILE, each region once", param_hint="FILE")
    reports = import_rdms(
        open_store(store),
        dataset=dataset,
        rdms=by_roi.get("") or by_roi,
        stimuli=stimuli,
        rois=_regions(roi),
        subjects=subject or None,
        variant=variant,
        stimulus_set=stimuli_set,
        simulated=simulated,
        licence=licence,
    )
    return Reply(reports, [str(report) for report in reports])


def _named(file: str) -> tuple[str, str]:
    """Split ROI=FILE; a path that exists as it stands is no pair."""
    name, separator, path = file.partition("=")
    return ("", file) if not separator or Path(file).exists() else (name, path)


def _regions(given: list[str] | None) -> dict[str, str] | None:
    """Region by array of the file: KEY=NAME, or NAME for both."""
    pairs = [text.partition("=") for text in given or ()]
    return {key: name or key for key, _, name in pairs} or None

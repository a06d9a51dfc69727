"""``brainalign data import brainscore|rsatoolbox|features``: what other tools wrote, into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainalign.cli.command import command
from brainalign.cli.data_import import Dataset, Licence, Simulated, StimulusSet
from brainalign.cli.data_import_maps import Averaged, as_averaged
from brainalign.cli.options import StoreUrl, Subjects
from brainalign.cli.reply import Reply


def register(app: typer.Typer) -> None:
    """Hang the commands into ``data import``."""
    command(
        app,
        "brainscore",
        example="brainalign data import brainscore assy_Allen2022.nc --dataset allen2022 --stimuli-set allen2022 "
        "--stimuli stimulus_Allen2022.csv --images stimulus_Allen2022.zip",
    )(brainscore)
    command(
        app,
        "rsatoolbox",
        example="brainalign data import rsatoolbox dataset.h5 --dataset lab --subject s1\n"
        "brainalign data import rsatoolbox rdms.h5 --dataset lab --stimulus images",
    )(rsatoolbox)
    command(
        app,
        "features",
        example="brainalign data import features net2brain_features/ --model resnet50 --stimuli-set my-photos\n"
        "brainalign data import features thingsvision/layer4 --model resnet50 --layer layer4 --stimuli-set my-photos",
    )(features)


def brainscore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Assembly: assy_….nc.")],
    dataset: Dataset,
    subject: Subjects = None,
    time_bin: Annotated[
        int | None, typer.Option("--time-bin", metavar="N", help="Which time bin, from 0, where there are several.")
    ] = None,
    averaged: Averaged = None,
    stimuli_set: StimulusSet = "",
    stimuli: Annotated[
        Path | None,
        typer.Option("--stimuli", metavar="CSV", exists=True, help="Table of the stimulus set: stimulus_….csv."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR|ZIP", exists=True, help="Images that the table names; they stay there."),
    ] = None,
    variant: Annotated[str, typer.Option("--variant", metavar="NAME", help="Variant in the store.")] = "brainscore",
    simulated: Simulated = False,
    licence: Licence = "",
    store: StoreUrl = None,
) -> Reply:
    """Bring in a Brain-Score assembly.

    One entry a subject; regions become ROIs.
    """
    from brainalign.datasets import import_brainscore
    from brainalign.store import open_store

    reports = import_brainscore(
        open_store(store),
        file,
        dataset=dataset,
        variant=variant,
        subjects=subject or None,
        time_bin=time_bin,
        averaged=as_averaged(averaged),
        stimulus_set=stimuli_set,
        stimuli=stimuli,
        images=images,
        simulated=simulated,
        licence=licence,
    )
    return Reply(reports, [str(report) for report in reports])


def rsatoolbox(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="HDF5 file of a Dataset or of RDMs.")],
    dataset: Dataset,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="NAME", help="Default: the descriptor subject of the file.")
    ] = None,
    stimulus: Annotated[
        str | None, typer.Option("--stimulus", metavar="NAME", help="Descriptor that holds the stimulus ids.")
    ] = None,
    roi: Annotated[str | None, typer.Option("--roi", metavar="NAME", help="Descriptor that names the region.")] = None,
    averaged: Averaged = None,
    stimuli_set: StimulusSet = "",
    variant: Annotated[str, typer.Option("--variant", metavar="NAME", help="Variant in the store.")] = "rsatoolbox",
    simulated: Simulated = False,
    licence: Licence = "",
    store: StoreUrl = None,
) -> Reply:
    """Bring in a Dataset or RDMs of rsatoolbox."""
    from brainalign.datasets import import_rsatoolbox
    from brainalign.store import open_store

    reports = import_rsatoolbox(
        open_store(store),
        file,
        dataset=dataset,
        subject=subject,
        variant=variant,
        stimulus=stimulus,
        roi=roi,
        averaged=as_averaged(averaged),
        stimulus_set=stimuli_set,
        simulated=simulated,
        licence=licence,
    )
    return Reply(reports, [str(report) for report in reports])


def features(
    source: Annotated[
        Path, typer.Argument(exists=True, help="Net2Brain or thingsvision folder, or one file of features.")
    ],
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="Name of the model in the store.")],
    stimuli_set: Annotated[str, typer.Option("--stimuli-set", metavar="SET", help="Set that the stimuli belong to.")],
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="net2brain, thingsvision or matrix. Default: by what is there."),
    ] = None,
    layer: Annotated[
        str, typer.Option("--layer", metavar="NAME", help="Name of the layer, where the files do not name it.")
    ] = "features",
    stimuli: Annotated[
        Path | None,
        typer.Option("--stimuli", metavar="FILE", exists=True, help="Stimulus ids of the rows; else file_names.txt."),
    ] = None,
    id_from: Annotated[
        str, typer.Option("--id-from", help="Stimulus id from a file name: stem (without ending), name, or path.")
    ] = "stem",
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="HEX", help="Of the weights. Default: hash of the features.")
    ] = None,
    store: StoreUrl = None,
) -> Reply:
    """Bring in embeddings that another tool computed."""
    from brainalign.datasets import import_features
    from brainalign.store import open_store

    report = import_features(
        open_store(store),
        source,
        model=model,
        stimulus_set=stimuli_set,
        format=format_,
        layer=layer,
        stimuli=stimuli,
        id_from=id_from,
        revision=revision,
    )
    return Reply(report, [str(report)])

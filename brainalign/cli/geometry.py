"""``brainalign geometry``: dimension and change over scales of a representation, of a network or of a brain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli.command import command
from brainalign.cli.options import Layers, StimuliOfModel, StoreUrl, Subjects
from brainalign.cli.reply import Grid, Reply, plain


def register(app: typer.Typer) -> None:
    command(
        app,
        "geometry",
        example="brainalign geometry features.npy\n"
        "brainalign geometry efficientnet-lite0 --stimuli macaque-v4 --property 'dimension.local.mle.k50' --json\n"
        "brainalign geometry efficientnet-lite0 --stimuli macaque-v4 --property dimension.curve.mle --results DIR\n"
        "brainalign geometry macaque-v4 --roi V4 --repeats 1\n"
        "brainalign geometry macaque-v4 --noise --control efficientnet-lite0 --layer 'blocks.10*'",
    )(geometry)


def geometry(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|MODEL@REV|DATASET",
            help="A matrix (.npy, .npz, .csv, .tsv, .parquet), a model (with --stimuli), or a dataset of responses.",
        ),
    ],
    stimuli: StimuliOfModel = None,
    store: StoreUrl = None,
    layer: Layers = None,
    subject: Subjects = None,
    roi: Annotated[
        list[str] | None, typer.Option("--roi", metavar="NAME", help="ROI or pattern; several times. Default: all.")
    ] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Variant of the responses.")] = None,
    property_: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            metavar="ID",
            help="Property id, such as dimension.curve.mle for all scales; several times. Default: all without curves.",
        ),
    ] = None,
    n_stimuli: Annotated[
        int | None,
        typer.Option("--n-stimuli", min=4, help="Draw as many stimuli: dimension compares only at the same number."),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", min=1, help="Average as many repeats of each stimulus. Default: all.")
    ] = None,
    min_ncsnr: Annotated[
        float | None, typer.Option("--min-ncsnr", min=0, help="Only neuroids with at least this signal to noise.")
    ] = None,
    noise: Annotated[
        bool,
        typer.Option("--noise", help="Of responses: curves at 1, 2, 3 repeats, of their noise, and without it."),
    ] = False,
    control: Annotated[
        str | None,
        typer.Option("--control", metavar="MODEL@REV", help="With --noise: a model given the noise; name its --layer."),
    ] = None,
    structure: Annotated[bool, typer.Option("--structure", help="With --noise: structure over scales, too.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of those draws.")] = 0,
    results: Annotated[
        Path | None, typer.Option("--results", metavar="DIR", help="Keep the properties as result files below it.")
    ] = None,
) -> Reply:
    """Measure dimension, change over scales, and spectrum.

    One row for each layer or ROI, property and scale, with its standard error where there is one. Noise adds dimensions
    to responses: --noise says how many, with what is left of the curve without it.
    """
    if noise:
        _refuse({"--stimuli": stimuli, "--property": property_, "--repeats": repeats, "--results": results}, "with")
        kept: dict[str, Any] = {"variant": variant, "min_ncsnr": min_ncsnr, "n_stimuli": n_stimuli, "store": store}
        chosen: dict[str, Any] = {"subjects": subject or None, "rois": roi or None, "model": control}
        return _of_noise(source, layer, structure=structure, seed=seed, **kept, **chosen)
    _refuse({"--control": control, "--structure": structure or None}, "without")
    from brainalign.studies.geometry import measure_geometry

    found = measure_geometry(
        source,
        stimuli=stimuli,
        subjects=subject or None,
        variant=variant,
        store=store,
        layers=layer or None,
        rois=roi or None,
        properties=property_ or None,
        n_stimuli=n_stimuli,
        repeats=repeats,
        min_ncsnr=min_ncsnr,
        seed=seed,
        results=results,
    )
    rows: list[dict[str, Any]] = plain(found.table)
    columns = ["property", "value", "error", "n_stimuli", "n_units"]
    if any(row["scale"] for row in rows):
        columns.insert(1, "scale")
    columns = [name for name in ("subject", "roi", "layer") if any(row[name] for row in rows)] + columns
    text: list[str | Grid] = [Grid.of(rows, columns)]
    reasons = dict.fromkeys(f"{row['property']}: {row['reason']}" for row in rows if row["reason"])
    dropped = {row["layer"] or row["roi"]: row["dropped"] for row in rows if row["dropped"]}
    where: dict[Any, str] = {None: "", **{name: f" in {name}" for name in dropped if name}}
    copies = [f"{n} stimuli{where[name]} equal an earlier one (nearly): local measures leave them out."
              for name, n in dropped.items()]  # fmt: skip
    files = [f"property file: {path}" for path in found.files]
    return Reply(rows, [*text, *reasons, *copies, *files])


def _refuse(given: dict[str, Any], how: str) -> None:
    named = [name for name, value in given.items() if value]
    if named:
        raise typer.BadParameter(f"{how} --noise there is no {', '.join(named)}", param_hint="--noise")


def _of_noise(source: str, layer: list[str] | None, **options: Any) -> Reply:
    from brainalign.studies import response_curves

    if layer and (options["model"] is None or len(layer) > 1):
        raise typer.BadParameter("with --noise one --layer names that of --control", param_hint="--layer")
    found = response_curves(source, layer=layer[0] if layer else None, **options)
    dimension, structure, spectra = [], [], []
    for one in found:
        name: dict[str, Any] = {"subject": one.subject, "roi": one.roi}
        dimension += [name | row for row in plain(one.curves.dimension)]
        structure += [name | row for row in plain(one.curves.structure)]
        law = one.spectrum
        fitted: dict[str, Any] = (
            {} if law is None else {"exponent": law.exponent, "in_sample": law.in_sample, "fit": law.fit}
        )
        spectra.append({**name, "exponent": None, **fitted, "reason": one.no_spectrum})
    columns = ["subject", "roi", "of", "repeats", "scale", "dimension", "low", "high"]
    text: list[str | Grid] = [Grid.of(dimension, columns)]
    text += [Grid.of(structure, ["subject", "roi", "of", "repeats", "scale", "distance", "error"])] if structure else []
    notes = {f"{one.subject} {one.roi}": one.curves.notes for one in found}
    text += [one.sentence() for one in found] + [f"{name}: {'; '.join(said)}" for name, said in notes.items()]
    return Reply({"dimension": dimension, "structure": structure, "spectra": spectra, "notes": notes}, text)

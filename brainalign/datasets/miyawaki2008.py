"""Miyawaki et al. 2008: patterns of 10 x 10 patches, as nilearn's ``fetch_miyawaki2008`` lays the files out."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from brainalign.datasets.block_designs import Presentations, block_presentations
from brainalign.datasets.brain_images import open_maps
from brainalign.datasets.checking import check_subjects
from brainalign.datasets.deposit import deposit_responses
from brainalign.datasets.image_files import folder_beside, write_zip
from brainalign.datasets.images import import_images
from brainalign.datasets.region_images import read_mask, read_regions
from brainalign.datasets.report import IngestReport
from brainalign.datasets.shipped_files import chosen, tree_root
from brainalign.datasets.tree_report import TreeReport
from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["check_miyawaki2008", "ingest_miyawaki2008", "pattern_id"]

DATASET = "miyawaki2008"
RUNS = {"figure": 12, "random": 20}
SIDE = 10
PIXELS = 20  # a patch of the rendered images
REST = "rest"


def ingest_miyawaki2008(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    parts: str = "all",
    shift: int = 2,
    images: str | Path | None = None,
) -> IngestReport:
    """Bring the subject into the store, one presentation a pattern shown.

    Every voxel is detrended and z-scored within each run; the volumes through which one pattern stood still, ``shift``
    volumes later, are averaged.

    Parameters
    ----------
    root : path
        ``miyawaki2008``, or the folder that holds it: ``func``, ``label``, ``mask``.
    store : Store
    subjects : sequence of str, optional
        There is one, ``sub01``.
    variant : str, optional
        Default: ``blocks.shift2.all``, from the options.
    parts : {"all", "figure", "random"}
        Which runs.
    shift : int
        Hemodynamic lag in volumes of 2 s.
    images : path, optional
        Folder for ``miyawaki2008.zip``, the patterns drawn as images. Default: beside the store.

    Returns
    -------
    IngestReport
        Stimulus set ``miyawaki2008``: ids are the pattern's kind and its 100 patches as hexadecimal digits
        (`pattern_id`), so that a figure shown in several runs is one stimulus. ROIs as the mask files: LHV1d, …; runs
        are numbered 1 to 12 (figure) and 13 to 32 (random), the order of nilearn.

    Notes
    -----
    Miyawaki et al. 2008, doi:10.1016/j.neuron.2008.11.004.
    """
    manifest = load_manifest(DATASET)
    subject = chosen("subject", subjects, manifest.subjects)
    kind = chosen("choice of runs", [parts], ["all", *RUNS])[0]
    folder = tree_root(root, DATASET, "func/data_*_run*.nii.gz", manifest.location)
    found, patterns = _presentations(folder, kind, shift)
    target = (Path(images) if images is not None else folder_beside(store)) / f"{DATASET}.zip"
    every = patterns if kind == "all" else _patterns(folder, list(RUNS))[1]
    write_zip(target, _drawn(every))
    table = import_images(store, DATASET, target, attrs={"licence": manifest.licence})
    reports = [
        deposit_responses(
            store,
            dataset=DATASET,
            variant=variant or f"blocks.shift{shift}.{kind}",
            subject=name,
            values=found.values,
            rows=found.rows,
            neuroids=found.neuroids,
            stimulus_set=DATASET,
            attrs={**found.grid, "simulated": False, "licence": manifest.licence, "unit": "z within run"},
            options={"reader": "miyawaki2008/1", "shift": shift, "parts": kind},
            notes=found.notes,
        )
        for name in subject
    ]
    return IngestReport(DATASET, {DATASET: len(table)}, tuple(reports))


def check_miyawaki2008(root: Path) -> TreeReport | None:
    """Look at series, labels and masks of all runs; None if none is in ``root`` or ``root/miyawaki2008``."""
    content = "func/data_*_run*.nii.gz"
    folder = next((place for place in (root, root / DATASET) if any(place.glob(content))), None)

    def look(report: TreeReport, at: Path, name: str) -> None:
        shown = 0
        grid = open_maps(str(next(iter(sorted(at.glob(content)))))).grid
        for kind, n_runs in RUNS.items():
            for number in range(1, n_runs + 1):
                with report.collecting():
                    run, labels, _ = _run_patterns(at, kind, number)
                    bold = open_maps(str(at / "func" / f"{run}.nii.gz"))
                    _require_rows(run, labels, bold.n_maps)
                    grid.require_same(bold.grid, bold.name, "the first run")
                    shown += sum(label != REST for label, _ in groupby(labels))
        for path in sorted((at / "mask").glob("*.nii.gz")):
            with report.collecting():
                read_mask(str(path), grid, "the series")
        report.found.append(f"{name}: {shown} patterns shown in {sum(RUNS.values())} runs")

    return check_subjects(DATASET, folder, load_manifest(DATASET).subjects, look) if folder else None


def pattern_id(kind: str, patches: npt.ArrayLike) -> str:
    """Return the id of a pattern: its kind, and its patches (row by row) as bits.

    >>> pattern_id("random", np.eye(10))
    'random-8010020040080100200400801'
    """
    bits = "".join(str(int(bit)) for bit in np.asarray(patches).ravel())
    return f"{kind}-{int(bits, 2):0{len(bits) // 4}x}"


def _presentations(folder: Path, parts: str, shift: int) -> tuple[Presentations, dict[str, npt.NDArray[Any]]]:
    kinds = list(RUNS) if parts == "all" else [parts]
    shown, patterns = _patterns(folder, kinds)
    bold = open_maps([str(folder / "func" / f"{name}.nii.gz") for name in shown])
    for name, labels, count in zip(shown, shown.values(), bold.counts, strict=True):
        _require_rows(name, labels, count)
    masks = sorted((folder / "mask").glob("*.nii.gz"))
    rois = {path.name.removesuffix(".nii.gz"): str(path) for path in masks if path.name != "mask.nii.gz"}
    first = {"figure": 1, "random": 1 + RUNS["figure"]}
    found = block_presentations(
        bold,
        [label for labels in shown.values() for label in labels],
        [first[name.split("_")[1]] + int(name[-2:]) - 1 for name, labels in shown.items() for _ in labels],
        regions=read_regions(rois, {}, bold.grid, bold.name),
        inside=read_mask(str(folder / "mask" / "mask.nii.gz"), bold.grid, bold.name),
        rest=REST,
        shift=shift,
    )
    return found, patterns


def _patterns(folder: Path, kinds: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, npt.NDArray[Any]]]:
    """Return the label of every volume by run, and the patterns by id."""
    shown: dict[str, list[str]] = {}
    patterns: dict[str, npt.NDArray[Any]] = {}
    for kind in kinds:
        for number in range(1, RUNS[kind] + 1):
            name, labels, found = _run_patterns(folder, kind, number)
            shown[name] = labels
            patterns |= found
    return shown, patterns


def _run_patterns(folder: Path, kind: str, number: int) -> tuple[str, list[str], dict[str, npt.NDArray[Any]]]:
    """Return the name of a run, the label of each of its volumes, and its patterns by id."""
    name = f"data_{kind}_run{number:02d}"
    labels: list[str] = []
    patterns: dict[str, npt.NDArray[Any]] = {}
    for patches in _label_rows(folder / "label" / f"{name}_label.csv"):
        labels.append(REST if (patches < 0).any() else pattern_id(kind, patches))
        if labels[-1] != REST:
            patterns[labels[-1]] = patches
    return name, labels, patterns


def _require_rows(name: str, labels: list[str], n_volumes: int) -> None:
    if len(labels) != n_volumes:
        raise DatasetError(f"{name}_label.csv has {len(labels)} rows; {name}.nii.gz has {n_volumes} volumes.")


def _label_rows(path: Path) -> npt.NDArray[np.int64]:
    """Return the patches of every volume, shape (n_volumes, 10, 10), row and column as seen."""
    if not path.is_file():
        raise DatasetError(f"there is no file {path}; expected one row a volume, 100 numbers separated by commas.")
    with damage(path, "a table of numbers separated by commas"):
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    if not table.size or table.shape[1] != SIDE * SIDE or not np.isin(table, (-1, 0, 1)).all():
        raise DatasetError(
            f"{path} has shape {table.shape} with values {np.unique(table)[:4].tolist()}; expected 100 "
            "patches of 0 or 1, or -1 through a row of rest."
        )
    rest: npt.NDArray[np.bool_] = table < 0
    if (rest.any(axis=1) != rest.all(axis=1)).any():
        raise DatasetError(
            f"{path}: row {int(np.argmax(rest.any(axis=1) != rest.all(axis=1))) + 1} is -1 in part only."
        )
    return table.astype(np.int64).reshape(-1, SIDE, SIDE, order="F")


def _drawn(patterns: dict[str, npt.NDArray[Any]]) -> Iterator[tuple[str, bytes]]:
    for name, patches in sorted(patterns.items()):
        pixels = np.kron(patches.clip(0, 1), np.ones((PIXELS, PIXELS))).astype(np.uint8) * 255
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        yield f"{name}.png", buffer.getvalue()

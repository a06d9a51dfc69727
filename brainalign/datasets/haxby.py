"""Haxby et al. 2001: eight categories in blocks, as nilearn's ``fetch_haxby`` lays the files out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainalign.datasets.block_designs import Presentations, block_presentations
from brainalign.datasets.brain_images import open_maps
from brainalign.datasets.checking import check_subjects
from brainalign.datasets.deposit import deposit_responses
from brainalign.datasets.matrices import whole_numbers
from brainalign.datasets.region_images import read_mask, read_regions
from brainalign.datasets.report import IngestReport
from brainalign.datasets.shipped_files import chosen, tree_root
from brainalign.datasets.stimulus_sets import extend_stimuli
from brainalign.datasets.tree_report import TreeReport
from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage, read_lines
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["check_haxby", "ingest_haxby"]

DATASET = "haxby"
MASKS = {
    "vt": "mask4_vt.nii.gz",
    "face": "mask8b_face_vt.nii.gz",
    "house": "mask8b_house_vt.nii.gz",
    "face_little": "mask8_face_vt.nii.gz",
    "house_little": "mask8_house_vt.nii.gz",
}
NEUROIDS = ("regions", "brain")
REST = "rest"
CATEGORIES = ("bottle", "cat", "chair", "face", "house", "scissors", "scrambledpix", "shoe")


def ingest_haxby(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    neuroids: str = "regions",
    shift: int = 2,
) -> IngestReport:
    """Bring the subjects into the store, one presentation a block.

    The files are time series with a label for each volume. Every voxel is detrended (a straight line) and z-scored
    within each run, over all its volumes, rest included; the volumes of a block, ``shift`` volumes later, are averaged.

    Parameters
    ----------
    root : path
        ``haxby2001``, or the folder that holds it, with ``subj1`` … ``subj6`` of those that are there.
    store : Store
    subjects : sequence of str, optional
        ``subj1`` to ``subj6``.
    variant : str, optional
        Default: ``blocks.shift2.regions``, from the options.
    neuroids : {"regions", "brain"}
        Voxels of any region, or of ``mask.nii.gz``.
    shift : int
        Hemodynamic lag in volumes of 2.5 s.

    Returns
    -------
    IngestReport
        Stimulus set ``haxby`` with the category names as ids (which image was shown is not in the files); ROIs named as
        in nilearn's Bunch: vt, face, house, face_little, house_little. ``repetition`` counts the blocks of a category.

    Notes
    -----
    Haxby et al. 2001, doi:10.1126/science.1063736. Run 8 of subj5 has no labels and gives no block.
    """
    manifest = load_manifest(DATASET)
    where = chosen("choice of neuroids", [neuroids], NEUROIDS)[0]
    folder = tree_root(root, "haxby2001", "subj*", manifest.location)
    there = _subjects(folder)
    ready = {one: _presentations(folder, one, where, shift) for one in chosen("subject", subjects, there)}
    shown = {stimulus for found in ready.values() for stimulus in found.rows["stimulus"]}
    attrs = {"licence": manifest.licence}
    names = [*CATEGORIES, *sorted(shown - set(CATEGORIES))]
    table = extend_stimuli(store, DATASET, pd.DataFrame({"stimulus": names}), attrs=attrs)
    reports = [
        deposit_responses(
            store,
            dataset=DATASET,
            variant=variant or f"blocks.shift{shift}.{where}",
            subject=subject,
            values=found.values,
            rows=found.rows,
            neuroids=found.neuroids,
            stimulus_set=DATASET,
            attrs={**attrs, **found.grid, "simulated": False, "unit": "z within run"},
            options={"reader": "haxby/1", "shift": shift, "neuroids": where},
            notes=found.notes,
        )
        for subject, found in ready.items()
    ]
    return IngestReport(DATASET, {DATASET: len(table)}, tuple(reports))


def check_haxby(root: Path) -> TreeReport | None:
    """Look at series, labels and masks of every subject; None if there is none in ``root`` or ``root/haxby2001``."""
    folder = next((place for place in (root, root / "haxby2001") if _subjects(place)), root)

    def look(report: TreeReport, at: Path, name: str) -> None:
        bold, runs = open_maps(str(at / name / "bold.nii.gz")), list[int]()
        with report.collecting():
            labels, runs = _labels(at / name / "labels.txt", bold.n_maps)
            report.found.append(f"{name}: {bold.n_maps} volumes, {len(set(runs))} runs, {len(set(labels))} labels")
        inside = np.zeros(bold.grid.size, dtype=bool)
        for path in _masks(at, name).values():
            with report.collecting():
                inside |= read_mask(path, bold.grid, bold.name)
        if (at / "mask.nii.gz").is_file():
            with report.collecting():
                read_mask(str(at / "mask.nii.gz"), bold.grid, bold.name)
        report.count(4 * len(CATEGORIES) * len(set(runs)) * int(inside.sum()))

    return check_subjects(DATASET, folder, _subjects(folder), look)


def _subjects(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("subj*/bold.nii.gz"))


def _masks(folder: Path, subject: str) -> dict[str, str]:
    """Paths of the masks that are there, by region."""
    return {name: str(folder / subject / file) for name, file in MASKS.items() if (folder / subject / file).is_file()}


def _presentations(folder: Path, subject: str, neuroids: str, shift: int) -> Presentations:
    bold = open_maps(str(folder / subject / "bold.nii.gz"))
    labels, runs = _labels(folder / subject / "labels.txt", bold.n_maps)
    return block_presentations(
        bold,
        labels,
        runs,
        regions=read_regions(_masks(folder, subject), {}, bold.grid, bold.name),
        inside=read_mask(str(folder / "mask.nii.gz"), bold.grid, bold.name) if neuroids == "brain" else None,
        rest=REST,
        shift=shift,
    )


def _labels(path: Path, n_volumes: int) -> tuple[list[str], list[int]]:
    if not path.is_file():
        raise DatasetError(f"there is no file {path}; expected the header 'labels chunks' and one row a volume.")
    lines = [line.split() for line in read_lines(path) if line.strip()]
    if not lines or lines[0] != ["labels", "chunks"] or any(len(line) != 2 for line in lines):
        raise DatasetError(f"{path} is not a table of 'labels chunks', one row a volume, separated by blanks.")
    if len(lines) - 1 != n_volumes:
        raise DatasetError(f"{path} has {len(lines) - 1} rows; bold.nii.gz beside it has {n_volumes} volumes.")
    with damage(path, "a table of 'labels chunks'"):
        chunks = [float(line[1]) for line in lines[1:]]
    return [line[0] for line in lines[1:]], whole_numbers(chunks, f"{path}, chunks").tolist()

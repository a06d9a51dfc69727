"""Looking at the files of Algonauts 2023 before they are ingested."""

from __future__ import annotations

from pathlib import Path

from brainalign.datasets.algonauts.ingest import DATASET, subjects_on_disk
from brainalign.datasets.algonauts.splits import FOLDERS, Split, read_splits
from brainalign.datasets.algonauts.vertices import read_family, shipped_ceiling, vertex_places
from brainalign.datasets.checking import check_subjects, note_undefined
from brainalign.datasets.tree_report import TreeReport
from brainalign.errors import DatasetError
from brainalign.manifests import load_manifest

__all__ = ["check_algonauts2023"]

N_IMAGES = 73_000


def check_algonauts2023(root: Path) -> TreeReport | None:
    """Look at responses, images, masks and ceilings of every subject; None if there is none below ``root``."""
    return check_subjects(DATASET, root, subjects_on_disk(root), _look, pickled=["mapping_*.npy"])


def _look(report: TreeReport, root: Path, name: str) -> None:
    splits: list[Split] = []
    for split_name, (folder, word) in FOLDERS.items():
        if split_name == "train" or (root / name / folder / f"{word}_fmri").is_dir():
            with report.collecting():
                splits += read_splits(root / name, f"challenge-{split_name}")
    for split in splits:
        with report.collecting():
            _require_nsd_ids(split)
    if not splits:
        return
    widths = tuple(side.shape[1] for side in splits[0].hemispheres)
    report.add(name, " and ".join(split.name for split in splits), sum(len(split.ids) for split in splits), sum(widths))
    with report.collecting():
        vertex_places(root / name, widths)
    with report.collecting():
        for ceiling in shipped_ceiling(root / name, widths).values():
            note_undefined(report, name, "noise_ceiling", ceiling)
    manifest = load_manifest(DATASET)
    for family in manifest.label_tables:
        with report.collecting():
            report.notes += [f"{name}: {note}" for note in read_family(root / name, family, widths, manifest, False)[1]]


def _require_nsd_ids(split: Split) -> None:
    """Refuse numbers that are no nsdId, which count from 0."""
    numbers = [int(stimulus.removeprefix("nsd-")) for stimulus in split.ids]
    if max(numbers) >= N_IMAGES:
        raise DatasetError(
            f"{split.files[numbers.index(max(numbers))]} names image {max(numbers)}; NSD's images are 0 to "
            f"{N_IMAGES - 1}: these numbers count from 1. Unpack the released files."
        )

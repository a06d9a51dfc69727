"""Looking at the files of BOLD5000 before they are ingested."""

from __future__ import annotations

from pathlib import Path

from brainalign.datasets.bold5000.ingest import DATASET, region_files, region_masks, subjects_of
from brainalign.datasets.bold5000.matrices import first_release, second_release
from brainalign.datasets.bold5000.trials import Trials, read_trials, session_sizes, session_volumes
from brainalign.datasets.bold5000.variants import VARIANTS, Variant
from brainalign.datasets.checking import check_subjects, note_grids
from brainalign.datasets.masked_frames import frame_count, read_mask
from brainalign.datasets.tree_report import TreeReport
from brainalign.datasets.trees import find_one
from brainalign.errors import DatasetError
from brainalign.manifests import load_manifest

__all__ = ["check_bold5000"]


def check_bold5000(root: Path) -> TreeReport | None:
    """Look at lists, matrices, volumes and masks of every subject; None if there is none below ``root``."""
    kinds = [of for name, of in VARIANTS.items() if not of.zscore]
    there = {of: subjects_of(root, of) for of in kinds}

    def look(report: TreeReport, folder: Path, name: str) -> None:
        for of in kinds:
            if name in there[of]:
                with report.collecting():
                    _variant(report, folder, name, of)

    return check_subjects(DATASET, root, set().union(*there.values()), look)


def _variant(report: TreeReport, root: Path, name: str, of: Variant) -> None:
    manifest = load_manifest(DATASET)
    trials = read_trials(root, name, of.release, manifest)
    if of.volume:
        _volumes(report, root, name, of, trials)
        return
    read = first_release if of.release == 1 else second_release
    matrices = read(root, name, of.source, trials, manifest)
    widths = [values.shape[1] for values in matrices.values()]
    what = f"TR{of.source} of release 1" if of.release == 1 else of.source
    report.add(name, f"{what}, {len(widths)} regions", len(trials.ids), sum(widths), variant=what)
    sizes = session_sizes(root, name)
    if sizes:
        _require_total(name, sizes, trials)
    elif of.release == 2:
        report.notes.append(f"{name}: no file says which trials are of one session; variants without .z can be read")


def _volumes(report: TreeReport, root: Path, name: str, of: Variant, trials: Trials) -> None:
    mask = read_mask(find_one(root, [f"{name}_brainmask.nii.gz", f"{name}_brainmask.nii"], load_manifest(DATASET)))
    volumes = session_volumes(root, name, of.source)
    note_grids(report, mask, [*volumes.values(), *region_files(root, name).values()])
    with report.collecting():
        region_masks(root, name, mask)
    sizes = {number: frame_count(path) for number, path in volumes.items()}
    report.add(
        name, f"{len(sizes)} sessions of volumes, {of.source}", sum(sizes.values()), mask.size, variant="volumes"
    )
    _require_total(name, sizes, trials)


def _require_total(name: str, sizes: dict[int, int], trials: Trials) -> None:
    if sum(sizes.values()) != len(trials.ids):
        raise DatasetError(
            f"{name}: {len(sizes)} sessions have {sum(sizes.values())} trials in all; {trials.path} names "
            f"{len(trials.ids)} images. Fetch the sessions that are missing."
        )

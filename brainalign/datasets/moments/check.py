"""Looking at the files of BOLD Moments before they are ingested."""

from __future__ import annotations

from pathlib import Path

from brainalign.datasets.checking import check_subjects
from brainalign.datasets.masked_frames import read_mask
from brainalign.datasets.moments.files import ORGANIZED, SPACES, subjects_with
from brainalign.datasets.moments.ingest import DATASET, SPLITS
from brainalign.datasets.tree_report import TreeReport
from brainalign.datasets.trees import find_files

__all__ = ["check_bold_moments"]


def check_bold_moments(root: Path) -> TreeReport | None:
    """Look at the files of every subject; None if there is none below ``root``.

    Notes
    -----
    The betas are pickles. They are not read here: only whether they are there, of both splits, and not cut off.
    """
    there = {(space, split): subjects_with(root, space, (split,)) for space in SPACES for split in SPLITS[""]}

    def look(report: TreeReport, folder: Path, name: str) -> None:
        for space in SPACES:
            splits = [split for split in SPLITS[""] if name in there[space, split]]
            lacking = [split for split in SPLITS[""] if split not in splits]
            report.found += [f"{name}: {space}, {' and '.join(splits)}"] * bool(splits)
            if splits and lacking and space != "rois":
                report.notes.append(f"{name}: {space} has no betas of the {lacking[0]} split ({ORGANIZED[space]} …)")
        for path in find_files(folder, f"{name}_mask-nonans_space-MNI152.nii*"):
            with report.collecting():
                read_mask(path)
        if not find_files(folder, "*mask*MNI152.nii*") and name in there["mni152", "train"]:
            report.notes.append(f"{name}: no mask is on disk; that in the pickles is taken if they hold one")

    report = check_subjects(DATASET, root, set().union(*there.values()), look)
    if report is not None:
        report.notes.append("the betas are pickles: an ingestion needs trust_pickle=True, and reads no code from them")
    return report

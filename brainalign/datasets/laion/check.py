"""Looking at the files of LAION-fMRI before they are ingested."""

from __future__ import annotations

from pathlib import Path

from brainalign.datasets.checking import check_subjects, note_grids, note_undefined
from brainalign.datasets.laion.files import (
    ceilings,
    chosen_mask,
    read_session,
    region_files,
    region_images,
    session_files,
)
from brainalign.datasets.laion.ingest import DATASET, less_than_all, subjects_on_disk
from brainalign.datasets.tree_report import TreeReport

__all__ = ["check_laion_fmri"]


def check_laion_fmri(root: Path) -> TreeReport | None:
    """Look at sessions, tables of trials, ceilings and regions of every subject; None if there is none."""
    return check_subjects(DATASET, root, subjects_on_disk(root), _look)


def _look(report: TreeReport, root: Path, name: str) -> None:
    files = session_files(root, name)
    sessions = []
    for number, path in files.items():
        with report.collecting():
            sessions.append(read_session(path, number))
    mask, said = chosen_mask(root, name, list(files.values()))
    note_grids(report, mask, [*files.values(), *region_files(root, name)])
    report.notes += [f"{name}: {note}" for note in [said, *less_than_all(list(files))] if note]
    n_trials = sum(len(session.trials) for session in sessions)
    report.add(name, f"{len(sessions)} sessions", n_trials, mask.size)
    with report.collecting():
        for coordinate, values in ceilings(root, name, mask).items():
            note_undefined(report, name, coordinate, values)
    report.notes += [f"{name}: {note}" for note in region_images(root, name, mask)[1]]

"""Looking at the files of NSD's derived packagings before they are ingested."""

from __future__ import annotations

import tarfile
from pathlib import Path

from brainalign.datasets.checking import check_subjects
from brainalign.datasets.nsd_packaging_files import (
    MINDEYE1_MEMBERS,
    SESSION_TRIALS,
    brain_diffuser_design,
    brain_diffuser_parts,
    mindeye1_subjects,
    mindeye2_betas,
    mindeye2_trials,
    require_rows,
)
from brainalign.datasets.nsd_packagings import require_nsd_ids
from brainalign.datasets.tree_report import TreeReport
from brainalign.errors import DatasetError

__all__ = ["check_brain_diffuser", "check_mindeye1", "check_mindeye2"]


def check_mindeye1(root: Path) -> TreeReport | None:
    """Look at the tars of MindEye1: whole, and every sample with all of its members; None if there is none.

    Notes
    -----
    Walks over the headers in the tars; betas are not read.
    """
    folder = next((place for place in (root, root / "webdataset_avg_split") if mindeye1_subjects(place)), root)

    def look(report: TreeReport, at: Path, name: str) -> None:
        n_samples = 0
        for path in sorted(at.glob(f"*/*_{name}_*.tar")):
            with report.collecting():
                n_samples += _complete_samples(path)
        report.found.append(f"{name}: {n_samples} images")

    return check_subjects("nsd-mindeye1", folder, mindeye1_subjects(folder), look)


def check_mindeye2(root: Path) -> TreeReport | None:
    """Look at the behaviour and the header of the betas of MindEye2; None if there is none."""
    folder = next((p for p in (root, root / "mindeyev2") if any(p.glob("betas_all_subj*.hdf5"))), root)

    def look(report: TreeReport, at: Path, name: str) -> None:
        number, rows = mindeye2_trials(at, name)
        with report.collecting():
            require_nsd_ids(rows["image"], f"nsd-mindeye2, {name}")
        report.add(name, "trials of the behaviour tars", len(number), require_rows(mindeye2_betas(at, name), number)[1])

    subjects = sorted({path.name.split("_")[2] for path in folder.glob("betas_all_subj*.hdf5")})
    return check_subjects("nsd-mindeye2", folder, subjects, look)


def check_brain_diffuser(root: Path) -> TreeReport | None:
    """Look at the arrays of brain-diffuser and the design that says which row is which image; None if there is none."""
    name_of = "nsd_train_fmriavg_nsdgeneral_sub*.npy"
    folder = next((p for p in (root, root / "processed_data") if any(p.glob(f"subj*/{name_of}"))), root)

    def look(report: TreeReport, at: Path, name: str) -> None:
        design, wrong = brain_diffuser_design(at), DatasetError("")
        for sessions in range(
            len(design[0]) // SESSION_TRIALS, 0, -1
        ):  # how many were averaged over is not in the files
            try:
                parts = [values.shape for _, values, *_ in brain_diffuser_parts(at, name, design, sessions)]
            except DatasetError as error:
                wrong = error
                continue
            report.add(name, f"means over {sessions} sessions", sum(n for n, _ in parts), parts[0][1])
            return
        raise wrong

    subjects = sorted(path.parent.name for path in folder.glob(f"subj*/{name_of}"))
    return check_subjects("nsd-brain-diffuser", folder, subjects, look)


def _complete_samples(path: Path) -> int:
    """Count the samples of a webdataset tar; DatasetError if one lacks a member."""
    members: dict[str, set[str]] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                key, _, ending = Path(member.name).name.partition(".")
                members.setdefault(key, set()).add(ending)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DatasetError(f"{path} is damaged or no tar: {error}") from error
    for key, endings in members.items():
        lacking = sorted(set(MINDEYE1_MEMBERS) - endings)
        if lacking:
            raise DatasetError(f"{path}, sample {key} lacks {', '.join(lacking)}. Fetch it again.")
    return len(members)

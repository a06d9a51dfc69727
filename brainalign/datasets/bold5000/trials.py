"""Which image each trial of BOLD5000 showed, and in which session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.bold5000.variants import BETA_TYPES
from brainalign.datasets.masked_frames import frame_count
from brainalign.datasets.trees import find_files, find_one
from brainalign.errors import DatasetError
from brainalign.foreign.damage import read_lines
from brainalign.manifests import Manifest

__all__ = ["Trials", "betas_name", "read_trials", "session_sizes", "session_volumes", "with_sessions"]

Array = npt.NDArray[Any]
REPEATED = "rep_"


@dataclass(frozen=True)
class Trials:
    """Trials in the order of the rows: ids, file names, and the list that they come from."""

    ids: list[str]
    files: list[str]
    path: Path


def read_trials(root: Path, subject: str, release: int, manifest: Manifest) -> Trials:
    """Read the list of images of a subject; images shown again carry ``rep_`` in their names, which is dropped.

    Raises
    ------
    DatasetError
        If the list is absent or empty.
    """
    number = subject.removeprefix("CSI")
    first = [f"{subject}_imgnames.txt"]
    second = [f"CSI{int(number):02d}_stim_lists.txt", f"{subject}_stim_lists.txt"] if number.isdigit() else []
    path = find_one(root, first + second if release == 2 else second + first, manifest)
    lines = [line.strip() for line in read_lines(path)]
    names = [PurePosixPath(line).name.removeprefix(REPEATED) for line in lines if line]
    if not names:
        raise DatasetError(f"{path} names no image; expected one a line, in the order of the trials.")
    return Trials([PurePosixPath(name).stem for name in names], names, path)


def betas_name(subject: str, kind: str) -> str:
    """Return how the files of one type of betas begin."""
    return f"{subject}_GLMbetas-{BETA_TYPES[kind]}"


def session_volumes(root: Path, subject: str, kind: str) -> dict[int, Path]:
    """Return the volumes of betas by session, ascending.

    Raises
    ------
    DatasetError
        If a session stands twice, or one is missing before the last.
    """
    found: dict[int, Path] = {}
    for path in find_files(root, f"{betas_name(subject, kind)}_ses-*.nii*"):
        number = re.search(r"_ses-(\d+)\.nii", path.name)
        if number is None:
            continue
        if int(number[1]) in found:
            raise DatasetError(f"{found[int(number[1])]} and {path} are the same session; give one release.")
        found[int(number[1])] = path
    gap = sorted(set(range(1, max(found, default=0) + 1)) - set(found))
    if gap:
        raise DatasetError(
            f"{root} holds sessions up to {max(found)} of {betas_name(subject, kind)} but lacks session {gap[0]:02d}; "
            "the list of images counts through all sessions. Fetch what is missing."
        )
    return dict(sorted(found.items()))


def session_sizes(root: Path, subject: str) -> dict[int, int]:
    """Return the number of trials of each session, from whatever file says it; empty if none does.

    Looked at in this order: volumes of any type of betas, event tables (``sub-CSI1_ses-01_…_events.tsv``), and the
    presentation lists (``CSI1_sess01/*.txt``, a run each).
    """
    for kind in reversed(BETA_TYPES):
        volumes = session_volumes(root, subject, kind)
        if volumes:
            return {number: frame_count(path) for number, path in volumes.items()}
    sizes: dict[int, int] = {}
    for path in find_files(root, f"sub-{subject}_ses-*_events.tsv"):
        number = re.search(r"_ses-(\d+)_", path.name)
        if number is not None and "localizer" not in path.name:
            sizes[int(number[1])] = sizes.get(int(number[1]), 0) + _lines(path) - 1
    for path in find_files(root, "*.txt") if not sizes else ():
        number = re.fullmatch(rf"{subject}_sess(\d+)", path.parent.name)
        if number is not None:
            sizes[int(number[1])] = sizes.get(int(number[1]), 0) + _lines(path)
    return dict(sorted(sizes.items()))


def with_sessions(
    root: Path, subject: str, trials: Trials, given: Sequence[int] | None, *, needed: bool
) -> npt.NDArray[np.int64] | None:
    """Return the session of each trial, counted from 1; None where no file says it.

    Raises
    ------
    DatasetError
        If the sessions do not add up to the trials, or they are needed and unknown.
    """
    sizes = dict(enumerate(given, start=1)) if given is not None else session_sizes(root, subject)
    if not sizes:
        if not needed:
            return None
        raise DatasetError(
            f"{root} does not say which trials of {subject} belong to one session, which z-scoring within sessions "
            f"needs: put the session volumes ({betas_name(subject, 'TYPED')}_ses-01.nii.gz …), the event tables or the "
            "presentation lists beside the matrices, give sessions=[trials of each session], or take a variant "
            "without .z."
        )
    total = sum(sizes.values())
    if total != len(trials.ids):
        raise DatasetError(
            f"the sessions of {subject} have {list(sizes.values())} trials, {total} in all; {trials.path} "
            f"names {len(trials.ids)} images. Give sessions=[…] that add up to it, or fetch the missing sessions."
        )
    return np.repeat(list(sizes), list(sizes.values())).astype(np.int64)


def _lines(path: Path) -> int:
    return sum(bool(line.strip()) for line in read_lines(path))

"""The experimental design: which image every trial shows, in ids that count from 0."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.matrices import whole_numbers
from brainalign.errors import ChoiceError, DatasetError
from brainalign.foreign.matlab import load_matlab

__all__ = ["Design", "load_fields", "read_design", "stimulus_id", "subject_number"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """``nsd_expdesign.mat`` with every index counted from 0; what was planned, also for sessions that were never run.

    Attributes
    ----------
    path : Path
    ordering : array, shape (n_trials,)
        Image of each trial among the subject's own, the same for all subjects.
    images : array, shape (n_subjects, n_images)
        nsdId of each subject's images; the shared ones stand first.
    shared : array, shape (n_shared,)
        nsdIds that all subjects share, ascending.
    pattern : array, shape (n_sessions, n_runs, n_slots), or None
        Whether a slot of a run shows an image.
    """

    path: Path
    ordering: IntArray
    images: IntArray
    shared: IntArray
    pattern: IntArray | None

    def ids(self, subject: str) -> IntArray:
        """Return the nsdId of every planned trial of a subject, shape (n_trials,).

        Raises
        ------
        ChoiceError
            If the design has no such subject.
        """
        number = subject_number(subject)
        if not 1 <= number <= len(self.images):
            raise ChoiceError(f"there is no subject {subject!r} in {self.path}, which has {len(self.images)} subjects.")
        ids: IntArray = self.images[number - 1, self.ordering]
        return ids

    def runs(self, session: int, n_trials: int) -> tuple[IntArray, IntArray]:
        """Return run and trial of each trial of a session, all counted from 1.

        Raises
        ------
        DatasetError
            If the slots of the session are not as many as its trials.
        """
        sizes = self._run_sizes(session, n_trials)
        if sum(sizes) != n_trials:
            raise DatasetError(
                f"{self.path}: stimpattern has {sum(sizes)} trials in session {session}; its betas have {n_trials}. "
                "One of the two files is of another release: fetch them again."
            )
        run = np.repeat(np.arange(1, len(sizes) + 1), sizes)
        return run, np.concatenate([np.arange(1, size + 1) for size in sizes])

    def _run_sizes(self, session: int, n_trials: int) -> list[int]:
        if self.pattern is not None and session <= len(self.pattern):
            return [int(n) for n in (self.pattern[session - 1] != 0).sum(axis=1)]
        # odd runs have 63 trials and even ones 62
        sizes = [63 - i % 2 for i in range(12)]
        return sizes if sum(sizes) == n_trials else [n_trials]


def subject_number(subject: str) -> int:
    """Return the number of a subject.

    >>> subject_number("subj07")
    7
    """
    found = re.fullmatch(r"subj(\d\d)", str(subject))
    if found is None:
        raise ChoiceError(f"subject {subject!r} is not spelled as in the files: subj01, subj02, …")
    return int(found[1])


def stimulus_id(nsd_id: int) -> str:
    """Return the stimulus id of an image.

    >>> stimulus_id(2950)
    'nsd-02950'
    """
    return f"nsd-{nsd_id:05d}"


def load_fields(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return arrays of a MATLAB file.

    Raises
    ------
    DatasetError
        If the file is absent or damaged, or lacks a field.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is not there; it says which image every trial shows: fetch it.")
    fields = load_matlab(path)
    absent = [name for name in names if name not in fields]
    if absent:
        there = [name for name in fields if not name.startswith("__")]
        raise DatasetError(f"{path} lacks {', '.join(absent)}; it holds {', '.join(there) or 'nothing'}.")
    return fields


def read_design(path: Path) -> Design:
    """Read ``nsd_expdesign.mat``; sizes are taken from the file.

    Raises
    ------
    DatasetError
        If a field is missing, its numbers do not count from 1 within their range, or the shared images of a subject
        are not those of ``sharedix``.
    """
    fields = load_fields(path, ("masterordering", "subjectim", "sharedix"))
    images = _counted_from_one(fields["subjectim"], "subjectim", path)
    ordering = _counted_from_one(fields["masterordering"].ravel(), "masterordering", path)
    shared = np.sort(_counted_from_one(fields["sharedix"].ravel(), "sharedix", path))
    if ordering.max() >= images.shape[1]:
        raise DatasetError(
            f"{path}: masterordering names image {ordering.max() + 1} of {images.shape[1]} in subjectim."
        )
    first = np.sort(images[:, : len(shared)], axis=1)
    for number, row in enumerate(first, start=1):
        if not np.array_equal(row, shared):
            shift = np.unique(row - shared)
            hint = f", all of them by {shift[0]}: one of the two has another id base" if len(shift) == 1 else ""
            raise DatasetError(
                f"{path}: the first {len(shared)} images of subject {number} in subjectim are not those of sharedix"
                f"{hint}; both count from 1."
            )
    pattern = fields.get("stimpattern")
    return Design(
        path, ordering, images, shared, None if pattern is None else whole_numbers(pattern, f"{path}: stimpattern")
    )


def _counted_from_one(values: Any, name: str, path: Path) -> IntArray:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size == 0 or not np.isfinite(numbers).all() or (numbers != np.rint(numbers)).any():
        raise DatasetError(f"{path}: {name} must hold whole numbers, got {numbers.shape} with others among them.")
    if numbers.min() < 1:
        raise DatasetError(
            f"{path}: {name} holds {numbers.min():.0f}; its numbers count from 1. This file was changed to count from "
            "0: fetch the released one."
        )
    return numbers.astype(np.int64) - 1

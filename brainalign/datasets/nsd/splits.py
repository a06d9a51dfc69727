"""Splits of the images that papers report on, as rules over the design."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from brainalign.datasets.nsd.design import Design, subject_number
from brainalign.datasets.nsd.tree import NsdTree
from brainalign.manifests import load_manifest

__all__ = ["SPLITS", "sessions_run", "split_columns"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SPLITS = ("shared1000", "shared515", "982", "brain-score-515", "brain-score-1000", "conwell")
COMPLETE = (1, 2, 5, 7)
"""Subjects that ran all sessions."""
FIRST_RELEASE = 37
"""Sessions of each complete subject before the last three were published."""


def sessions_run(tree: NsdTree, design: Design) -> dict[int, int]:
    """Return the number of sessions that each subject (1, 2, …) ran.

    For the released design that is the published number, whatever part of it is on disk; for any other, the sessions
    on disk.
    """
    known = {subject_number(name): counts for name, counts in load_manifest("nsd").published_counts.items()}
    if len(design.ordering) == max(counts["trials"] for counts in known.values()) and len(design.images) == len(known):
        return {number: counts["sessions"] for number, counts in known.items()}
    found: dict[int, int] = {}
    for path in (tree.root / "nsddata_betas" / "ppdata").glob("subj[0-9][0-9]/*/*/*betas_session*"):
        number, session = subject_number(path.parts[-4]), re.search(r"betas_session(\d+)", path.name)
        if session is not None and number <= len(design.images):
            found[number] = max(found.get(number, 0), int(session[1]))
    return dict(sorted(found.items()))


def split_columns(
    design: Design, n_images: int, *, sessions: Mapping[int, int], session_size: int
) -> dict[str, npt.NDArray[np.object_]]:
    """Return for each split the part (``train``, ``val``, ``test`` or empty) of every image.

    Parameters
    ----------
    design : Design
    n_images : int
        Images in all.
    sessions : mapping
        Sessions that each subject (1, 2, …) ran; see :func:`sessions_run`.
    session_size : int
        Trials of a session.

    Returns
    -------
    dict of arrays of text, shape (n_images,)
        ``shared1000``: shared images are test, all others train.
        ``shared515``: shared images seen three times by all subjects are test, the other shared ones val.
        ``982``: of the first 37 sessions of the complete subjects, shared images seen are test, others train.
        ``brain-score-515``, ``brain-score-1000``: shared images seen three times by all, or by the complete, subjects;
        shuffled by NumPy's RandomState(42), four fifths are train and the rest test.
        ``conwell``: shared images in ascending order, the first, third, … are train and the others test.

    Notes
    -----
    Rules as in the manifest of the dataset, with their sources.
    """
    seen = {number: _counts(design, number, n * session_size, n_images) for number, n in sessions.items()}
    complete = [number for number in COMPLETE if number in seen]
    shared = np.zeros(n_images, dtype=bool)
    shared[design.shared] = True
    thrice = shared & _all_thrice(seen, list(seen))
    columns = {name: np.full(n_images, "", dtype=object) for name in SPLITS}
    columns["shared1000"][:] = np.where(shared, "test", "train")
    columns["shared515"][shared] = "val"
    columns["shared515"][thrice] = "test"
    for number in complete:
        early = min(FIRST_RELEASE, sessions[number])
        first = _counts(design, number, early * session_size, n_images) > 0
        columns["982"][first & shared] = "test"
        columns["982"][first & ~shared] = "train"
    _shuffled(columns["brain-score-515"], np.flatnonzero(thrice))
    _shuffled(columns["brain-score-1000"], np.flatnonzero(shared & _all_thrice(seen, complete)))
    columns["conwell"][design.shared[::2]] = "train"
    columns["conwell"][design.shared[1::2]] = "test"
    return columns


def _counts(design: Design, number: int, n_trials: int, n_images: int) -> IntArray:
    return np.bincount(design.images[number - 1, design.ordering[:n_trials]], minlength=n_images)


def _all_thrice(seen: Mapping[int, IntArray], subjects: list[int]) -> BoolArray:
    return np.all([seen[number] >= 3 for number in subjects], axis=0) if subjects else np.zeros(1, dtype=bool)


def _shuffled(column: npt.NDArray[np.object_], images: IntArray) -> None:
    order = np.arange(len(images))
    np.random.RandomState(42).shuffle(order)  # the published split was drawn by the legacy generator
    n_train = len(images) * 4 // 5
    column[images[np.sort(order[:n_train])]] = "train"
    column[images[np.sort(order[n_train:])]] = "test"

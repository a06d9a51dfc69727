"""The trials of a subject: what was shown, when, and for the how-manieth time; checked against the behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.matrices import whole_numbers
from brainalign.datasets.nsd.design import Design, subject_number
from brainalign.errors import DatasetError

__all__ = ["Trials", "check_stimulus_table", "make_trials", "repetitions"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trials:
    """One entry a trial, in the order in which they were run.

    ``nsd_id`` counts from 0; ``session``, ``run`` and ``trial`` (in its run) from 1, as in ``responses.tsv``;
    ``repetition`` from 0, over all sessions of the subject.
    """

    nsd_id: IntArray
    session: IntArray
    run: IntArray
    trial: IntArray
    repetition: IntArray

    def __len__(self) -> int:
        return len(self.nsd_id)

    def at(self, chosen: npt.NDArray[np.bool_]) -> Trials:
        """Return the chosen trials."""
        return Trials(*(getattr(self, name.name)[chosen] for name in fields(self)))


def make_trials(design: Design, subject: str, sizes: Mapping[int, int], behaviour: Path | None = None) -> Trials:
    """Return all trials that a subject ran.

    Parameters
    ----------
    design : Design
    subject : str
    sizes : mapping
        Number of trials of each session, from the first one on, as its betas have them.
    behaviour : path, optional
        ``responses.tsv``, which says run and trial as they were, and must show the images of the design. Without it
        they are those of the design.

    Raises
    ------
    DatasetError
        If the sessions have more trials than the design, or others than its runs, or the behaviour disagrees.
    """
    n = sum(sizes.values())
    if n > len(design.ordering):
        raise DatasetError(
            f"{subject} has betas of {n} trials in {len(sizes)} sessions; {design.path} plans {len(design.ordering)}."
        )
    ids = design.ids(subject)[:n]
    session = np.repeat(np.array(list(sizes)), list(sizes.values()))
    if behaviour is not None:
        run, trial = _as_run(behaviour, ids, session)
    else:
        runs = [design.runs(number, size) for number, size in sizes.items()]
        run, trial = np.concatenate([r for r, _ in runs]), np.concatenate([t for _, t in runs])
    return Trials(ids, session, run, trial, repetitions(ids))


def repetitions(ids: IntArray) -> IntArray:
    """Return for each trial how often its image was shown before.

    >>> repetitions(np.array([7, 3, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(ids, kind="stable")
    first = np.searchsorted(ids[order], ids[order])
    counted = np.empty(len(ids), dtype=np.int64)
    counted[order] = np.arange(len(ids)) - first
    return counted


def _as_run(path: Path, ids: IntArray, session: IntArray) -> tuple[IntArray, IntArray]:
    """Return run and trial of ``responses.tsv``, which may hold more sessions than there are betas of."""
    try:
        table = pd.read_csv(path, sep="\t", usecols=["SESSION", "RUN", "TRIAL", "73KID"])
    except (ValueError, OSError) as error:
        raise DatasetError(
            f"{path} cannot be read as a table with the columns SESSION, RUN, TRIAL and 73KID: {error}"
        ) from error
    table = pd.DataFrame({name: whole_numbers(table[name], f"{path}, {name}") for name in table})
    table = table[table["SESSION"] <= session[-1]]
    if not np.array_equal(table["SESSION"], session):
        raise DatasetError(
            f"{path} has {len(table)} trials in sessions 1 to {session[-1]}; the betas have {len(ids)}, or others in a "
            "session. One of the two is of another release or cut off: fetch them again."
        )
    theirs = table["73KID"].to_numpy() - 1
    wrong = np.flatnonzero(theirs != ids)
    if len(wrong):
        at = wrong[0]
        raise DatasetError(
            f"{path}: 73KID is {theirs[at] + 1} in session {session[at]}, trial {at + 1} of all; by the design it is "
            f"{ids[at] + 1} ({len(wrong)} of {len(ids)} trials differ{_shifted(theirs - ids)}). Both count from 1."
        )
    return table["RUN"].to_numpy(), table["TRIAL"].to_numpy()


def check_stimulus_table(table: pd.DataFrame, path: Path, subject: str, trials: Trials) -> None:
    """Compare the trials with the columns ``subject<k>_rep<r>`` of ``nsd_stim_info_merged.csv``.

    The columns hold trial numbers counted from 1, or 0 for none, also of sessions that were never run.

    Raises
    ------
    DatasetError
        If an image is said to be shown in a trial that shows another.
    """
    number = subject_number(subject)
    columns = [name for name in table.columns if name.startswith(f"subject{number}_rep")]
    for column in columns:
        said = whole_numbers(table[column], f"{path}, {column}")
        ran = (said > 0) & (said <= len(trials))
        shown, listed = trials.nsd_id[said[ran] - 1], table["nsdId"].to_numpy()[ran]
        wrong = np.flatnonzero(shown != listed)
        if len(wrong):
            at = wrong[0]
            raise DatasetError(
                f"{path}: column {column} says that trial {said[ran][at]} shows nsdId {listed[at]}; by the design it "
                f"shows {shown[at]}{_shifted(listed - shown)}."
            )


def _shifted(differences: IntArray) -> str:
    steps = np.unique(differences)
    return f"; all are off by {steps[0]}, as with another id base" if len(steps) == 1 else ""

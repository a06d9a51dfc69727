"""Putting one subject's presentations into the store: what every reader of responses ends with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from brainalign.datasets.matrices import refuse_non_finite
from brainalign.datasets.report import ImportReport
from brainalign.datasets.room import require_room
from brainalign.errors import DatasetError, InputError, near_names
from brainalign.store.findings import region_findings, response_findings

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = [
    "Neuroids",
    "averaged_reason",
    "count_repeats",
    "deposit_responses",
    "refuse_ambiguous_repeats",
    "require_known_stimuli",
    "stored_findings",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Neuroids:
    """What is known of each neuroid.

    Attributes
    ----------
    roi : array of bool, shape (n_neuroids, n_labels)
    labels : list of str
        Names of the ROIs.
    coordinates : dict of arrays, shape (n_neuroids,)
        ``x y z`` or ``vertex hemisphere``, ``ncsnr``, and anything else.
    """

    roi: npt.NDArray[np.bool_]
    labels: list[str]
    coordinates: Mapping[str, Array] = field(default_factory=dict)


def deposit_responses(
    store: Store,
    *,
    dataset: str,
    variant: str,
    subject: str,
    values: Array | xr.Variable,
    rows: Mapping[str, Array],
    neuroids: Neuroids,
    stimulus_set: str = "",
    attrs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any],
    averaged: str = "",
    notes: Sequence[str] = (),
) -> ImportReport:
    """Check presentations x neuroids and put them into the store.

    Parameters
    ----------
    store : Store
    dataset, variant, subject : str
    values : array or lazy Variable, shape (n_presentations, n_neuroids)
        A lazy one is read block by block, and checked for NaN and inf as it is written.
    rows : mapping of arrays, shape (n_presentations,)
        ``stimulus``, and any of ``session run trial repetition``.
    neuroids : Neuroids
    stimulus_set : str
        Set that every stimulus must be in, or empty.
    attrs, options : mapping
        As in :meth:`brainalign.store.Store.put_responses`.
    averaged : str
        Why there is no noise ceiling, or empty.
    notes : sequence of str
        Said in the report.

    Returns
    -------
    ImportReport

    Raises
    ------
    DatasetError
        If repeats are ambiguous or stimuli are not in the set.
    NonFiniteError
        If a response is NaN or inf; names stimulus and neuroid.
    StoreError
        If the disk of the store has no room; looked at before anything is written.
    VariantError
        If the variant is there with other options or other content.
    """
    if not isinstance(values, xr.Variable):
        refuse_non_finite(values, list(rows["stimulus"]), "neuroid", "the matrix")
        values = xr.Variable(("presentation", "neuroid"), values)
    refuse_ambiguous_repeats(rows, averaged)
    require_known_stimuli(store, stimulus_set, rows["stimulus"])
    require_room(store, values.size * values.dtype.itemsize)
    responses = xr.Dataset(
        {"response": values, "roi": (("neuroid", "label"), neuroids.roi)},
        coords={
            "label": np.array(neuroids.labels, dtype=object),
            **{name: ("presentation", column) for name, column in rows.items()},
            **{name: ("neuroid", column) for name, column in neuroids.coordinates.items()},
        },
        attrs={**dict(attrs or {}), "stimulus_set": stimulus_set, "averaged": averaged},
    )
    written = store.put_responses(dataset, variant, subject, responses, options=options)
    said = [*notes, *stored_findings(store, dataset, variant, subject)]
    counts = Counter(rows["stimulus"].tolist())
    sizes = (len(counts), values.shape[0], values.shape[1], (min(counts.values()), max(counts.values())))
    labels = tuple(neuroids.labels)
    return ImportReport(
        dataset,
        variant,
        subject,
        "responses",
        *sizes,
        labels,
        averaged,
        written,
        tuple(said),
    )


def stored_findings(store: Store, dataset: str, variant: str, subject: str) -> list[str]:
    """Return what may be wrong with responses, as seen while they were written."""
    there = store.responses(dataset, subject, variant=variant)
    found = list(response_findings((there.attrs.get("provenance") or {}).get("seen") or {}, subject))
    if "roi" in there:
        found += region_findings(np.asarray(there["roi"].values), list(there["roi"].attrs["labels"]), subject)
    return [finding.message for finding in found]


def averaged_reason(averaged: int | str | None) -> str:
    """Return why averaged responses have no ceiling: ``averaged`` counts the repeats, or says it in words."""
    if averaged is None or isinstance(averaged, str):
        return averaged or ""
    if isinstance(averaged, bool) or averaged < 1:
        raise InputError(
            f"averaged={averaged!r} must be the number of repeats that were averaged, or a reason in words."
        )
    return f"responses came averaged over {averaged} repeats; single presentations were not given"


def count_repeats(stimuli: Sequence[str] | Array) -> npt.NDArray[np.int64]:
    """Number the presentations of each stimulus from 0, in order of appearance.

    >>> count_repeats(["a", "b", "a"]).tolist()
    [0, 0, 1]
    """
    seen: Counter[str] = Counter()
    return np.array([seen.update([stimulus]) or seen[stimulus] - 1 for stimulus in stimuli], dtype=np.int64)


def refuse_ambiguous_repeats(rows: Mapping[str, Array], reason: str) -> None:
    """Raise if a stimulus stands in several rows and nothing says which repeat each is."""
    counts = Counter(rows["stimulus"].tolist())
    twice = [stimulus for stimulus, count in counts.items() if count > 1]
    if twice and reason:
        raise DatasetError(
            f"{twice[0]!r} stands in {counts[twice[0]]} rows, but averaged responses have each stimulus once."
        )
    if twice and "repetition" not in rows:
        raise DatasetError(
            f"{len(twice)} stimulus ids stand in several rows, first {twice[0]!r} ({counts[twice[0]]} times). If these "
            "are repeats, say which (repeats=a column, file or list), or repeats='count' to number them in order."
        )
    if "repetition" in rows:
        parts = [rows["stimulus"].tolist(), rows["repetition"].tolist()]
        parts += [rows["session"].tolist()] if "session" in rows else []
        same = [place for place, count in Counter(zip(*parts, strict=True)).items() if count > 1]
        if same:
            raise DatasetError(f"stimulus {same[0][0]!r} has repeat {same[0][1]} more than once; repeats must differ.")


def require_known_stimuli(store: Store, stimulus_set: str, stimuli: Sequence[str] | Array) -> None:
    """Raise if responses name stimuli that their set does not have; near names are offered."""
    if not stimulus_set:
        return
    known = set(store.stimuli(stimulus_set)["stimulus"])
    unknown = [str(stimulus) for stimulus in dict.fromkeys(stimuli) if stimulus not in known]
    if unknown:
        raise DatasetError(
            f"{len(unknown)} of {len(set(stimuli))} stimuli are not in the set {stimulus_set!r} of {len(known)}, first "
            f"{unknown[0]!r}.{near_names(unknown[0], sorted(known))}"
        )

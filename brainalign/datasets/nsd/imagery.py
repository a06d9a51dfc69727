"""NSD-imagery: responses of the NSD subjects while they saw, attended to, or imagined simple stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.nsd.companions import (
    Companion,
    Presentations,
    SessionChoice,
    companion_version,
    put_companion,
)
from brainalign.datasets.nsd.imagery_design import ORDERS, read_conditions
from brainalign.datasets.nsd.ncsnr import ncsnr_of_repeats
from brainalign.datasets.nsd.tree import open_tree
from brainalign.datasets.nsd.trials import repetitions
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.stimulus_sets import complete_stimuli
from brainalign.errors import ChoiceError, DatasetError
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["BLOCKS", "ingest_nsd_imagery"]

DATASET = "nsd-imagery"
IMAGERY = Companion(DATASET, "nsdimagery")
_RUNS = "visA attA imgA_1 visB attB imgB_1 visC attC imgC_1 imgA_2 imgB_2 imgC_2"
BLOCKS = {run: 96 if run.startswith("att") else 48 for run in _RUNS.split()}
"""Runs in their order, with the betas of each: attention runs have one for the cue and one for the detection."""


def ingest_nsd_imagery(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    space: str = "func1pt8mm",
    betas: str = "betas_fithrf_GLMdenoise_RR",
    neuroids: str | float = "nsdgeneral",
    rois: Sequence[str] | None = None,
    zscore: bool = True,
    conditions: str | Path | None = None,
    order: str | None = None,
) -> IngestReport:
    """Bring NSD-imagery into the store.

    Parameters
    ----------
    root, store, subjects, variant, space, betas, neuroids, rois, zscore
        As for :func:`brainalign.datasets.nsd.synthetic.ingest_nsd_synthetic`.
    conditions : path, optional
        CSV with one row a trial, in the order of the betas, and a column ``stimulus``.
    order : {"time", "condition"}, optional
        Take the condition of each beta from ``designmatrixGLMsingle.mat``: ids are its columns, ``nsdimagery-c01`` and
        on. The release does not say in the open in which order the betas of a run stand. GLMsingle returns them as
        trials were shown (``"time"``); others have read the released files condition by condition. The report says
        what ncsnr either order gives: repeats of one condition are alike only in the right one.

        Without ``conditions`` and ``order`` the id of a trial is its run and its place in it (``nsdimagery-visA-01``):
        no trial is known to repeat another and there is no noise ceiling.

    Returns
    -------
    IngestReport
        Stimulus set ``nsd-imagery`` (``nsd-imagery-places`` without ``conditions``), ids only. Along presentation:
        ``block`` (``visA``, ``imgB_2``, …), ``task`` (``vis``, ``att``, ``img``), ``session``, ``run``, ``trial``,
        ``repetition``.

    Raises
    ------
    ChoiceError, DatasetError, StoreError, VariantError
        As for the core dataset; also if the betas are not those of the twelve runs.
    """
    tree = open_tree(root, DATASET)
    families = [rois] if isinstance(rois, str) else None if rois is None else list(rois)
    choice = SessionChoice(space, companion_version(betas, IMAGERY), neuroids, families, zscore)
    if conditions is not None and order is not None:
        raise ChoiceError("give conditions= or order=, one of the two.")
    ids = _ids(tree.root, conditions, order)
    known: dict[str, int] = {}
    numbers = np.array([known.setdefault(one, len(known)) for one in ids], dtype=np.int64)
    along = {**_along(), "repetition": repetitions(numbers)}

    def presentations(subject: str, n_trials: int) -> Presentations:
        if n_trials != len(ids):
            raise DatasetError(f"{subject} has betas of {n_trials} trials; the twelve runs have {len(ids)}.")
        return Presentations(stimulus_set, ids, along, notes)

    unknown = "which condition a trial shows is not known; ids are places in a run, give conditions= or order="
    places = conditions is None and order is None
    notes = (unknown,) if places else ()
    stimulus_set = f"{DATASET}-places" if places else f"{DATASET}-{order}" if order else DATASET
    table = pd.DataFrame({"stimulus": list(known)})
    complete_stimuli(store, stimulus_set, table, attrs={"licence": load_manifest(DATASET).licence})
    named = f"{choice.variant()}.{order}" if order and variant is None else variant
    entries = put_companion(tree, store, IMAGERY, choice, subjects, named, presentations)
    if order is not None:
        other = next(one for one in ORDERS if one != order)
        conditions_of = {one: read_conditions(tree.root, BLOCKS, one) for one in (order, other)}
        entries = [replace(entry, notes=(*entry.notes, _compared(store, entry, conditions_of))) for entry in entries]
    return IngestReport(DATASET, {stimulus_set: len(table)}, tuple(entries))


def _compared(store: Store, entry: ImportReport, conditions_of: dict[str, npt.NDArray[np.int64]]) -> str:
    """Say which ncsnr each order of the betas gives, the mean of each run taken away."""
    values = np.asarray(store.responses(entry.dataset, entry.subject, variant=entry.variant)["response"].values)
    blocks = _along()["block"]
    values = np.concatenate([values[blocks == run] - values[blocks == run].mean(axis=0) for run in BLOCKS])
    values /= np.where(values.std(axis=0) > 0, values.std(axis=0), 1)
    found = {name: ncsnr_of_repeats(values, c) for name, c in conditions_of.items()}
    shown = ", ".join(f"{np.nanmean(ncsnr):.3f} with order={name!r}" for name, ncsnr in found.items())
    return f"mean ncsnr {shown}: the right order is the one in which repeats are alike"


def _ids(root: Path, conditions: str | Path | None, order: str | None) -> list[str]:
    if order is not None:
        return [f"nsdimagery-c{number + 1:02d}" for number in read_conditions(root, BLOCKS, order).tolist()]
    return _place_ids() if conditions is None else _read_conditions(Path(conditions))


def _place_ids() -> list[str]:
    return [f"nsdimagery-{block}-{i:02d}" for block, n in BLOCKS.items() for i in range(1, n + 1)]


def _along() -> dict[str, npt.NDArray[Any]]:
    sizes = list(BLOCKS.values())
    block = np.repeat(np.array(list(BLOCKS), dtype=object), sizes)
    return {
        "block": block,
        "task": np.array([name[:3] for name in block], dtype=object),
        "session": np.ones(sum(sizes), dtype=np.int64),
        "run": np.repeat(np.arange(1, len(sizes) + 1), sizes),
        "trial": np.concatenate([np.arange(1, n + 1) for n in sizes]),
    }


def _read_conditions(path: Path) -> list[str]:
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as CSV: {error}") from error
    n = sum(BLOCKS.values())
    if "stimulus" not in table.columns or len(table) != n or table["stimulus"].isna().any():
        raise DatasetError(f"{path} has {len(table)} rows and {list(table.columns)}; expected {n} and 'stimulus'.")
    return table["stimulus"].tolist()

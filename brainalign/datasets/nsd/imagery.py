"""NSD-imagery: responses of the NSD subjects while they saw, attended to, or imagined simple stimuli."""

from __future__ import annotations

from collections.abc import Sequence
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
from brainalign.datasets.nsd.stimulus_sets import complete_stimuli
from brainalign.datasets.nsd.tree import open_tree
from brainalign.datasets.nsd.trials import repetitions
from brainalign.datasets.report import IngestReport
from brainalign.errors import DatasetError
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
) -> IngestReport:
    """Bring NSD-imagery into the store.

    Parameters
    ----------
    root, store, subjects, variant, space, betas, neuroids, rois, zscore
        As for :func:`brainalign.datasets.nsd.synthetic.ingest_nsd_synthetic`.
    conditions : path, optional
        CSV with one row a trial, in the order of the betas, and a column ``stimulus``. Without it the id of a trial is
        its run and its place in it (``nsdimagery-visA-01``): the released files do not say in the open which of the
        six conditions a trial shows, so no trial is known to repeat another and there is no noise ceiling.

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
    ids = _place_ids() if conditions is None else _read_conditions(Path(conditions))
    known: dict[str, int] = {}
    numbers = np.array([known.setdefault(one, len(known)) for one in ids], dtype=np.int64)
    along = {**_along(), "repetition": repetitions(numbers)}

    def presentations(subject: str, n_trials: int) -> Presentations:
        if n_trials != len(ids):
            raise DatasetError(f"{subject} has betas of {n_trials} trials; the twelve runs have {len(ids)}.")
        return Presentations(stimulus_set, ids, along, notes)

    unknown = "which condition a trial shows is not known; ids are places in a run, give conditions="
    notes = (unknown,) if conditions is None else ()
    stimulus_set = DATASET if conditions is not None else f"{DATASET}-places"
    table = pd.DataFrame({"stimulus": list(known)})
    complete_stimuli(store, stimulus_set, table, attrs={"licence": load_manifest(DATASET).licence})
    entries = put_companion(tree, store, IMAGERY, choice, subjects, variant, presentations)
    return IngestReport(DATASET, {stimulus_set: len(table)}, tuple(entries))


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

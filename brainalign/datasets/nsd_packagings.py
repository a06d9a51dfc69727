"""Derived packagings of NSD: MindEye1 (webdataset), MindEye2 (HDF5 and behaviour), brain-diffuser (npy).

All three hold voxels of nsdgeneral at 1.8 mm and know which image was shown, so their ids are those of NSD:
``nsd-NNNNN``, the 0-based nsdId with five digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.deposit import Neuroids, count_repeats, deposit_responses
from brainalign.datasets.nsd_packaging_files import (
    brain_diffuser_design,
    brain_diffuser_means,
    mindeye1_samples,
    mindeye1_subjects,
    mindeye2_values,
)
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.shipped_files import chosen, tree_root
from brainalign.errors import DatasetError
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["ingest_brain_diffuser", "ingest_mindeye1", "ingest_mindeye2", "nsd_id", "require_nsd_ids"]

Array = npt.NDArray[Any]
N_IMAGES = 73_000


def nsd_id(number: int) -> str:
    """Return the stimulus id of a 0-based nsdId.

    >>> nsd_id(2950)
    'nsd-02950'
    """
    return f"nsd-{number:05d}"


def ingest_mindeye1(
    root: str | Path | None, store: Store, *, subjects: Sequence[str] | None = None, variant: str | None = None
) -> IngestReport:
    """Bring the tars of MindEye1 into the store: up to three single trials an image, 37 sessions.

    Parameters
    ----------
    root : path
        ``webdataset_avg_split``, or the folder that holds it.
    store : Store
    subjects : sequence of str, optional
        As ``subj01``. Default: those that are there.
    variant : {"nsdgeneral"}, optional

    Returns
    -------
    IngestReport
        Rows that repeat a trial to fill three are left out (``num_uniques``); coordinate ``split`` names the part.
    """
    manifest = load_manifest("nsd-mindeye1")
    folder = tree_root(root, "webdataset_avg_split", "train/train_subj*.tar", manifest.location)
    there = mindeye1_subjects(folder)
    reports = []
    for subject in chosen("subject", subjects, there):
        values, rows = mindeye1_samples(folder, subject)
        reports.append(_put(store, manifest.id, subject, variant, values, rows, licence=manifest.licence))
    return _ingested(store, manifest.id, reports)


def ingest_mindeye2(
    root: str | Path | None, store: Store, *, subjects: Sequence[str] | None = None, variant: str | None = None
) -> IngestReport:
    """Bring MindEye2's betas into the store: every trial that its behaviour tars list.

    Parameters
    ----------
    root : path
        Folder with ``betas_all_subj0S_fp32_renorm.hdf5`` and ``wds/subj0S/{train,test,new_test}/*.tar``.
    store : Store
    subjects : sequence of str, optional
        As ``subj01``. Default: those that are there.
    variant : {"nsdgeneral"}, optional

    Returns
    -------
    IngestReport
        Coordinates ``session run trial`` and, as booleans, ``split_train``, ``split_test``, ``split_new_test``.
    """
    manifest = load_manifest("nsd-mindeye2")
    folder = tree_root(root, "mindeyev2", "betas_all_subj*.hdf5", manifest.location)
    there = sorted({p.name.split("_")[2] for p in folder.glob("betas_all_subj*.hdf5")})
    reports = []
    for subject in chosen("subject", subjects, there):
        values, rows = mindeye2_values(folder, subject)
        reports.append(_put(store, manifest.id, subject, variant, values, rows, licence=manifest.licence))
    return _ingested(store, manifest.id, reports)


def ingest_brain_diffuser(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    expdesign: str | Path | None = None,
    sessions: int = 37,
) -> IngestReport:
    """Bring brain-diffuser's arrays into the store: means over trials, no z-score, percent signal change.

    The arrays hold no ids. Their order is that in which the images first appeared in time, which NSD's design file
    gives.

    Parameters
    ----------
    root : path
        ``processed_data``, or the folder that holds it.
    store : Store
    subjects : sequence of str, optional
        As ``subj01``. Default: those that are there.
    variant : {"nsdgeneral"}, optional
    expdesign : path, optional
        ``nsd_expdesign.mat``. Default: in ``root`` or at its place in an NSD tree below ``root``.
    sessions : int
        Sessions that were averaged over.

    Returns
    -------
    IngestReport
        Coordinates ``split`` and ``n_averaged`` (trials behind each mean). Betas are divided by 300.
    """
    manifest = load_manifest("nsd-brain-diffuser")
    folder = tree_root(root, "processed_data", "subj*/nsd_train_fmriavg_nsdgeneral_sub*.npy", manifest.location)
    design = brain_diffuser_design(folder, expdesign)
    there = sorted(p.name for p in folder.glob("subj*") if any(p.glob("nsd_train_fmriavg_nsdgeneral_sub*.npy")))
    reports = []
    for subject in chosen("subject", subjects, there):
        values, rows = brain_diffuser_means(folder, subject, design, sessions)
        reason = "responses came averaged over the trials of an image (coordinate n_averaged)"
        reports.append(
            _put(store, manifest.id, subject, variant, values, rows, averaged=reason, licence=manifest.licence)
        )
    return _ingested(store, manifest.id, reports)


def _put(
    store: Store,
    dataset: str,
    subject: str,
    variant: str | None,
    values: Array,
    rows: dict[str, Array],
    *,
    averaged: str = "",
    licence: str,
) -> ImportReport:
    numbers = rows.pop("image")
    require_nsd_ids(numbers, f"{dataset}, {subject}")
    rows["stimulus"] = np.array([nsd_id(int(n)) for n in numbers], dtype=object)
    if not averaged:
        rows["repetition"] = count_repeats(rows["stimulus"])
    neuroids = Neuroids(np.ones((values.shape[1], 1), dtype=bool), ["nsdgeneral"])
    return deposit_responses(
        store,
        dataset=dataset,
        variant=chosen("variant", [variant or "nsdgeneral"], ["nsdgeneral"])[0],
        subject=subject,
        values=values,
        rows=rows,
        neuroids=neuroids,
        stimulus_set=_stimulus_set(store, dataset),
        attrs={"simulated": False, "licence": licence},
        options={"reader": f"{dataset}/1", "averaged": averaged},
        averaged=averaged,
    )


def require_nsd_ids(numbers: Array, where: str) -> None:
    """Raise DatasetError unless the numbers can be nsdIds, which count from 0."""
    if numbers.min() < 0 or numbers.max() >= N_IMAGES:
        raise DatasetError(
            f"{where}: image numbers run from {numbers.min()} to {numbers.max()}; nsdIds are 0 to "
            f"{N_IMAGES - 1}. Numbers up to {N_IMAGES} would be 1-based."
        )


def _stimulus_set(store: Store, dataset: str) -> str:
    """Return the set of NSD's images, if the store has it; else one of all ids, without images."""
    if "nsd" in store.stimulus_sets():
        return "nsd"
    store.put_stimuli("nsd-ids", pd.DataFrame({"stimulus": [nsd_id(i) for i in range(N_IMAGES)]}))
    return "nsd-ids"


def _ingested(store: Store, dataset: str, reports: list[ImportReport]) -> IngestReport:
    return IngestReport(dataset, {_stimulus_set(store, dataset): N_IMAGES}, tuple(reports))

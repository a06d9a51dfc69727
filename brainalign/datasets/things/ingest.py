"""THINGS-fMRI into the store: from the tables, or from the volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from brainalign.datasets.deposit import Neuroids, count_repeats, deposit_responses
from brainalign.datasets.masked_frames import Mask, read_mask
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.roi_masks import neuroids_of
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.stacked import row_parts, stacked
from brainalign.datasets.stimulus_sets import extend_stimuli, with_images
from brainalign.datasets.things.table import read_trials, read_voxels, response_block
from brainalign.datasets.things.volumes import read_runs, region_images
from brainalign.datasets.trees import chosen_subjects, find_files, find_one, require_root
from brainalign.errors import DatasetError
from brainalign.manifests import Manifest, load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["DATASET", "ingest_things_fmri", "mask_of_size", "subjects_on_disk"]

DATASET = "things-fmri"
SPLIT_OF = {"betas-csv": "", "betas-csv-train": "train", "betas-csv-test": "test", "betas-vol": ""}
IN_STIMULI = ("concept", "filename")


@dataclass(frozen=True)
class _Subject:
    """Trials (one row each), values and neuroids of one subject, ready to be stored."""

    name: str
    trials: pd.DataFrame
    values: xr.Variable
    neuroids: Neuroids
    attrs: dict[str, Any]
    notes: tuple[str, ...] = ()

    def stimuli(self) -> pd.DataFrame:
        """One row a stimulus."""
        columns = ["stimulus", *(column for column in IN_STIMULI if column in self.trials)]
        return self.trials[columns].drop_duplicates("stimulus", ignore_index=True)

    def rows(self) -> dict[str, npt.NDArray[Any]]:
        """One array along presentation a column."""
        columns = self.trials.drop(columns=list(IN_STIMULI), errors="ignore")
        rows = {
            str(name): column.to_numpy()
            if pd.api.types.is_numeric_dtype(column)
            else column.astype(str).to_numpy(dtype=object)
            for name, column in columns.items()
        }
        return rows | {"repetition": count_repeats(rows["stimulus"])}


def ingest_things_fmri(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    images: str | Path | None = None,
) -> IngestReport:
    """Bring single-trial responses into the store.

    Parameters
    ----------
    root : path
        Folder that holds, at any depth, ``sub-01_ResponseData.h5``, ``sub-01_StimulusMetadata.csv`` and
        ``sub-01_VoxelMetadata.csv`` (``betas_csv``), or the runs of ``betas_vol`` with ``brainmasks``; also
        ``brainmasks`` and ``rois`` where they are there.
    store : Store
    subjects : sequence of str, optional
        ``sub-01`` to ``sub-03``; default: all on disk.
    variant : {"betas-csv", "betas-csv-train", "betas-csv-test", "betas-vol"}, optional
        The table of responses, one split of it, or the volumes. Default: ``betas-csv``, or ``betas-vol`` where there
        are only volumes.
    images : path, optional
        Folder or zip of the THINGS images, which are not released with the responses.

    Returns
    -------
    IngestReport
        Stimulus set ``things-fmri``, ids as the file names without ending (``dog_12s``). Catch trials are left out.

    Raises
    ------
    DatasetError
        If files are absent, damaged, of other sizes than those beside them, or of another grid.

    Notes
    -----
    Nothing is unpickled: the values lie in the HDF5 file as numbers, and the ids in ``StimulusMetadata.csv``.
    Streams; a block of trials takes 256 MB, for which the table is passed over once.
    """
    manifest = load_manifest(DATASET)
    folder = require_root(manifest, root)
    tables, volumes = subjects_on_disk(folder)
    fallback = "betas-vol" if volumes and not tables else "betas-csv"
    kind = chosen("variant", [variant or fallback], manifest.variants)[0]
    if kind == "betas-vol":
        needs = "betas_vol/…/sub-01_ses-things01_run-01_betas.nii.gz and so on"
        names = chosen_subjects(manifest, folder, volumes, subjects, files=needs)
        found = [_from_volumes(folder, name, manifest) for name in names]
    else:
        names = chosen_subjects(manifest, folder, tables, subjects, files="betas_csv/sub-01_ResponseData.h5 and so on")
        found = [_from_table(folder, name, SPLIT_OF[kind], manifest) for name in names]
    table = pd.concat([subject.stimuli() for subject in found]).drop_duplicates("stimulus", ignore_index=True)
    table, source, how = with_images(table, images)
    whole = extend_stimuli(store, DATASET, table, source=source, kind=how)
    return IngestReport(DATASET, {DATASET: len(whole)}, tuple(_deposit(store, s, kind, manifest) for s in found))


def subjects_on_disk(root: Path) -> tuple[set[str], set[str]]:
    """Return the subjects with tables, and those with volumes."""
    tables = {path.name.split("_")[0] for path in find_files(root, "sub-*_ResponseData.h5")}
    volumes = {path.name.split("_")[0] for path in find_files(root, "sub-*_run-*_betas.nii*")}
    return tables, volumes


def _deposit(store: Store, subject: _Subject, variant: str, manifest: Manifest) -> ImportReport:
    return deposit_responses(
        store,
        dataset=DATASET,
        variant=variant,
        subject=subject.name,
        values=subject.values,
        rows=subject.rows(),
        neuroids=subject.neuroids,
        stimulus_set=DATASET,
        attrs={"licence": manifest.licence, **subject.attrs},
        options={"reader": "things-fmri/1", "split": SPLIT_OF[variant] or "all"},
        notes=subject.notes,
    )


def _from_table(root: Path, name: str, split: str, manifest: Manifest) -> _Subject:
    trials = read_trials(find_one(root, f"{name}_StimulusMetadata.csv", manifest))
    voxels = read_voxels(find_one(root, f"{name}_VoxelMetadata.csv", manifest))
    path = find_one(root, f"{name}_ResponseData.h5", manifest)
    block = response_block(path, voxels, len(trials))
    kept = np.flatnonzero(trials["split"] == split) if split else np.arange(len(trials))
    if not len(kept):
        raise DatasetError(f"{name}_StimulusMetadata.csv has no trial of trial_type {split!r}.")
    parts = row_parts(len(kept), voxels.n * block.dtype.itemsize, lambda rows: block.trials(kept[rows]))
    masks = find_files(root, f"{name}_space-T1w_brainmask.nii*")
    mask = mask_of_size(read_mask(masks[0]), voxels.n, path) if masks else None
    return _Subject(
        name,
        trials.iloc[kept],
        stacked(parts, voxels.n, block.dtype),
        neuroids_of(voxels.masks, voxels.coordinates, voxels.n),
        {} if mask is None else mask.attrs(),
    )


def _from_volumes(root: Path, name: str, manifest: Manifest) -> _Subject:
    mask = read_mask(find_one(root, [f"{name}_space-T1w_brainmask.nii{end}" for end in (".gz", "")], manifest))
    runs = read_runs(root, name, mask)
    trials = pd.concat([run.trials for run in runs], ignore_index=True)
    if find_files(root, f"{name}_StimulusMetadata.csv"):
        known = read_trials(find_one(root, f"{name}_StimulusMetadata.csv", manifest)).drop_duplicates("stimulus")
        trials["split"] = trials["stimulus"].map(known.set_index("stimulus")["split"]).fillna("")
    masks = region_images(root, name, mask)
    return _Subject(
        name,
        trials,
        stacked([run.part(mask) for run in runs], mask.size, runs[0].dtype),
        neuroids_of(masks, mask.coordinates(), mask.size),
        mask.attrs(),
        (f"{sum(run.n_catch for run in runs)} catch trials are left out",),
    )


def mask_of_size(mask: Mask, n_voxels: int, path: Path) -> Mask:
    """Return a mask after looking whether it marks as many voxels as ``path`` holds; DatasetError otherwise."""
    if mask.size != n_voxels:
        raise DatasetError(f"{mask.of} marks {mask.size} voxels; {path} holds {n_voxels}. They are of two subjects.")
    return mask

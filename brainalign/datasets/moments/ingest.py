"""BOLD Moments into the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.deposit import Neuroids, deposit_responses
from brainalign.datasets.moments.files import (
    ORGANIZED,
    SPACES,
    VideoBetas,
    organized_betas,
    subjects_with,
)
from brainalign.datasets.moments.regions import region_betas, region_masks, subject_mask
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.roi_masks import neuroids_of
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.stacked import Part, row_parts, stacked
from brainalign.datasets.stimulus_sets import extend_stimuli, with_images
from brainalign.datasets.trees import chosen_subjects, require_root
from brainalign.errors import DatasetError
from brainalign.manifests import Manifest, load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["DATASET", "SPLITS", "ingest_bold_moments"]

Array = npt.NDArray[Any]

DATASET = "bold-moments"
SPLITS = {"": ("train", "test"), "-train": ("train",), "-test": ("test",)}
VARIANTS = {f"{space}{ending}": (space, splits) for space in SPACES for ending, splits in SPLITS.items()}


@dataclass(frozen=True)
class _Subject:
    """Betas of the splits and neuroids of one subject; ``kept`` are the columns that hold data in all of them."""

    name: str
    splits: list[VideoBetas]
    kept: npt.NDArray[np.intp]
    neuroids: Neuroids
    attrs: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def ingest_bold_moments(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    trust_pickle: bool = False,
    images: str | Path | None = None,
) -> IngestReport:
    """Bring the prepared responses (version B, normalised) into the store.

    Parameters
    ----------
    root : path
        Folder that holds the files of ``derivatives/versionB``, at any depth.
    store : Store
    subjects : sequence of str, optional
        ``sub-01`` to ``sub-10``; default: all on disk.
    variant : str, optional
        ``mni152`` (default), ``fslr32k``, ``fsaverage``, or ``rois`` (the files of single regions in MNI space); each
        also with ``-train`` or ``-test``.
    trust_pickle : bool
        All these files are pickles, and are refused unless this says that they come from a source you trust. Even then
        they are read without running what they hold: :mod:`brainalign.foreign.unpickling`.
    images : path, optional
        Folder or zip with one film a video, ``vid0001.mp4`` and so on, or one folder of frames, ``vid0001/``, or one
        image, ``vid0001.jpg``, as a middle frame.

    Returns
    -------
    IngestReport
        Stimulus set ``bold-moments``, ids ``vid0001`` to ``vid1102``.

    Raises
    ------
    DatasetError
        If files are absent, not trusted, damaged, or of other sizes than those beside them.

    Notes
    -----
    Memory: the betas of one subject, 3.5 GB in MNI space, since a pickle cannot be read in parts.
    """
    manifest = load_manifest(DATASET)
    folder = require_root(manifest, root)
    kind = chosen("variant", [variant or "mni152"], manifest.variants)[0]
    space, splits = VARIANTS[kind]
    there = subjects_with(folder, space, splits)
    names = chosen_subjects(manifest, folder, there, subjects, files=f"{ORGANIZED[space]} and so on")
    entries, n_stimuli = [], 0
    for name in names:  # one at a time: a subject fills the memory
        subject = _read(folder, name, space, splits, trust_pickle)
        ids = pd.DataFrame({"stimulus": [i for split in subject.splits for i in split.ids]})
        table, source, how = with_images(ids, images)
        n_stimuli = len(extend_stimuli(store, DATASET, table, source=source, kind=how))
        entries.append(_deposit(store, subject, kind, manifest))
    return IngestReport(DATASET, {DATASET: n_stimuli}, tuple(entries))


def _read(root: Path, name: str, space: str, splits: tuple[str, ...], trust_pickle: bool) -> _Subject:
    if space == "rois":
        found, masks = region_betas(root, name, splits, trust_pickle=trust_pickle)
        n = found[0].n_neuroids
        return _Subject(name, found, np.arange(n), neuroids_of(masks, {}, n))
    found = [organized_betas(root, name, space, split, trust_pickle=trust_pickle) for split in splits]
    widths = {split.n_neuroids for split in found}
    if len(widths) > 1:
        raise DatasetError(
            f"{found[0].path} and {found[1].path} have {sorted(widths)} places; they are of two subjects."
        )
    kept, missing = _with_data(found)
    notes = (f"{missing} places have no data (NaN) and are left out",) if missing else ()
    if space == "mni152":
        return _in_volume(root, name, found, kept, notes, trust_pickle)
    if space == "fsaverage":
        left, right = found[0].hemispheres
        coordinates = {
            "vertex": np.concatenate([np.arange(left), np.arange(right)])[kept],
            "hemisphere": np.repeat(np.array(["lh", "rh"], dtype=object), [left, right])[kept],
        }
        attrs: dict[str, Any] = {"surface": "fsaverage", "shape": [left, right]}
        return _Subject(name, found, kept, neuroids_of({}, coordinates, len(kept)), attrs, notes)
    return _Subject(
        name, found, kept, neuroids_of({}, {"grayordinate": kept}, len(kept)), {"surface": "fsLR32k"}, notes
    )


def _in_volume(
    root: Path, name: str, found: list[VideoBetas], kept: Array, notes: tuple[str, ...], trust_pickle: bool
) -> _Subject:
    mask = subject_mask(root, name, found)
    if mask is None:
        said = ("no mask says which voxels these are: they have neither places nor regions",)
        return _Subject(name, found, kept, neuroids_of({}, {}, len(kept)), {}, notes + said)
    masks, outside = region_masks(root, name, mask, trust_pickle=trust_pickle)
    notes += (f"{outside} voxels of regions lie outside the mask and are left out",) if outside else ()
    coordinates = {axis: places[kept] for axis, places in mask.coordinates().items()}
    regions = {region: members[kept] for region, members in masks.items()}
    return _Subject(name, found, kept, neuroids_of(regions, coordinates, len(kept)), mask.attrs(), notes)


def _with_data(found: list[VideoBetas]) -> tuple[npt.NDArray[np.intp], int]:
    there = np.all([np.isfinite(split.matrix()[0]) for split in found], axis=0)
    return np.flatnonzero(there), int((~there).sum())


def _deposit(store: Store, subject: _Subject, variant: str, manifest: Manifest) -> ImportReport:
    matrices = [split.matrix() for split in subject.splits]
    parts = [part for matrix in matrices for part in _parts(matrix, subject.kept)]
    dtype = np.result_type(*[matrix.dtype for matrix in matrices])
    rows = {
        "stimulus": [i for split in subject.splits for i in np.repeat(split.ids, split.n_repeats)],
        "repetition": [r for split in subject.splits for r in np.tile(np.arange(split.n_repeats), len(split.ids))],
        "split": [split.name for split in subject.splits for _ in range(len(split.ids) * split.n_repeats)],
    }
    return deposit_responses(
        store,
        dataset=DATASET,
        variant=variant,
        subject=subject.name,
        values=stacked(parts, len(subject.kept), dtype),
        rows={
            name: np.array(column, dtype=np.int64 if name == "repetition" else object) for name, column in rows.items()
        },
        neuroids=subject.neuroids,
        stimulus_set=DATASET,
        attrs={
            "licence": manifest.licence,
            "unit": "z-score within session by its training trials",
            **subject.attrs,
        },
        options={"reader": "bold-moments/1", "splits": list(VARIANTS[variant][1])},
        notes=subject.notes,
    )


def _parts(matrix: Array, kept: npt.NDArray[np.intp]) -> list[Part]:
    return row_parts(len(matrix), matrix.shape[1] * matrix.itemsize, lambda rows: matrix[rows][:, kept])

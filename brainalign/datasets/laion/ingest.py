"""LAION-fMRI into the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.deposit import count_repeats, deposit_responses
from brainalign.datasets.laion.files import (
    BETAS,
    Session,
    ceilings,
    chosen_mask,
    read_session,
    region_images,
    session_files,
)
from brainalign.datasets.laion.stimuli import laion_images
from brainalign.datasets.masked_frames import Mask, frame_count, frame_dtype, without_missing
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.roi_masks import neuroids_of
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.stacked import Part, stacked
from brainalign.datasets.stimulus_sets import extend_stimuli
from brainalign.datasets.trees import chosen_subjects, find_files, require_root
from brainalign.errors import DatasetError
from brainalign.manifests import Manifest, load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["DATASET", "ingest_laion_fmri", "less_than_all", "subjects_on_disk"]

Array = npt.NDArray[Any]

DATASET = "laion-fmri"


@dataclass(frozen=True)
class Variant:
    """Which images, and whether responses are standardised within session."""

    pool: str = ""
    zscore: bool = True


VARIANTS = {
    "glmsingle.z": Variant(),
    "glmsingle": Variant(zscore=False),
    "glmsingle-shared.z": Variant("shared"),
    "glmsingle-shared": Variant("shared", zscore=False),
}


@dataclass(frozen=True)
class _Subject:
    """Sessions and voxels of one subject, checked."""

    name: str
    sessions: list[Session]
    mask: Mask
    notes: tuple[str, ...]

    @property
    def trials(self) -> pd.DataFrame:
        """Trials that are taken, in order."""
        return pd.concat([session.trials for session in self.sessions], ignore_index=True)


def ingest_laion_fmri(
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
        Folder that holds, at any depth, ``sub-01_ses-01_task-images_…_desc-SingletrialBetas_statmap.nii.gz`` with its
        ``…_trials.tsv`` (``derivatives/glmsingle-tedana``), and regions below ``rois`` or ``atlases``.
    store : Store
    subjects : sequence of str, optional
        ``sub-01``, ``sub-03``, ``sub-05``, ``sub-06``, ``sub-07``; default: all on disk.
    variant : {"glmsingle.z", "glmsingle", "glmsingle-shared.z", "glmsingle-shared"}, optional
        z-scores within session (over all of its trials) or betas; all images, or those that all subjects saw.
    images : path, optional
        The released archive ``task-images_stimuli.h5`` with ``task-images_metadata.csv`` beside it, or a folder or zip
        of the stimuli; default: the archive, where it lies below ``root``. Images are read where they lie.

    Returns
    -------
    IngestReport
        Stimulus set ``laion-fmri``, ids as the labels of the trials without the ending of an image; column ``pool`` of
        the set tells shared from unique ones.

    Raises
    ------
    DatasetError
        If files are absent, damaged, of another grid, or tables do not name every volume once.

    Notes
    -----
    Streams: one session of the chosen voxels is in memory at a time.
    """
    manifest = load_manifest(DATASET)
    folder = require_root(manifest, root)
    kind = chosen("variant", [variant or "glmsingle.z"], VARIANTS)[0]
    there = subjects_on_disk(folder)
    needs = f"derivatives/glmsingle-tedana/sub-01/ses-01/func/sub-01_ses-01_task-images_…{BETAS}.gz and so on"
    names = chosen_subjects(manifest, folder, there, subjects, files=needs)
    found = [_read(folder, name, VARIANTS[kind].pool) for name in names]
    table = pd.concat([subject.trials[["stimulus", "filename"]] for subject in found])
    table = table.drop_duplicates("stimulus", ignore_index=True)
    table["pool"] = table["stimulus"].str.split("_").str[0]
    table, source, how = laion_images(folder, table, images)
    whole = extend_stimuli(store, DATASET, table, source=source, kind=how)
    entries = [_deposit(store, folder, subject, kind, manifest) for subject in found]
    return IngestReport(DATASET, {DATASET: len(whole)}, tuple(entries))


def subjects_on_disk(root: Path) -> set[str]:
    """Return the subjects that have betas."""
    return {path.name.split("_")[0] for path in find_files(root, f"sub-*_ses-*{BETAS}*")}


def less_than_all(numbers: Sequence[int]) -> list[str]:
    """Return a note if a session before the last is missing."""
    absent = sorted(set(range(1, max(numbers))) - set(numbers))
    return [f"sessions {', '.join(map(str, absent))} are not on disk"] if absent else []


def _read(root: Path, name: str, pool: str) -> _Subject:
    sessions = [read_session(path, number) for number, path in session_files(root, name).items()]
    mask, said = chosen_mask(root, name, [session.path for session in sessions])
    for session in sessions:
        frame_count(session.path, like=mask)
    mask, missing = without_missing(mask, [session.path for session in sessions])
    notes = [said] if said else []
    notes += [f"{missing} voxels have no data (NaN) and are left out"] if missing else []
    notes += less_than_all([session.number for session in sessions])
    if pool:
        sessions = [Session(s.number, s.path, _of_pool(s.trials, pool)) for s in sessions]
        sessions = [session for session in sessions if len(session.trials)]
        if not sessions:
            raise DatasetError(f"no trial of {name} shows a {pool} image: no label begins with '{pool}_'.")
    return _Subject(name, sessions, mask, tuple(notes))


def _of_pool(trials: pd.DataFrame, pool: str) -> pd.DataFrame:
    return trials[trials["stimulus"].str.startswith(f"{pool}_")].reset_index(drop=True)


def _deposit(store: Store, root: Path, subject: _Subject, variant: str, manifest: Manifest) -> ImportReport:
    of, mask = VARIANTS[variant], subject.mask
    parts = [
        Part(len(session.trials), lambda session=session: session.values(mask, zscore=of.zscore))  # type: ignore[misc]
        for session in subject.sessions
    ]
    dtype = np.result_type(np.float32, *[frame_dtype(session.path) for session in subject.sessions])
    trials = subject.trials
    rows = {name: trials[name].to_numpy() for name in ("session", "run", "trial") if name in trials}
    ids = trials["stimulus"].to_numpy(dtype=object)
    masks, notes = region_images(root, subject.name, mask)
    coordinates = mask.coordinates() | ceilings(root, subject.name, mask)
    return deposit_responses(
        store,
        dataset=DATASET,
        variant=variant,
        subject=subject.name,
        values=stacked(parts, mask.size, dtype),
        rows={"stimulus": ids, "repetition": count_repeats(ids), **rows},
        neuroids=neuroids_of(masks, coordinates, mask.size),
        stimulus_set=DATASET,
        attrs={
            "licence": manifest.licence,
            "unit": "z-score within session" if of.zscore else "GLMsingle beta",
            **mask.attrs(),
        },
        options={"reader": "laion-fmri/1", "pool": of.pool or "all", "zscore": of.zscore},
        notes=[*subject.notes, *notes],
    )

"""BOLD5000 into the store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from brainalign.datasets.bold5000.matrices import first_release, second_release
from brainalign.datasets.bold5000.trials import Trials, read_trials, session_volumes, with_sessions
from brainalign.datasets.bold5000.variants import BETA_TYPES, REGIONS, VARIANTS, Variant, region_of_mask
from brainalign.datasets.deposit import Neuroids, count_repeats, deposit_responses
from brainalign.datasets.masked_frames import Mask, frame_count, frame_dtype, masked_frames, read_mask, without_missing
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.roi_masks import Masks, neuroids_of
from brainalign.datasets.sessions import zscore_sessions
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.stacked import Part, stacked
from brainalign.datasets.stimulus_sets import extend_stimuli, with_images
from brainalign.datasets.trees import chosen_subjects, find_files, find_one, require_root
from brainalign.manifests import Manifest, load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["DATASET", "ingest_bold5000", "region_files", "region_masks", "subjects_of"]

Array = npt.NDArray[Any]
DATASET = "bold5000"


@dataclass(frozen=True)
class _Subject:
    """Values and neuroids of one subject, ready to be stored."""

    name: str
    trials: Trials
    sessions: Array | None
    values: Array | xr.Variable
    neuroids: Neuroids
    attrs: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def ingest_bold5000(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    sessions: Sequence[int] | None = None,
    images: str | Path | None = None,
) -> IngestReport:
    """Bring single-trial responses into the store.

    Parameters
    ----------
    root : path
        Folder that holds, at any depth, release 1 (``CSI1_ROIs_TR34.h5`` or ``.mat``, ``CSI01_stim_lists.txt``) or
        release 2 (``CSI1_GLMbetas-TYPED-…_allses_LHPPA.npy`` and so on, or the volumes
        ``CSI1_GLMbetas-TYPED-…_ses-01.nii.gz`` with ``CSI1_brainmask.nii.gz``; ``CSI1_imgnames.txt``).
    store : Store
    subjects : sequence of str, optional
        ``CSI1`` to ``CSI4``; default: all on disk.
    variant : str, optional
        ``release1.TR34`` (mean of TRs 3 and 4; also TR1 to TR5), ``glmsingle.TYPED.z`` (release 2, region matrices;
        TYPEA to TYPED, ``.z`` for z-scores within session) or ``glmsingle-volume.TYPED.z``. Default: the first of
        ``glmsingle.TYPED.z``, ``glmsingle-volume.TYPED.z``, ``release1.TR34`` whose files are on disk.
    sessions : sequence of int, optional
        Trials of each session, where no file says them. Volumes and event tables do.
    images : path, optional
        Folder or zip of the stimuli.

    Returns
    -------
    IngestReport
        Stimulus set ``bold5000``, ids as the file names without ending and without the mark ``rep_``.

    Raises
    ------
    DatasetError
        If files are absent, damaged, of another grid or number of trials, or sessions are needed and unknown.
    """
    manifest = load_manifest(DATASET)
    folder = require_root(manifest, root)
    kind = chosen("variant", [variant or _on_disk(folder)], VARIANTS)[0]
    of = VARIANTS[kind]
    names = chosen_subjects(manifest, folder, subjects_of(folder, of), subjects, files=_pattern(of))
    found = [_read(folder, name, of, sessions, manifest) for name in names]
    table = pd.concat([pd.DataFrame({"stimulus": s.trials.ids, "filename": s.trials.files}) for s in found])
    table, source, how = with_images(table.drop_duplicates("stimulus", ignore_index=True), images)
    whole = extend_stimuli(store, DATASET, table, source=source, kind=how)
    return IngestReport(DATASET, {DATASET: len(whole)}, tuple(_deposit(store, s, kind, manifest) for s in found))


def _deposit(store: Store, subject: _Subject, variant: str, manifest: Manifest) -> ImportReport:
    of = VARIANTS[variant]
    ids = np.array(subject.trials.ids, dtype=object)
    rows: dict[str, Array] = {"stimulus": ids, "repetition": count_repeats(ids), "trial": np.arange(1, len(ids) + 1)}
    if subject.sessions is not None:
        rows["session"] = subject.sessions
    unit = {1: "BOLD signal", 2: "percent signal change"}[of.release]
    return deposit_responses(
        store,
        dataset=DATASET,
        variant=variant,
        subject=subject.name,
        values=subject.values,
        rows=rows,
        neuroids=subject.neuroids,
        stimulus_set=DATASET,
        attrs={"licence": manifest.licence, "unit": "z-score within session" if of.zscore else unit, **subject.attrs},
        options={"reader": "bold5000/1", "release": of.release, "source": of.source, "zscore": of.zscore},
        notes=subject.notes,
    )


def _read(root: Path, name: str, of: Variant, given: Sequence[int] | None, manifest: Manifest) -> _Subject:
    trials = read_trials(root, name, of.release, manifest)
    if of.volume:
        return _volumes(root, name, of, trials, manifest)
    sessions = with_sessions(root, name, trials, given, needed=of.zscore)
    if of.release == 1:
        matrices = first_release(root, name, of.source, trials, manifest)
    else:
        matrices = second_release(root, name, of.source, trials, manifest)
    values = np.concatenate(list(matrices.values()), axis=1)
    if of.zscore:
        assert sessions is not None
        values = zscore_sessions(values, sessions)
    home = np.repeat(np.array(list(matrices)), [matrix.shape[1] for matrix in matrices.values()])
    return _Subject(name, trials, sessions, values, neuroids_of({r: home == r for r in matrices}, {}, len(home)))


def _volumes(root: Path, name: str, of: Variant, trials: Trials, manifest: Manifest) -> _Subject:
    mask = read_mask(find_one(root, [f"{name}_brainmask.nii.gz", f"{name}_brainmask.nii"], manifest))
    paths = session_volumes(root, name, of.source)
    mask, missing = without_missing(mask, list(paths.values()))
    sizes = [frame_count(path, like=mask) for path in paths.values()]
    sessions = with_sessions(root, name, trials, sizes, needed=True)
    kinds = [frame_dtype(path) for path in paths.values()]
    parts = [
        Part(n, lambda path=path: _session(path, mask, of.zscore))  # type: ignore[misc]
        for n, path in zip(sizes, paths.values(), strict=True)
    ]
    dtype = np.result_type(np.float32, *kinds)
    neuroids = neuroids_of(region_masks(root, name, mask), mask.coordinates(), mask.size)
    return _Subject(name, trials, sessions, stacked(parts, mask.size, dtype), neuroids, mask.attrs(), _missing(missing))


def _missing(n: int) -> tuple[str, ...]:
    return (f"{n} voxels of the brain mask have no data (NaN) and are left out",) if n else ()


def _session(path: Path, mask: Mask, zscore: bool) -> Array:
    values = masked_frames(path, mask)
    return zscore_sessions(values, np.zeros(len(values))) if zscore else values


def region_masks(root: Path, name: str, mask: Mask) -> Masks:
    """Read the region masks of a subject that are on disk; DatasetError if one is damaged or of another grid."""
    files = region_files(root, name)
    return {region: np.nan_to_num(mask.values(files[region])) > 0 for region in REGIONS if region in files}


def region_files(root: Path, name: str) -> dict[str, Path]:
    """Return the region masks of a subject, also those whose names are misspelt."""
    found: dict[str, Path] = {}
    for path in find_files(root, f"sub-{name}_mask-*.nii*"):
        found.setdefault(region_of_mask(path.name) or "", path)
    return found


def _on_disk(root: Path) -> str:
    """The first default variant whose files are there."""
    defaults = ("glmsingle.TYPED.z", "glmsingle-volume.TYPED.z", "release1.TR34")
    return next((name for name in defaults if subjects_of(root, VARIANTS[name])), defaults[0])


def subjects_of(root: Path, of: Variant) -> set[str]:
    """Return the subjects that have files of a variant."""
    if of.release == 1:
        found = find_files(root, f"*_ROIs_TR{of.source}.*")
    elif of.volume:
        found = find_files(root, f"*_GLMbetas-{BETA_TYPES[of.source]}_ses-*.nii*")
    else:
        found = find_files(root, f"*_GLMbetas-{BETA_TYPES[of.source]}_allses_*.npy")
    return {match[1] for path in found if (match := re.match(r"(\w+?)_(?:ROIs|GLMbetas)", path.name))}


def _pattern(of: Variant) -> str:
    if of.release == 1:
        return f"ROIs/CSI1/h5/CSI1_ROIs_TR{of.source}.h5 and so on"
    place = "ses-01.nii.gz" if of.volume else "allses_LHEarlyVis.npy"
    return f"CSI1_GLMbetas-{BETA_TYPES[of.source]}_{place} and so on"

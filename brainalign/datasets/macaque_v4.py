"""Macaque V4 array recordings (Cowley, Stan, Pillow & Smith 2023), four sessions with their images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.generic import import_responses
from brainalign.datasets.image_files import bundle_images, folder_beside
from brainalign.datasets.images import import_images
from brainalign.datasets.matrices import load_array
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.shipped_files import chosen, require_files
from brainalign.errors import DatasetError
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["ingest_macaque_v4"]

DATASET = "macaque-v4"
MONKEYS = {"190923": "WE", "201025": "PE", "210224": "PE", "210325": "PE"}
AVERAGED: dict[str, int | str] = {
    "190923": 14,
    "201025": 12,
    "210224": 9,
    "210325": "responses came averaged over 6 to 10 repeats; variant spike-counts has single presentations",
}


def ingest_macaque_v4(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    images: str | Path | None = None,
    verify: bool = True,
) -> IngestReport:
    """Bring the sessions into the store; every session is a subject, since each saw other images.

    Parameters
    ----------
    root : path
        Folder with ``responses_<session>.npy``, ``responses_raw_210325.npy`` and ``images_<session>.zip``.
    store : Store
    subjects : sequence of str, optional
        Sessions: 190923, 201025, 210224, 210325.
    variant : {"spike-counts", "spike-counts-averaged"}, optional
        ``spike-counts``: single repeats where they were given (210325), else the averages. Default.
    images : path, optional
        Folder for ``macaque-v4.zip``, which gathers the four zips unchanged. Default: beside the store.
    verify : bool
        Compare the files with the hashes of the manifest.

    Returns
    -------
    IngestReport
        Stimulus set ``macaque-v4``, ids as ``210325-0001``: image k + 1 of a session is column k of its responses.
    """
    manifest = load_manifest(DATASET)
    sessions = chosen("session", subjects, manifest.subjects)
    kind = chosen("variant", [variant or "spike-counts"], manifest.variants)[0]
    files = [f"images_{session}.zip" for session in MONKEYS] + [f"responses_{session}.npy" for session in sessions]
    raw = kind == "spike-counts" and "210325" in sessions
    folder = require_files(manifest, root, files + ["responses_raw_210325.npy"] * raw, verify=verify)
    table = _import_images(folder, store, images)
    entries = []
    for session in sessions:
        ids = [stimulus for stimulus in table["stimulus"] if stimulus.startswith(f"{session}-")]
        entries.append(_import_session(store, folder, session, kind, ids, manifest.licence))
    return IngestReport(DATASET, {DATASET: len(table)}, tuple(entries))


def _import_images(folder: Path, store: Store, images: str | Path | None) -> pd.DataFrame:
    target = (Path(images) if images is not None else folder_beside(store)) / f"{DATASET}.zip"
    files = bundle_images(target, {session: folder / f"images_{session}.zip" for session in MONKEYS})
    ids = {file: f"{file.split('/')[0]}-{PurePosixPath(file).stem.removeprefix('image')}" for file in files}
    return import_images(store, DATASET, target, ids=ids, attrs={"licence": load_manifest(DATASET).licence})


def _import_session(
    store: Store, folder: Path, session: str, variant: str, ids: list[str], licence: str
) -> ImportReport:
    averaged = load_array(folder / f"responses_{session}.npy")
    if averaged.shape[-1] != len(ids):
        raise DatasetError(
            f"responses_{session}.npy has shape {averaged.shape}, (neuron, image); "
            f"images_{session}.zip holds {len(ids)} images."
        )
    single = session == "210325" and variant == "spike-counts"
    matrix = load_array(folder / "responses_raw_210325.npy") if single else averaged
    if single:
        _require_same_means(matrix, averaged)
    neuroids = pd.DataFrame({"V4": np.ones(len(matrix), dtype=bool)})
    return import_responses(
        store,
        dataset=DATASET,
        subject=session,
        variant=variant,
        matrix=matrix,
        axes=("neuroid", "stimulus", "repetition") if single else ("neuroid", "stimulus"),
        stimuli=ids,
        rois=neuroids,
        averaged=None if single else AVERAGED[session],
        stimulus_set=DATASET,
        licence=licence,
        attrs={"monkey": MONKEYS[session], "unit": "spikes in 100 ms"},
    )


def _require_same_means(single: npt.NDArray[Any], averaged: npt.NDArray[Any]) -> None:
    means = np.nanmean(single, axis=2)
    if means.shape != averaged.shape or np.abs(means - averaged).max() > 1e-9 * np.abs(averaged).max():
        raise DatasetError(
            "responses_raw_210325.npy averaged over its repeats is not responses_210325.npy; "
            "one of the two is another file."
        )

"""The 92-object set: images, and human fMRI RDMs of early visual cortex and IT (Cichy, Pantazis & Oliva 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from brainalign.datasets.images import import_images
from brainalign.datasets.rdms import import_rdms
from brainalign.datasets.report import IngestReport
from brainalign.datasets.shipped_files import chosen, require_files
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["ingest_objects92"]

DATASET = "objects92"
ARRAYS = {"fmri15_EVC": "EVC", "fmri15_IT": "IT"}


def ingest_objects92(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    verify: bool = True,
) -> IngestReport:
    """Bring the images and the RDMs of 15 subjects into the store.

    Parameters
    ----------
    root : path
        Folder with ``images_white_bg.zip``, which stays there, and ``rdms.npz``.
    store : Store
    subjects : sequence of str, optional
        ``sub01`` to ``sub15``.
    variant : {"fmri"}, optional
    verify : bool
        Compare the files with the hashes of the manifest.

    Returns
    -------
    IngestReport
        Stimulus set ``objects92``, ids 001 to 092.
    """
    manifest = load_manifest(DATASET)
    kind = chosen("variant", [variant or "fmri"], manifest.variants)[0]
    only = chosen("subject", subjects, manifest.subjects)
    folder = require_files(manifest, root, [file.path for file in manifest.files], verify=verify)
    table = import_images(store, DATASET, folder / "images_white_bg.zip", attrs={"licence": manifest.licence})
    reports = import_rdms(
        store,
        dataset=DATASET,
        variant=kind,
        rdms=folder / "rdms.npz",
        rois=ARRAYS,
        stimuli=list(table["stimulus"]),
        subjects=list(manifest.subjects),
        only=only,
        stimulus_set=DATASET,
        licence=manifest.licence,
        attrs={"dissimilarity": "1 - Pearson correlation of voxel patterns"},
    )
    return IngestReport(DATASET, {DATASET: len(table)}, tuple(reports))

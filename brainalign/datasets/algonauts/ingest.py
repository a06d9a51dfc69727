"""Algonauts 2023 into the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brainalign.datasets.algonauts.splits import FOLDERS, SPLITS, Split, read_splits
from brainalign.datasets.algonauts.vertices import read_regions, shipped_ceiling, vertex_places
from brainalign.datasets.deposit import deposit_responses
from brainalign.datasets.images import describe_images
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.roi_masks import neuroids_of
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.stacked import stacked
from brainalign.datasets.stimulus_sets import extend_stimuli
from brainalign.datasets.trees import chosen_subjects, require_root
from brainalign.manifests import Manifest, load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["DATASET", "ingest_algonauts2023", "subjects_on_disk"]

DATASET = "algonauts2023"
AVERAGED = (
    "responses came averaged over the repetitions of each image; neuroid coordinate noise_ceiling has the share of "
    "variance that can be explained in the test images, as shipped"
)

CEILING = "test_split/noise_ceiling of Algonauts 2023"


def ingest_algonauts2023(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    trust_pickle: bool = False,
) -> IngestReport:
    """Bring the challenge data into the store.

    Parameters
    ----------
    root : path
        Folder with ``subj01`` to ``subj08`` (those that are there), unpacked as released.
    store : Store
    subjects : sequence of str, optional
        Default: all on disk.
    variant : {"challenge", "challenge-train", "challenge-test"}, optional
        ``challenge``: both splits, told apart by the coordinate ``split``; the test split where its responses, which
        were released after the challenge, are on disk.
    trust_pickle : bool
        Read the label tables ``mapping_<ROI>.npy``, which are pickles. Otherwise the published tables are used, which
        the manifest holds.

    Returns
    -------
    IngestReport
        Stimulus set ``algonauts2023``, ids ``nsd-NNNNN`` (NSD's number of the image, counted from 0), as in NSD.

    Raises
    ------
    DatasetError
        If files are absent, damaged, or of other numbers of images or vertices than those beside them.

    Notes
    -----
    Responses are mapped and streamed in blocks of 256 MB.
    """
    manifest = load_manifest(DATASET)
    folder = require_root(manifest, root)
    kind = chosen("variant", [variant or "challenge"], manifest.variants)[0]
    there = subjects_on_disk(folder)
    needs = "folders subj01 … with training_split/training_fmri and training_split/training_images"
    names = chosen_subjects(manifest, folder, there, subjects, files=needs)
    splits = {name: read_splits(folder / name, kind) for name in names}
    n_stimuli = _register_images(store, folder, [s for each in splits.values() for s in each], manifest)
    entries = [_deposit(store, folder / name, kind, splits[name], manifest, trust_pickle) for name in names]
    return IngestReport(DATASET, {DATASET: n_stimuli}, tuple(entries))


def subjects_on_disk(root: Path) -> list[str]:
    """Return the subjects that have a folder of either split."""
    return [path.name for path in root.glob("subj*") if any((path / split).is_dir() for split, _ in FOLDERS.values())]


def _register_images(store: Store, folder: Path, splits: list[Split], manifest: Manifest) -> int:
    files: dict[str, str] = {}
    for split in splits:
        for file, stimulus in zip(split.files, split.ids, strict=True):
            files.setdefault(stimulus, file)
    table, kind = describe_images(folder, ids={file: stimulus for stimulus, file in files.items()})
    source = str(folder.resolve())
    return len(extend_stimuli(store, DATASET, table, source=source, kind=kind, attrs={"licence": manifest.licence}))


def _deposit(
    store: Store, subject: Path, variant: str, splits: list[Split], manifest: Manifest, trust_pickle: bool
) -> ImportReport:
    widths = tuple(side.shape[1] for side in splits[0].hemispheres)
    parts = [part for split in splits for part in split.parts()]
    dtype = np.result_type(*[side.dtype for split in splits for side in split.hemispheres])
    places, surface = vertex_places(subject, widths)
    masks, notes = read_regions(subject, widths, manifest, trust_pickle)
    shipped = shipped_ceiling(subject, widths)
    ceiling = {"coordinate": "noise_ceiling", "unit": "fraction", "of": {"split": "test"}, "source": CEILING}
    lacking = [name for name in SPLITS[variant] if name not in [split.name for split in splits]]
    return deposit_responses(
        store,
        dataset=DATASET,
        variant=variant,
        subject=subject.name,
        values=stacked(parts, sum(widths), dtype),
        rows={
            "stimulus": np.array([stimulus for split in splits for stimulus in split.ids], dtype=object),
            "split": np.repeat(np.array([s.name for s in splits], dtype=object), [len(s.ids) for s in splits]),
        },
        neuroids=neuroids_of(masks, places | shipped, sum(widths)),
        stimulus_set=DATASET,
        attrs={
            "licence": manifest.licence,
            "unit": "z-score within session, averaged over repetitions",
            **surface,
            **({"ceiling": ceiling} if shipped else {}),
        },
        options={"reader": "algonauts2023/2", "splits": [split.name for split in splits]},
        averaged=AVERAGED,
        notes=[*notes, *(f"the responses of the {name} split are not on disk" for name in lacking)],
    )

"""The 92 objects as MATLAB files: human IT of four subjects in two sessions, and similarity judgements."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from brainalign.datasets.image_files import folder_beside, write_zip
from brainalign.datasets.images import import_images
from brainalign.datasets.rdms import import_rdms
from brainalign.datasets.report import IngestReport
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.tree_report import TreeReport
from brainalign.errors import DatasetError, near_names
from brainalign.foreign.matlab import load_matlab
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["check_objects92_mat", "ingest_objects92_mat"]

DATASET = "objects92-mat"
Array = npt.NDArray[Any]
BRAIN, BEHAVIOUR = ("92_brainRDMs.mat", "RDMs"), ("92_behavRDMs.mat", "rdms_behav_92")
IMAGES = ("Kriegeskorte_Neuron2008_supplementalData.mat", "stimuli_92objs")
SUBJECTS = ("BE", "KO", "SN", "TI")
GROUPS = {
    "human body": 12,
    "human face": 12,
    "animal body": 12,
    "animal face": 12,
    "natural inanimate": 23,
    "artificial inanimate": 21,
}


def ingest_objects92_mat(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    images: str | Path | None = None,
) -> IngestReport:
    """Bring the RDMs of the MATLAB files into the store.

    Parameters
    ----------
    root : path
        Folder with ``92_brainRDMs.mat`` (or, for ``behaviour``, ``92_behavRDMs.mat``) and, if the images are wanted,
        ``Kriegeskorte_Neuron2008_supplementalData.mat``.
    store : Store
    subjects : sequence of str, optional
        BE, KO, SN, TI; of the behaviour subject01 to subject16.
    variant : {"hIT", "hIT.session1", "hIT.session2", "behaviour"}, optional
        ``hIT``: the mean of both sessions. Default.
    images : path, optional
        Folder for ``objects92-mat.zip``, the images as PNG. Default: beside the store.

    Returns
    -------
    IngestReport
        Stimulus set ``objects92-mat``, ids 001 to 092 in the order of the RDMs, which is 12 human bodies, 12 human
        faces, 12 animal bodies, 12 animal faces, 23 natural and 21 artificial objects (column ``category``).

    Notes
    -----
    Kriegeskorte et al. 2008, doi:10.1016/j.neuron.2008.10.043.
    """
    manifest = load_manifest(DATASET)
    kind = chosen("variant", [variant or "hIT"], manifest.variants)[0]
    if root is None:
        raise DatasetError(f"{DATASET} is read from files; give the folder that holds them ({manifest.location}).")
    folder = Path(root)
    roi, names, rdms = _behaviour(folder) if kind == "behaviour" else _human_it(folder, kind)
    ids = [f"{i:03d}" for i in range(1, rdms.shape[1] + 1)]
    licence = {"licence": manifest.licence}
    if (folder / IMAGES[0]).is_file():
        target = (Path(images) if images is not None else folder_beside(store)) / f"{DATASET}.zip"
        write_zip(target, _drawn(folder / IMAGES[0], ids))
        import_images(store, DATASET, target, attrs=licence)
    elif DATASET not in store.stimulus_sets():
        table = pd.DataFrame({"stimulus": ids})
        if len(ids) == sum(GROUPS.values()):
            table["category"] = [name for name, size in GROUPS.items() for _ in range(size)]
        store.put_stimuli(DATASET, table, attrs=licence)
    reports = import_rdms(
        store,
        dataset=DATASET,
        variant=kind,
        rdms={roi: rdms},
        stimuli=ids,
        subjects=names,
        only=chosen("subject", subjects, names),
        stimulus_set=DATASET,
        licence=manifest.licence,
        attrs={"dissimilarity": "1 - Pearson correlation of voxel patterns" if roi == "hIT" else "judged"},
    )
    return IngestReport(DATASET, {DATASET: len(ids)}, tuple(reports))


def check_objects92_mat(root: Path) -> TreeReport | None:
    """Look at the MATLAB files; None if there is none of them."""
    readers = {BRAIN[0]: lambda folder: _human_it(folder, "hIT"), BEHAVIOUR[0]: _behaviour}
    if not any((root / name).is_file() for name in readers):
        return None
    report = TreeReport(DATASET, str(root))
    sizes = set()
    for name, read in readers.items():
        if not (root / name).is_file():
            report.notes.append(f"{name} is not there")
            continue
        with report.collecting():
            roi, subjects, rdms = read(root)
            sizes.add(rdms.shape[1])
            report.found.append(f"{roi}: {len(subjects)} subjects, {rdms.shape[1]} objects")
            report.count(4 * len(subjects) * rdms.shape[1] * (rdms.shape[1] - 1), roi)
            if not np.isfinite(rdms).all():
                raise DatasetError(f"{root / name} holds NaN or inf. Fetch it again.")
    if (root / IMAGES[0]).is_file():
        for n in sizes:
            with report.collecting():
                _records_of_images(root / IMAGES[0], n)
    else:
        report.notes.append(f"{IMAGES[0]} is not there: no image can be embedded")
    return report


def _human_it(folder: Path, variant: str) -> tuple[str, list[str], Array]:
    records = _struct(folder, *BRAIN)
    if records.ndim < 2 or records.shape[-1] != 2:
        raise DatasetError(f"{folder / BRAIN[0]}: RDMs has shape {records.shape}; expected (1, subject, 2 sessions).")
    grid = records.reshape(-1, 2)
    matrices = np.stack([[_square(one, folder / BRAIN[0]) for one in row] for row in grid])
    names = [_subject_of(row[0], i) for i, row in enumerate(grid)]
    if variant == "hIT":
        return "hIT", names, matrices.mean(axis=1, dtype=np.float64)
    return "hIT", names, matrices[:, int(variant[-1]) - 1]


def _behaviour(folder: Path) -> tuple[str, list[str], Array]:
    records = _struct(folder, *BEHAVIOUR).ravel()
    names = [f"subject{i:02d}" for i in range(1, len(records) + 1)]
    return "judgement", names, np.stack([_square(one, folder / BEHAVIOUR[0]) for one in records])


def _struct(folder: Path, file: str, name: str) -> Array:
    content = _load(folder / file)
    if name not in content:
        known = [key for key in content if not key.startswith("__")]
        raise DatasetError(f"{folder / file} has no variable {name!r}.{near_names(name, known)}")
    records: Array = content[name]
    if records.dtype.names is None or "RDM" not in records.dtype.names:
        raise DatasetError(f"{folder / file}: {name} is no struct array with a field RDM; it holds {records.dtype}.")
    return records


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        there = [p.name for p in path.parent.glob("*.mat")] if path.parent.is_dir() else []
        raise DatasetError(f"there is no file {path}.{near_names(path.name, there)}")
    return load_matlab(path, "a MATLAB v5 file")


def _square(record: Any, path: Path) -> Array:
    values = np.asarray(record["RDM"])
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise DatasetError(f"{path}: an RDM has shape {values.shape}; expected (92, 92).")
    return values


def _subject_of(record: Any, number: int) -> str:
    text = str(np.squeeze(record["name"])) if "name" in record.dtype.names else ""
    match = re.search(r"\|\s*(\w+)\s*\|", text)
    return match[1] if match else SUBJECTS[number] if number < len(SUBJECTS) else f"subject{number + 1:02d}"


def _records_of_images(path: Path, n: int) -> Array:
    found: Array | None = _load(path).get(IMAGES[1])
    if found is None or found.size != n:
        raise DatasetError(f"{path}: {IMAGES[1]} does not hold {n} images, one for each stimulus.")
    return found.ravel()


def _drawn(path: Path, ids: list[str]) -> Iterator[tuple[str, bytes]]:
    for name, record in zip(ids, _records_of_images(path, len(ids)), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(np.asarray(record["image"], dtype=np.uint8)).save(buffer, format="PNG")
        yield f"{name}.png", buffer.getvalue()

"""Derived packagings of NSD: MindEye1 (webdataset), MindEye2 (HDF5 and behaviour), brain-diffuser (npy).

All three hold voxels of nsdgeneral at 1.8 mm and know which image was shown, so their ids are those of NSD:
``nsd-NNNNN``, the 0-based nsdId with five digits.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.io import loadmat

from brainalign.datasets.deposit import Neuroids, count_repeats, deposit_responses
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.shipped_files import chosen, tree_root
from brainalign.errors import DatasetError, InputError
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["ingest_brain_diffuser", "ingest_mindeye1", "ingest_mindeye2", "nsd_id"]

Array = npt.NDArray[Any]
N_IMAGES = 73_000
SESSION_TRIALS = 750
BEHAV = {"image": 0, "session": 2, "run": 3, "trial": 4, "row": 5}


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
    there = sorted({match[1] for p in folder.glob("*/*_subj*_*.tar") if (match := re.search(r"(subj\d+)_", p.name))})
    reports = []
    for subject in chosen("subject", subjects, there):
        values, rows = _mindeye1(folder, subject)
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
        values, rows = _mindeye2(folder, subject)
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
    design = _design(folder, expdesign)
    there = sorted(p.name for p in folder.glob("subj*") if any(p.glob("nsd_train_fmriavg_nsdgeneral_sub*.npy")))
    reports = []
    for subject in chosen("subject", subjects, there):
        values, rows = _brain_diffuser(folder, subject, design, sessions)
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
    if numbers.min() < 0 or numbers.max() >= N_IMAGES:
        raise DatasetError(
            f"{dataset}, {subject}: image numbers run from {numbers.min()} to {numbers.max()}; nsdIds are 0 to "
            f"{N_IMAGES - 1}. Numbers up to {N_IMAGES} would be 1-based."
        )
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


def _stimulus_set(store: Store, dataset: str) -> str:
    """Return the set of NSD's images, if the store has it; else one of all ids, without images."""
    if "nsd" in store.stimulus_sets():
        return "nsd"
    store.put_stimuli("nsd-ids", pd.DataFrame({"stimulus": [nsd_id(i) for i in range(N_IMAGES)]}))
    return "nsd-ids"


def _ingested(store: Store, dataset: str, reports: list[ImportReport]) -> IngestReport:
    return IngestReport(dataset, {_stimulus_set(store, dataset): N_IMAGES}, tuple(reports))


def _mindeye1(folder: Path, subject: str) -> tuple[Array, dict[str, Array]]:
    parts: list[Array] = []
    images: list[int] = []
    trials: list[int] = []
    splits: list[str] = []
    for split in ("train", "val", "test"):
        for path in sorted((folder / split).glob(f"{split}_{subject}_*.tar"), key=_number_of):
            for key, sample in _samples(path, ("nsdgeneral.npy", "trial.npy", "coco73k.npy", "num_uniques.npy")):
                betas = sample["nsdgeneral.npy"]
                betas = betas.reshape(-1, betas.shape[-1])
                shown = sample["trial.npy"].ravel()
                unique = int(sample["num_uniques.npy"].ravel()[0])
                if not 1 <= unique <= len(betas):
                    raise DatasetError(f"{path}, sample {key}: num_uniques is {unique}, of {len(betas)} rows.")
                first = (
                    np.sort(np.unique(shown, return_index=True)[1]) if len(shown) == len(betas) else np.arange(unique)
                )
                if len(first) != unique:
                    raise DatasetError(
                        f"{path}, sample {key}: {len(first)} different trials, num_uniques says {unique}."
                    )
                parts.append(betas[first])
                images += [int(sample["coco73k.npy"].ravel()[0])] * unique
                trials += shown[first].tolist() if len(shown) == len(betas) else [-1] * unique
                splits += [split] * unique
    widths = {part.shape[1] for part in parts}
    if len(widths) != 1:
        raise DatasetError(f"the samples of {subject} in {folder} have {sorted(widths)} voxels; they must agree.")
    rows = {"image": np.array(images), "split": np.array(splits, dtype=object)}
    if min(trials) >= 0:
        rows["trial"] = np.array(trials, dtype=np.int64)
    return np.concatenate(parts), rows


def _mindeye2(folder: Path, subject: str) -> tuple[Array, dict[str, Array]]:
    found: dict[str, Array] = {}
    for split in ("train", "test", "new_test"):
        tars = sorted((folder / "wds" / subject / split).glob("*.tar"), key=_number_of)
        behav = [s["behav.npy"].reshape(-1, 17) for p in tars for _, s in _samples(p, ("behav.npy",))]
        found[split] = np.concatenate(behav) if behav else np.empty((0, 17))
    table = np.concatenate(list(found.values()))
    if not len(table):
        raise DatasetError(f"{folder / 'wds' / subject} holds no behav.npy in train, test or new_test.")
    table = table[table[:, BEHAV["row"]] >= 0]
    number, first = np.unique(table[:, BEHAV["row"]].astype(np.int64), return_index=True)
    same = table[first][np.searchsorted(number, table[:, BEHAV["row"]].astype(np.int64))]
    if (same[:, BEHAV["image"]] != table[:, BEHAV["image"]]).any():
        raise DatasetError(f"{folder / 'wds' / subject}: one global trial is said to show two images.")
    table = table[first]
    path = folder / f"betas_all_{subject}_fp32_renorm.hdf5"
    try:
        with h5py.File(path, "r") as root:
            betas = root["betas"]
            if number[-1] >= betas.shape[0]:
                raise DatasetError(f"{path} has {betas.shape[0]} trials; the behaviour tars name trial {number[-1]}.")
            values = betas[: number[-1] + 1][number] if len(number) < number[-1] + 1 else betas[: number[-1] + 1]
    except (OSError, KeyError) as error:
        raise DatasetError(f"{path} does not read as HDF5 with a dataset 'betas': {error}") from error
    rows: dict[str, Array] = {n: table[:, BEHAV[n]].astype(np.int64) for n in ("image", "session", "run", "trial")}
    for split, part in found.items():
        rows[f"split_{split}"] = np.isin(number, part[:, BEHAV["row"]].astype(np.int64))
    return np.asarray(values), rows


def _brain_diffuser(
    folder: Path, subject: str, design: tuple[Array, Array], sessions: int
) -> tuple[Array, dict[str, Array]]:
    number = int(subject.removeprefix("subj"))
    ordering, images = design
    ordering = ordering[: sessions * SESSION_TRIALS]
    shown = images[number - 1, ordering - 1] - 1
    unique, first, counts = np.unique(shown, return_index=True, return_counts=True)
    in_time = np.argsort(first)
    common = images[0, (images == images[:1]).all(axis=0)] - 1  # all subjects share them: the test part
    shared = np.isin(unique[in_time], common)
    parts, rows = [], []
    for split, chosen_rows in (("train", in_time[~shared]), ("test", in_time[shared])):
        path = folder / subject / f"nsd_{split}_fmriavg_nsdgeneral_sub{number}.npy"
        try:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} does not read as an array of numbers: {error}") from error
        if values.ndim != 2 or len(values) != len(chosen_rows):
            raise DatasetError(
                f"{path} has shape {values.shape}; in {sessions} sessions {subject} saw {len(chosen_rows)} images of "
                "this part. Were other sessions averaged (sessions=)?"
            )
        parts.append(np.asarray(values, dtype=np.float32) / np.float32(300))
        rows.append((unique[chosen_rows], counts[chosen_rows], [split] * len(chosen_rows)))
    together = [np.concatenate(column) for column in zip(*rows, strict=True)]
    names = {"image": together[0], "n_averaged": together[1], "split": together[2].astype(object)}
    return np.concatenate(parts), names


def _design(folder: Path, given: str | Path | None) -> tuple[Array, Array]:
    name = "nsd_expdesign.mat"
    places = [Path(given)] if given else [
        base / below / name for base in (folder, folder.parent) for below in ("", "nsddata/experiments/nsd")
    ]  # fmt: skip
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        raise DatasetError(
            f"the arrays in {folder} do not say which image is which; give NSD's {name} (expdesign=), from "
            "nsddata/experiments/nsd."
        )
    try:
        content = loadmat(path)
        ordering, images = content["masterordering"], content["subjectim"]
    except Exception as error:  # KeyError, NotImplementedError, MatReadError and more
        raise DatasetError(f"{path} does not read as NSD's design (masterordering, subjectim): {error}") from error
    return ordering.ravel().astype(np.int64), images.astype(np.int64)


def _samples(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yield (key, arrays by ending) of a webdataset tar; a sample's members stand together."""
    key, sample = "", dict[str, Array]()
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name, _, ending = Path(member.name).name.partition(".")
                if not member.isfile() or ending not in wanted:
                    continue
                if name != key and sample:
                    yield key, _complete(path, key, sample, wanted)
                    sample = {}
                key = name
                data = archive.extractfile(member)
                assert data is not None
                sample[ending] = np.load(io.BytesIO(data.read()), allow_pickle=False)
            if sample:
                yield key, _complete(path, key, sample, wanted)
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise InputError(
                f"{path} holds pickled objects, which can run code when read; they are refused."
            ) from error
        raise DatasetError(f"{path}, sample {key}: {error}") from error
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DatasetError(f"{path} is damaged or no tar: {error}") from error


def _complete(path: Path, key: str, sample: dict[str, Array], wanted: tuple[str, ...]) -> dict[str, Array]:
    lacking = [name for name in wanted if name not in sample]
    if lacking:
        raise DatasetError(f"{path}, sample {key} lacks {', '.join(lacking)}.")
    return sample


def _number_of(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])

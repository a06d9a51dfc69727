"""The files of NSD's derived packagings: webdataset tars, betas with behaviour, arrays of means."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from brainalign.datasets.matrices import load_array, parse_array, whole_numbers
from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import HDF5_ERRORS, require_inside
from brainalign.foreign.matlab import load_matlab
from brainalign.foreign.rehearsal import rehearse

__all__ = [
    "MINDEYE1_MEMBERS",
    "SESSION_TRIALS",
    "brain_diffuser_design",
    "brain_diffuser_means",
    "brain_diffuser_parts",
    "mindeye1_samples",
    "mindeye1_subjects",
    "mindeye2_betas",
    "mindeye2_trials",
    "mindeye2_values",
    "require_rows",
]

Array = npt.NDArray[Any]
SESSION_TRIALS = 750
MINDEYE1_MEMBERS = ("nsdgeneral.npy", "trial.npy", "coco73k.npy", "num_uniques.npy")
"""Members of a sample of MindEye1 that are read."""
BEHAV = {"image": 0, "session": 2, "run": 3, "trial": 4, "row": 5}


def mindeye1_subjects(folder: Path) -> list[str]:
    """Return the subjects that have tars of MindEye1."""
    return sorted({match[1] for p in folder.glob("*/*_subj*_*.tar") if (match := re.search(r"(subj\d+)_", p.name))})


def mindeye1_samples(folder: Path, subject: str) -> tuple[Array, dict[str, Array]]:
    """Read the single trials of MindEye1 and what was shown; rows that only fill up are left out.

    Raises
    ------
    DatasetError
        If a tar is damaged, a sample lacks a member, or samples have different numbers of voxels.
    """
    parts: list[Array] = []
    images: list[int] = []
    trials: list[int] = []
    splits: list[str] = []
    for split in ("train", "val", "test"):
        for path in sorted((folder / split).glob(f"{split}_{subject}_*.tar"), key=_number_of):
            for key, sample in _samples(path, MINDEYE1_MEMBERS):
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


def mindeye2_trials(folder: Path, subject: str) -> tuple[Array, dict[str, Array]]:
    """Read MindEye2's behaviour: rows of the betas, ascending, and what was shown in each.

    Raises
    ------
    DatasetError
        If there is none, a tar is damaged, or one trial is said to show two images.
    """
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
    rows: dict[str, Array] = {n: table[:, BEHAV[n]].astype(np.int64) for n in ("image", "session", "run", "trial")}
    for split, part in found.items():
        rows[f"split_{split}"] = np.isin(number, part[:, BEHAV["row"]].astype(np.int64))
    return number, rows


def require_rows(path: Path, number: Array) -> tuple[int, int]:
    """Return the shape of MindEye2's betas after looking whether they hold the trials; DatasetError otherwise."""
    rehearse(path)
    try:
        with h5py.File(path, "r") as root:
            require_inside(root["betas"], path)
            n_trials, n_voxels = root["betas"].shape
    except HDF5_ERRORS as error:
        raise DatasetError(f"{path} does not read as HDF5 with a dataset 'betas': {error}") from error
    if number[-1] >= n_trials:
        raise DatasetError(f"{path} has {n_trials} trials; the behaviour tars name trial {number[-1]}.")
    return n_trials, n_voxels


def mindeye2_values(folder: Path, subject: str) -> tuple[Array, dict[str, Array]]:
    """Read the betas of MindEye2 that its behaviour names, and what was shown; DatasetError as for its parts."""
    number, rows = mindeye2_trials(folder, subject)
    path = mindeye2_betas(folder, subject)
    require_rows(path, number)
    with damage(path), h5py.File(path, "r") as root:
        values = root["betas"][: number[-1] + 1]
    return np.asarray(values if len(number) == len(values) else values[number]), rows


def mindeye2_betas(folder: Path, subject: str) -> Path:
    """Return where MindEye2's betas of a subject lie."""
    return folder / f"betas_all_{subject}_fp32_renorm.hdf5"


def brain_diffuser_parts(
    folder: Path, subject: str, design: tuple[Array, Array], sessions: int
) -> Iterator[tuple[str, Array, Array, Array]]:
    """Yield part, means (mapped), image numbers, and trials behind each mean.

    Raises
    ------
    DatasetError
        If a file is damaged or has other rows than the subject saw images of its part.
    """
    number = int(subject.removeprefix("subj"))
    ordering, images = design
    ordering = ordering[: sessions * SESSION_TRIALS]
    shown = images[number - 1, ordering - 1] - 1
    unique, first, counts = np.unique(shown, return_index=True, return_counts=True)
    in_time = np.argsort(first)
    common = images[0, (images == images[:1]).all(axis=0)] - 1  # all subjects share them: the test part
    shared = np.isin(unique[in_time], common)
    for split, chosen_rows in (("train", in_time[~shared]), ("test", in_time[shared])):
        path = folder / subject / f"nsd_{split}_fmriavg_nsdgeneral_sub{number}.npy"
        values = load_array(path)
        if values.ndim != 2 or len(values) != len(chosen_rows):
            raise DatasetError(
                f"{path} has shape {values.shape}; in {sessions} sessions {subject} saw {len(chosen_rows)} images of "
                "this part. Were other sessions averaged (sessions=)?"
            )
        yield split, values, unique[chosen_rows], counts[chosen_rows]


def brain_diffuser_means(
    folder: Path, subject: str, design: tuple[Array, Array], sessions: int
) -> tuple[Array, dict[str, Array]]:
    """Read the means of brain-diffuser in percent signal change; DatasetError as for :func:`brain_diffuser_parts`."""
    splits, means, images, counts = zip(*brain_diffuser_parts(folder, subject, design, sessions), strict=True)
    rows = {
        "image": np.concatenate(images),
        "n_averaged": np.concatenate(counts),
        "split": np.repeat(np.array(splits, dtype=object), [len(part) for part in means]),
    }
    return np.concatenate([np.asarray(part, dtype=np.float32) / np.float32(300) for part in means]), rows


def brain_diffuser_design(folder: Path, given: str | Path | None = None) -> tuple[Array, Array]:
    """Read masterordering and subjectim of NSD's design; DatasetError if it is not there or damaged."""
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
    content = load_matlab(path, "NSD's design")
    if not {"masterordering", "subjectim"} <= content.keys():
        raise DatasetError(f"{path} does not read as NSD's design (masterordering, subjectim): {sorted(content)}")
    ordering, images = (whole_numbers(content[name], f"{path}: {name}") for name in ("masterordering", "subjectim"))
    return ordering.ravel(), images


def _samples(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yield (key, arrays by ending) of a webdataset tar; a sample's members stand together."""
    key, sample = "", dict[str, Array]()
    for name, ending, data in _members(path, wanted):
        if name != key and sample:
            yield key, _complete(path, key, sample, wanted)
            sample = {}
        key = name
        sample[ending] = parse_array(data, f"{path}, sample {key}")
    if sample:
        yield key, _complete(path, key, sample, wanted)


def _members(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, ending, bytes) of the members of a tar that have one of the endings."""
    with damage(path, "a tar"), tarfile.open(path) as archive:
        for member in archive:
            name, _, ending = Path(member.name).name.partition(".")
            if member.isfile() and ending in wanted:
                data = archive.extractfile(member)
                assert data is not None
                yield name, ending, data.read()


def _complete(path: Path, key: str, sample: dict[str, Array], wanted: tuple[str, ...]) -> dict[str, Array]:
    lacking = [name for name in wanted if name not in sample]
    if lacking:
        raise DatasetError(f"{path}, sample {key} lacks {', '.join(lacking)}.")
    return sample


def _number_of(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])

"""Miniatures of the derived packagings of NSD and of the 92 objects' MATLAB files, synthetic numbers only."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import savemat

__all__ = [
    "PackagingTruth",
    "make_brain_diffuser_tree",
    "make_mindeye1_tree",
    "make_mindeye2_tree",
    "make_objects92_mat",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PackagingTruth:
    """Values (presentation, voxel) and the 0-based nsdId of each."""

    root: Path
    values: Array
    images: list[int]


def make_mindeye1_tree(root: str | Path, *, n_voxels: int = 7, seed: int = 0) -> PackagingTruth:
    """Write two train tars, one val and two test tars of ``subj01``; images with one to three different trials."""
    rng = np.random.default_rng(seed)
    folder = Path(root) / "webdataset_avg_split"
    values, images, trial, image = [], [], 0, 100
    counts: dict[str, int] = {}
    for split, tars in (("train", 2), ("val", 1), ("test", 2)):
        for number in range(tars):
            samples = []
            for key in range(4):
                unique = 1 + (key + number) % 3
                betas = rng.standard_normal((unique, n_voxels)).astype(np.float32)
                filled = np.resize(np.arange(unique), 3)
                samples.append(
                    (
                        f"sample{key:09d}",
                        {
                            "nsdgeneral.npy": betas[filled],
                            "trial.npy": trial + filled,
                            "coco73k.npy": np.array([image]),
                            "num_uniques.npy": np.array([unique]),
                        },
                    )
                )
                values.append(betas)
                images += [image] * unique
                trial, image = trial + unique, image + 37
            _tar(folder / split / f"{split}_subj01_{number}.tar", samples)
            counts[split] = counts.get(split, 0) + 4
    (folder / "metadata_subj01.json").write_text(json.dumps({"totals": counts}))
    return PackagingTruth(folder, np.concatenate(values), images)


def make_mindeye2_tree(
    root: str | Path, *, n_trials: int = 24, n_images: int = 9, n_voxels: int = 9, seed: int = 0
) -> PackagingTruth:
    """Write betas of ``subj01`` and behaviour tars: train, test, and new_test, which shares trials with both."""
    rng = np.random.default_rng(seed)
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    betas = rng.standard_normal((n_trials, n_voxels)).astype(np.float32)
    images = [int(i) for i in rng.permutation(np.resize(np.arange(n_images) * 811, n_trials))]
    with h5py.File(root / "betas_all_subj01_fp32_renorm.hdf5", "w") as file:
        file["betas"] = betas
    rows = np.full((n_trials, 17), -1.0)
    for trial, image in enumerate(images):
        rows[trial, :6] = image, 1, 1 + trial // 12, 1 + (trial % 12) // 6, 1 + trial % 6, trial
    parts = {"train": (range(8), range(8, 16)), "test": (range(16, n_trials),), "new_test": (range(14, n_trials),)}
    for split, tars in parts.items():
        for number, trials in enumerate(tars):
            samples = [(f"sample{t:09d}", {"behav.npy": rows[t : t + 1], "olds_behav.npy": rows[:1]}) for t in trials]
            _tar(root / "wds" / "subj01" / split / f"{number}.tar", samples)
    return PackagingTruth(root, betas, images)


def make_brain_diffuser_tree(root: str | Path, *, n_voxels: int = 5, seed: int = 0) -> PackagingTruth:
    """Write means by image of ``subj01`` over two sessions, and the design that says which image is which.

    ``values`` of the truth are percent signal change in the order train, test.
    """
    rng = np.random.default_rng(seed)
    root = Path(root)
    shared, own, sessions = 50, 450, 2
    early = np.concatenate([rng.permutation(400), rng.permutation(400)[:350]])
    ordering = np.concatenate([early, rng.permutation(500), rng.permutation(250)]) + 1
    pool = rng.permutation(3650)
    images = np.stack(
        [np.concatenate([np.sort(pool[:shared]), pool[shared + s * own : shared + (s + 1) * own]]) for s in range(8)]
    )
    design = {"masterordering": ordering[None, :].astype(float), "subjectim": (images + 1).astype(float)}
    folder = root / "processed_data" / "subj01"
    folder.mkdir(parents=True, exist_ok=True)
    savemat(root / "nsd_expdesign.mat", design, do_compression=True)
    shown = ordering[: sessions * 750] - 1
    first = list(dict.fromkeys(shown.tolist()))
    values, numbers = [], []
    for split, tens in (("train", [i for i in first if i >= shared]), ("test", [i for i in first if i < shared])):
        betas = np.round(300 * rng.standard_normal((len(tens), n_voxels)), 2)
        np.save(folder / f"nsd_{split}_fmriavg_nsdgeneral_sub1.npy", betas)
        values.append(betas / 300)
        numbers += [int(images[0, i]) for i in tens]
    return PackagingTruth(root, np.concatenate(values), numbers)


def make_objects92_mat(root: str | Path, *, n: int = 92, images: bool = False, seed: int = 0) -> tuple[Array, Array]:
    """Write ``92_brainRDMs.mat`` (1, 4, 2) and ``92_behavRDMs.mat`` (1, 16); return both as (…, n, n)."""
    rng = np.random.default_rng(seed)
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    brain = np.stack([[1 - np.corrcoef(rng.standard_normal((n, 30))) for _ in range(2)] for _ in range(4)])
    for square in brain.reshape(-1, n, n):
        np.fill_diagonal(square, 0)
    brain = brain.astype(np.float32)
    records = np.empty((1, 4, 2), dtype=[("RDM", "O"), ("name", "O"), ("color", "O")])
    for s, name in enumerate(("BE", "KO", "SN", "TI")):
        for t in range(2):
            records[0, s, t] = (brain[s, t], f"hIT | {name} | Session: {t + 1}", np.zeros((1, 3), np.uint8))
    savemat(root / "92_brainRDMs.mat", {"RDMs": records})
    judged = np.stack([1 - np.corrcoef(rng.standard_normal((n, 9))) for _ in range(16)])
    behaviour = np.empty((1, 16), dtype=[("RDM", "O"), ("name", "O")])
    for s in range(16):
        np.fill_diagonal(judged[s], 0)
        behaviour[0, s] = (judged[s], f"simJudge | subject{s + 1}")
    savemat(root / "92_behavRDMs.mat", {"rdms_behav_92": behaviour})
    if images:
        pictures = np.empty((1, n), dtype=[("image", "O")])
        for i in range(n):
            pictures[0, i] = (rng.integers(0, 256, (9, 9, 3), dtype=np.uint8),)
        savemat(root / "Kriegeskorte_Neuron2008_supplementalData.mat", {"stimuli_92objs": pictures})
    return brain, judged


def _tar(path: Path, samples: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for key, arrays in samples:
            for ending, values in {"jpg": None, **arrays}.items():
                buffer = io.BytesIO()
                if values is None:
                    buffer.write(b"\xff\xd8\xff")
                else:
                    np.save(buffer, values)
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = buffer.tell()
                buffer.seek(0)
                archive.addfile(info, buffer)

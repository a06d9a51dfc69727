"""A miniature of the Algonauts 2023 release: all its files, synthetic numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from brainalign.manifests import load_manifest

__all__ = ["make_algonauts2023"]

Array = npt.NDArray[Any]
SIZES = {"subj01": (22, 25, 12, 4), "subj06": (21, 24, 10, 5)}
N_FSAVERAGE = 60


def make_algonauts2023(root: str | Path, *, n_test: int | None = None, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Write two subjects with different numbers of vertices and images.

    Parameters
    ----------
    root : path
        Folder that is made.
    n_test : int, optional
        Test images of each subject; default 4 and 5.
    seed : int

    Returns
    -------
    dict
        By subject: ``response`` (train then test images, left then right vertices), ``stimulus``, ``split``,
        ``vertex``, ``hemisphere``, ``noise_ceiling`` and ``labels`` (family to number of each vertex).
    """
    rng = np.random.default_rng(seed)
    root = Path(root)
    return {name: _subject(root / name, (*sizes[:3], n_test or sizes[3]), rng) for name, sizes in SIZES.items()}


def _subject(folder: Path, sizes: tuple[int, int, int, int], rng: np.random.Generator) -> dict[str, Any]:
    n_left, n_right, n_train, n_test = sizes
    numbers = rng.choice(73000, n_train + n_test, replace=False)
    splits = {"train": np.sort(numbers[:n_train]), "test": np.sort(numbers[n_train:])}
    truth: dict[str, Any] = {"labels": {}}
    responses = [_split(folder, name, ids, (n_left, n_right), rng) for name, ids in splits.items()]
    truth["response"] = np.concatenate(responses)
    truth["stimulus"] = [f"nsd-{i:05d}" for ids in splits.values() for i in ids]
    truth["split"] = ["train"] * n_train + ["test"] * n_test
    ceilings = folder / "test_split" / "noise_ceiling"
    masks = folder / "roi_masks"
    ceilings.mkdir()
    masks.mkdir()
    found: dict[str, list[Array]] = {"vertex": [], "noise_ceiling": []}
    for side, n in (("lh", n_left), ("rh", n_right)):
        ceiling = rng.uniform(0, 0.8, n).astype(np.float32)
        ceiling[3] = 0
        np.save(ceilings / f"{side}_noise_ceiling.npy", ceiling)
        vertices = np.sort(rng.choice(N_FSAVERAGE, n, replace=False))
        np.save(masks / f"{side}.all-vertices_fsaverage_space.npy", _on_fsaverage(np.ones(n, int), vertices))
        found["vertex"].append(vertices)
        found["noise_ceiling"].append(ceiling)
        for family, table in load_manifest("algonauts2023").label_tables.items():
            labels = rng.integers(0, len(table.labels) + 1, n)
            labels[: len(table.labels)] = list(table.labels)
            np.save(masks / f"{side}.{family}_challenge_space.npy", labels)
            np.save(masks / f"{side}.{family}_fsaverage_space.npy", _on_fsaverage(labels, vertices))
            mapping = np.array({0: "Unknown", **table.labels}, dtype=object)
            np.save(masks / f"mapping_{family}.npy", mapping, allow_pickle=True)
            truth["labels"].setdefault(family, []).append(labels)
    truth |= {name: np.concatenate(parts) for name, parts in found.items()}
    truth["labels"] = {family: np.concatenate(parts) for family, parts in truth["labels"].items()}
    truth["hemisphere"] = ["lh"] * n_left + ["rh"] * n_right
    return truth


def _split(folder: Path, name: str, ids: Array, widths: tuple[int, int], rng: np.random.Generator) -> Array:
    split, word = {"train": ("training_split", "training"), "test": ("test_split", "test")}[name]
    for kind in ("fmri", "images"):
        (folder / split / f"{word}_{kind}").mkdir(parents=True)
    for row, number in enumerate(ids, start=1):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / split / f"{word}_images" / f"{name}-{row:04d}_nsd-{number:05d}.png")
    sides = []
    for side, n in zip(("lh", "rh"), widths, strict=True):
        sides.append(rng.standard_normal((len(ids), n)).astype(np.float32))
        np.save(folder / split / f"{word}_fmri" / f"{side}_{word}_fmri.npy", sides[-1])
    return np.concatenate(sides, axis=1)


def _on_fsaverage(values: Array, vertices: Array) -> Array:
    whole = np.zeros(N_FSAVERAGE, dtype=np.int64)
    whole[vertices] = values
    return whole

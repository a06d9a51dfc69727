"""Miniatures of the two datasets that come as a zip of images and one array: V4 of macaques, the 92 objects."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["make_macaque_v4", "make_objects92"]

Array = npt.NDArray[Any]
SESSIONS = {"190923": (5, 24), "201025": (7, 26), "210224": (6, 28), "210325": (4, 30)}
N_REPEATS = 6
N_OBJECTS, N_SUBJECTS = 92, 15


def make_macaque_v4(root: str | Path, *, seed: int = 0) -> dict[str, Array]:
    """Write four sessions of other neurons and images, the last one with its single repeats (some not shown).

    Returns
    -------
    dict
        By session the responses (neuron, image), averaged over repeats. Ingest with ``verify=False``: the manifest
        states the hashes of the real files.
    """
    rng, root = np.random.default_rng(seed), Path(root)
    root.mkdir(parents=True, exist_ok=True)
    truth = {}
    for session, (n_neurons, n_images) in SESSIONS.items():
        _write_images(root / f"images_{session}.zip", "image{:04d}.jpg", n_images, rng)
        signal = rng.uniform(0, 10, (n_neurons, n_images))
        if session == "210325":
            single = signal[:, :, None] + rng.standard_normal((n_neurons, n_images, N_REPEATS))
            single[:, ::3, -1] = np.nan  # repeats that were not shown
            np.save(root / f"responses_raw_{session}.npy", single)
            signal = np.nanmean(single, axis=2)
        np.save(root / f"responses_{session}.npy", signal)
        truth[session] = signal
    return truth


def make_objects92(root: str | Path, *, seed: int = 0) -> dict[str, Array]:
    """Write 92 images and the RDMs of 15 subjects; returns these. Ingest with ``verify=False``."""
    rng, root = np.random.default_rng(seed), Path(root)
    root.mkdir(parents=True, exist_ok=True)
    _write_images(root / "images_white_bg.zip", "{:03d}.jpg", N_OBJECTS, rng)
    truth = {}
    for name in ("fmri15_EVC", "fmri15_IT"):
        common = rng.standard_normal((N_OBJECTS, 12))
        patterns = common + rng.standard_normal((N_SUBJECTS, N_OBJECTS, 12))
        truth[name] = np.stack([1 - np.corrcoef(one) for one in patterns])
    np.savez(root / "rdms.npz", allow_pickle=False, **truth)
    return truth


def _write_images(path: Path, name: str, n: int, rng: np.random.Generator) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(1, n + 1):
            buffer = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(buffer, format="JPEG")
            archive.writestr(name.format(i), buffer.getvalue())

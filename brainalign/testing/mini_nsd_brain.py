"""The brains of the miniature NSD: responses with known signal and noise, and the maps beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import numpy.typing as npt

__all__ = ["FAMILIES", "MiniBrain", "write_betas", "write_maps"]

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_NIBABEL: Any = nibabel  # half typed
SESSION, N_VERTICES = 750, 40
SESSION_OFFSET = 0.2  # percent signal change a session: skipping the z-score within sessions shows
VOXEL = {"func1pt8mm": 1.8, "func1mm": 1.0}
FAMILIES: dict[str, tuple[str, ...]] = {
    "prf-visualrois": ("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"),
    "prf-eccrois": ("ecc0pt5", "ecc1", "ecc2", "ecc4", "ecc4+"),
    "floc-faces": ("OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"),
    "floc-bodies": ("EBA", "FBA-1", "FBA-2", "mTL-bodies"),
    "floc-places": ("OPA", "PPA", "RSC"),
    "floc-words": ("OWFA", "VWFA-1", "VWFA-2", "mfs-words", "mTL-words"),
    "streams": ("early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"),
    "nsdgeneral": ("nsdgeneral",),
    "Kastner2015": (
        *("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4", "VO1", "VO2", "PHC1", "PHC2", "TO2", "TO1", "LO2", "LO1"),
        *("V3B", "V3A", "IPS0", "IPS1", "IPS2", "IPS3", "IPS4", "IPS5", "SPL1", "FEF"),
    ),
}


@dataclass(frozen=True)
class MiniBrain:
    """One subject in one space: places in C order over (x, y, z), or vertices of the left, then the right hemisphere.

    The signal of an image is its features times ``weights`` (feature, place), of variance 1; the first place of the
    brain is constant and the second has noise only. ``noise_sd`` is that of a single trial.
    """

    subject: str
    space: str
    grid: tuple[int, ...]
    inside: npt.NDArray[np.bool_]
    mean: FloatArray
    features: FloatArray
    weights: FloatArray
    noise_sd: FloatArray

    @property
    def surface(self) -> bool:
        """Whether places are vertices."""
        return self.space in ("fsaverage", "nativesurface")

    @classmethod
    def draw(
        cls, subject: str, space: str, grid: tuple[int, int, int], features: FloatArray, rng: np.random.Generator
    ) -> MiniBrain:
        """Draw a brain; 1 mm grids are longer by 2, 4 and 3, and surfaces have 40 vertices a hemisphere."""
        if space in ("fsaverage", "nativesurface"):
            shape: tuple[int, ...] = (N_VERTICES, N_VERTICES)
            inside = np.ones(2 * N_VERTICES, dtype=bool)
            inside.reshape(2, -1)[:, -2:] = False
        else:
            x, y, z = grid
            shape = grid if space == "func1pt8mm" else (x + 2, y + 4, z + 3)
            volume = np.zeros(shape, dtype=bool)
            volume[1:-1, 1:-1, 1:] = True
            inside = volume.ravel()
        n = len(inside)
        weights = rng.standard_normal((features.shape[1], n))
        weights /= np.linalg.norm(weights, axis=0)
        noise_sd = rng.uniform(0.3, 2.5, n)
        first, second = np.flatnonzero(inside)[:2]
        weights[:, [first, second]], noise_sd[first] = 0, 0
        return cls(subject, space, shape, inside, rng.normal(1, 0.5, n), features, weights, noise_sd)


def write_betas(
    root: Path, brain: MiniBrain, version: str, ids: IntArray, formats: Sequence[str], rng: np.random.Generator
) -> None:
    """Write the sessions and their ncsnr, and the truth behind them."""
    folder = root / "nsddata_betas" / "ppdata" / brain.subject / brain.space / version
    folder.mkdir(parents=True, exist_ok=True)
    session = np.arange(len(ids)) // SESSION
    varies = brain.noise_sd > 0
    percent = (
        brain.mean
        + brain.features[ids] @ brain.weights
        + brain.noise_sd * rng.standard_normal((len(ids), len(brain.mean)))
    )
    percent += SESSION_OFFSET * session[:, None] * varies
    stored: Array
    if brain.space == "fsaverage":
        stored = np.where(brain.inside, percent, np.nan).astype(np.float32)
    else:
        stored = np.where(brain.inside, np.rint(300 * percent), 0).astype(np.int16)
    for number in range(session[-1] + 1):
        _write_session(folder, brain, f"betas_session{number + 1:02d}", stored[session == number], formats)
    with np.errstate(invalid="ignore", divide="ignore"):
        ncsnr = np.where(brain.inside, slow_ncsnr(stored.astype(float), ids, session), np.nan).astype(np.float32)
    if brain.surface:
        for side, part in zip(("lh", "rh"), np.split(ncsnr, 2), strict=True):
            _write_overlay(folder / f"{side}.ncsnr.mgh", part)
    else:
        _write_volume(folder / "ncsnr.nii.gz", ncsnr.reshape(brain.grid), brain.space)
    truth = root / "truth"
    truth.mkdir(exist_ok=True)
    known: dict[str, Any] = {"noise_sd": brain.noise_sd, "mean": brain.mean, "inside": brain.inside, "nsd_id": ids}
    path = truth / f"{brain.subject}_{brain.space}_{version}.npz"
    np.savez_compressed(path, features=brain.features, weights=brain.weights, **known)


def slow_ncsnr(values: FloatArray, ids: IntArray, session: IntArray) -> FloatArray:
    """Return ncsnr by the official recipe, spelled out image by image."""
    z = np.empty_like(values)
    for number in np.unique(session):
        rows = session == number
        z[rows] = (values[rows] - values[rows].mean(axis=0)) / values[rows].std(axis=0, ddof=1)
    trials: dict[int, list[int]] = {}
    for trial, image in enumerate(ids.tolist()):
        trials.setdefault(image, []).append(trial)
    variances = [z[rows].var(axis=0, ddof=1) for rows in trials.values() if len(rows) == 3]
    noise = np.mean(variances, axis=0)
    ratio: FloatArray = np.sqrt(np.maximum(1 - noise, 0)) / np.sqrt(noise)
    return ratio


def write_maps(root: Path, brain: MiniBrain, rng: np.random.Generator) -> None:
    """Write brain mask, localiser maps, regions and label tables."""
    n = len(brain.inside)
    left = np.arange(n) < n // 2
    cortex = brain.inside & (rng.random(n) < 0.9)
    values = {family: _regions(family, cortex, len(labels), rng) for family, labels in FAMILIES.items()}
    general = values["nsdgeneral"]
    general[np.flatnonzero(brain.inside)[:4]] = 1  # the constant and the noisy place are looked at
    cortex |= general > 0
    if brain.surface:
        _write_labels(root, brain, values, rng)
        return
    folder = root / "nsddata" / "ppdata" / brain.subject / brain.space
    (folder / "roi").mkdir(parents=True, exist_ok=True)
    _write_volume(folder / "brainmask.nii.gz", brain.inside.reshape(brain.grid).astype(np.int16), brain.space)
    for name in ("faces", "bodies", "places", "word"):
        tval = rng.normal(1, 2, brain.grid).astype(np.float32)
        _write_volume(folder / f"floc_{name}tval.nii.gz", tval, brain.space)
    for family, labels in values.items():
        sides = {"lh.": left, "rh.": ~left, "": np.ones(n, dtype=bool)}
        for prefix, side in sides.items():
            volume = np.where(cortex & side, labels, -1).astype(np.float64)
            _write_volume(folder / "roi" / f"{prefix}{family}.nii.gz", volume.reshape(brain.grid), brain.space)


def _regions(family: str, cortex: npt.NDArray[np.bool_], n_labels: int, rng: np.random.Generator) -> IntArray:
    labels = rng.integers(0 if family != "nsdgeneral" else -1, n_labels + 1, len(cortex))
    return np.where(cortex, np.maximum(labels, 0), 0)


def _write_labels(root: Path, brain: MiniBrain, values: dict[str, IntArray], rng: np.random.Generator) -> None:
    folder = root / "nsddata" / "freesurfer" / brain.subject / "label"
    if folder.is_dir():  # both surfaces of a miniature have as many vertices, and the same regions
        return
    folder.mkdir(parents=True)
    for family, labels in values.items():
        for side, part in zip(("lh", "rh"), np.split(labels, 2), strict=True):
            _write_overlay(folder / f"{side}.{family}.mgz", part.astype(np.float32))
        blanks = "\t    " if family == "Kastner2015" else ""
        lines = ["0 Unknown", *(f"{k} {name}{blanks}" for k, name in enumerate(FAMILIES[family], start=1))]
        (folder / f"{family}.mgz.ctab").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in ("faces", "bodies", "places", "word"):
        for side in ("lh", "rh"):
            _write_overlay(folder / f"{side}.floc{name}tval.mgz", rng.normal(1, 2, N_VERTICES).astype(np.float32))


def _write_session(folder: Path, brain: MiniBrain, stem: str, values: Array, formats: Sequence[str]) -> None:
    if brain.surface:
        for side, part in zip(("lh", "rh"), np.split(values, 2, axis=1), strict=True):
            if brain.space == "fsaverage":
                _write_overlay(folder / f"{side}.{stem}.mgh", part.T)
            else:
                with h5py.File(folder / f"{side}.{stem}.hdf5", "w") as file:
                    file.create_dataset("betas", data=part, chunks=(len(part), 1))
        return
    volume = values.reshape(len(values), *brain.grid)
    if "hdf5" in formats:
        with h5py.File(folder / f"{stem}.hdf5", "w") as file:
            file.create_dataset("betas", data=volume.transpose(0, 3, 2, 1), chunks=(len(values), 1, 1, 1))
    if "nii.gz" in formats:
        _write_volume(folder / f"{stem}.nii.gz", volume.transpose(1, 2, 3, 0), brain.space)


def _write_volume(path: Path, values: Array, space: str) -> None:
    """Write NIfTI with the header of NSD: no qform, a diagonal sform that centres the grid."""
    side = VOXEL[space]
    affine = np.diag([side, side, side, 1.0])
    affine[:3, 3] = -(np.array(values.shape[:3]) - 1) / 2 * side
    image = _NIBABEL.Nifti1Image(values, None)
    image.set_sform(affine, code=1)
    image.set_qform(None, code=0)
    if values.ndim == 4:
        image.header.set_zooms((side, side, side, 4 / 3 if space == "func1pt8mm" else 1.0))
    _NIBABEL.save(image, path)


def _write_overlay(path: Path, values: Array) -> None:
    """Write MGH (vertex, 1, 1) or (vertex, 1, 1, trial), big-endian float32."""
    shape = (len(values), 1, 1, *values.shape[1:])
    _NIBABEL.save(_NIBABEL.MGHImage(np.ascontiguousarray(values, dtype=np.float32).reshape(shape), np.eye(4)), path)

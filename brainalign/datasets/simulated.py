"""A cortex made from images, with every answer known. The one simulated brain of the package; no network takes part."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from brainalign.datasets.gabor import contrast, gabor_energy
from brainalign.datasets.images import iter_images
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.shipped_files import chosen
from brainalign.datasets.simulated_areas import Area, early_area, later_area, normalised_energy, second_order
from brainalign.errors import InputError

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["EXPLAINABLE", "NOISE_FREE", "SimulatedRoi", "add_noise", "simulate_cortex", "simulate_rois", "write_truth"]

DATASET = "simulated-cortex"
EXPLAINABLE = {"early": 0.35, "later": 0.30}
"""Mean over neuroids of the share of single-presentation variance that the stimulus explains."""
NOISE_FREE = "noise-free responses of a simulated cortex: nothing to average, the ceiling is one by construction"
_SPREAD = 8.0

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedRoi:
    """One area of one subject, with the truth.

    Attributes
    ----------
    noise_free : array, shape (n_stimuli, n_neuroids)
        Variance one over the stimuli in every neuroid.
    repeats : array, shape (n_repeats, n_stimuli, n_neuroids)
        ``noise_free`` plus independent Gaussian noise.
    noise_variance, exact_ceiling : arrays, shape (n_neuroids,)
        Of one presentation; and 1 / (1 + noise_variance / n_repeats), the share of explainable variance in the mean.
    area : Area
        Receptive fields.
    """

    noise_free: npt.NDArray[np.float32]
    repeats: npt.NDArray[np.float32]
    noise_variance: Float
    exact_ceiling: Float
    area: Area


def simulate_cortex(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    stimulus_set: str = "natural-scenes",
    dataset: str = DATASET,
    truth: str | Path | None = None,
    n_neuroids: int = 100,
    n_repeats: int = 4,
    explainable: Mapping[str, float] | None = None,
    seed: int = 0,
) -> IngestReport:
    """Make the responses of simulated subjects to a stimulus set and put them into the store.

    Parameters
    ----------
    root : None
        Not used: nothing is read but the images of the stimulus set. All datasets are ingested by the same call.
    store : Store
        Holds the stimulus set; gets the responses.
    subjects : sequence of str, optional
        ``sim01``, ``sim02``, ``sim03``; each has its own neuroids and noise.
    variant : str, optional
        Only one of ``noisy``, ``noise-free``, ``noise-free-rdm``; default all three.
    stimulus_set : str
        Any set with images.
    dataset : str
        Name in the store.
    truth : path, optional
        Folder for ``<subject>.npz``: for each ROI ``noise_free_<roi>``, ``rdm_<roi>`` (1 - Pearson, SciPy order),
        ``gram_<roi>`` (columns centred), ``noise_variance_<roi>`` and ``exact_ceiling_<roi>``, by other code than the
        tool's own.
    n_neuroids : int
        Of each area and subject.
    n_repeats : int
        Presentations of each image.
    explainable : mapping, optional
        Mean explainable share of a single presentation by area; default .35 early, .30 later.
    seed : int
        Same seed and images, same cortex.

    Returns
    -------
    IngestReport
        Everything is marked SIMULATED.

    Notes
    -----
    Early area: Gabor energy (Adelson & Bergen 1985, doi:10.1364/JOSAA.2.000284) after divisive normalisation, in small
    receptive fields. Later area: random readout of pooled, rectified products of energies. The noise is Gaussian and
    independent over neuroids and presentations, with a variance that differs from neuroid to neuroid. About ten seconds
    for 640 images.
    """
    names = chosen("simulated subject", subjects, ("sim01", "sim02", "sim03"))
    kinds = chosen("variant", None if variant is None else [variant], ("noisy", "noise-free", "noise-free-rdm"))
    shares = {**EXPLAINABLE, **dict(explainable or {})}
    stimuli = [str(stimulus) for stimulus in store.stimuli(stimulus_set)["stimulus"]]
    energy = normalised_energy(gabor_energy(contrast(image for _, image in iter_images(store, stimulus_set))))
    rois = simulate_rois(energy, names, n_neuroids=n_neuroids, n_repeats=n_repeats, explainable=shares, seed=seed)
    options = {
        "reader": "simulated/1",
        "stimulus_set": stimulus_set,
        "n_neuroids": n_neuroids,
        "n_repeats": n_repeats,
        "explainable": shares,
        "seed": seed,
    }
    entries = []
    for subject, areas in rois.items():
        if truth is not None:
            write_truth(Path(truth) / f"{subject}.npz", stimuli, areas)
        for kind in kinds:
            entries.append(_put(store, dataset, kind, subject, stimuli, areas, options))
    return IngestReport(dataset, {stimulus_set: len(stimuli)}, tuple(entries), simulated=True)


def simulate_rois(
    energy: npt.NDArray[np.float32],
    subjects: Sequence[str],
    *,
    n_neuroids: int = 100,
    n_repeats: int = 4,
    explainable: Mapping[str, float] = EXPLAINABLE,
    seed: int = 0,
) -> dict[str, dict[str, SimulatedRoi]]:
    """Return the areas of each subject, from normalised energy (n, 24, 32, 32).

    Subjects share what is computed from the image; they differ in neuroids and noise. A subject is the same whatever
    other subjects are asked for.
    """
    if n_neuroids < 1 or n_repeats < 1:
        raise InputError(f"n_neuroids={n_neuroids} and n_repeats={n_repeats} must be at least 1.")
    pooled = second_order(energy, np.random.default_rng([seed, 0]))
    out = {}
    for subject in subjects:
        own = [seed, 1 + int(subject.removeprefix("sim"))]
        early = early_area(energy, n_neuroids, np.random.default_rng([*own, 0]))
        later = later_area(pooled, n_neuroids, np.random.default_rng([*own, 1]))
        out[subject] = {
            name: add_noise(area, explainable[name], n_repeats, np.random.default_rng([*own, 2 + number]))
            for number, (name, area) in enumerate({"early": early, "later": later}.items())
        }
    return out


def add_noise(area: Area, explainable: float, n_repeats: int, rng: np.random.Generator) -> SimulatedRoi:
    """Add independent noise whose variance differs over neuroids.

    The explainable share of a neuroid is Beta distributed with mean ``explainable``; at signal variance one it is
    1 / (1 + noise variance).
    """
    if not 0 < explainable < 1:
        raise InputError(f"explainable={explainable} must lie between 0 and 1.")
    noise_free = area.responses.astype(np.float32)
    share = rng.beta(_SPREAD * explainable, _SPREAD * (1 - explainable), noise_free.shape[1])
    noise_variance = np.asarray((1 - share) / share)
    exact_ceiling = np.asarray(1 / (1 + noise_variance / n_repeats))
    noise = rng.standard_normal((n_repeats, *noise_free.shape)) * np.sqrt(noise_variance)
    repeats = (noise_free + noise).astype(np.float32)
    return SimulatedRoi(noise_free, repeats, noise_variance, exact_ceiling, area)


def write_truth(path: Path, stimuli: Sequence[str], areas: Mapping[str, SimulatedRoi]) -> Path:
    """Write what is known of one subject, by other code than the tool's own, whole or not at all."""
    arrays: dict[str, Any] = {"stimulus": np.array(stimuli)}
    for name, roi in areas.items():
        arrays[f"noise_free_{name}"] = roi.noise_free
        arrays[f"rdm_{name}"] = _correlation_rdm(roi.noise_free)
        centred = roi.noise_free.astype(np.float64) - roi.noise_free.mean(axis=0, dtype=np.float64)
        arrays[f"gram_{name}"] = centred @ centred.T
        arrays[f"noise_variance_{name}"] = roi.noise_variance
        arrays[f"exact_ceiling_{name}"] = roi.exact_ceiling
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    try:
        np.savez(part, **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _put(
    store: Store,
    dataset: str,
    kind: str,
    subject: str,
    stimuli: list[str],
    areas: Mapping[str, SimulatedRoi],
    options: dict[str, Any],
) -> ImportReport:
    attrs = {"stimulus_set": options["stimulus_set"], "simulated": True, "licence": "CC0"}
    given = {**options, "variant": kind}
    if kind == "noise-free-rdm":
        rdms = xr.Dataset(
            {
                "dissimilarity": (
                    ("roi", "pair"),
                    np.stack([_correlation_rdm(roi.noise_free) for roi in areas.values()]),
                )
            },
            coords={
                "roi": np.array(list(areas), dtype=object),
                "stimulus": ("stimulus", np.array(stimuli, dtype=object)),
            },
            attrs=attrs,
        )
        written = store.put_rdms(dataset, kind, subject, rdms, options=given)
        sizes = (len(stimuli), len(stimuli), 0, (1, 1))
        return ImportReport(dataset, kind, subject, "rdms", *sizes, tuple(areas), "", written)
    noisy = kind == "noisy"
    reason = "" if noisy else NOISE_FREE
    n_repeats = options["n_repeats"] if noisy else 1
    responses = _labelled(areas, stimuli, n_repeats if noisy else None)
    responses.attrs = {**attrs, "averaged": reason, "n_repeats_reported": n_repeats}
    written = store.put_responses(dataset, kind, subject, responses, options=given)
    sizes = (len(stimuli), responses.sizes["presentation"], responses.sizes["neuroid"], (n_repeats, n_repeats))
    return ImportReport(dataset, kind, subject, "responses", *sizes, tuple(areas), reason, written)


def _labelled(areas: Mapping[str, SimulatedRoi], stimuli: list[str], n_repeats: int | None) -> xr.Dataset:
    """Noisy presentations, one session a repeat, or the noise-free responses where ``n_repeats`` is None."""
    rois, n = list(areas.values()), len(stimuli)
    if n_repeats is None:
        values = np.concatenate([roi.noise_free for roi in rois], axis=1)
        repetition = np.zeros(n, dtype=np.int64)
    else:
        values = np.concatenate([roi.repeats for roi in rois], axis=2).reshape(n_repeats * n, -1)
        repetition = np.repeat(np.arange(n_repeats), n)
    member = np.repeat(np.arange(len(rois)), [roi.noise_free.shape[1] for roi in rois])
    noise = np.concatenate([roi.noise_variance for roi in rois])
    neuroid = {
        "noise_variance": noise if n_repeats is not None else np.zeros_like(noise),
        "signal_variance": np.ones_like(noise),
        "exact_ceiling": np.concatenate([r.exact_ceiling for r in rois])
        if n_repeats is not None
        else np.ones_like(noise),
        **{name: np.concatenate([getattr(r.area, name) for r in rois]) for name in ("rf_x", "rf_y", "rf_size")},
    }
    return xr.Dataset(
        {
            "response": (("presentation", "neuroid"), values),
            "roi": (("neuroid", "label"), member[:, None] == np.arange(len(rois))[None]),
        },
        coords={
            "label": np.array(list(areas), dtype=object),
            "stimulus": ("presentation", np.array(stimuli * (n_repeats or 1), dtype=object)),
            "repetition": ("presentation", repetition),
            "session": ("presentation", repetition),
            **{name: ("neuroid", column) for name, column in neuroid.items()},
        },
    )


def _correlation_rdm(responses: npt.NDArray[np.float32]) -> Float:
    correlation: Float = np.atleast_2d(np.corrcoef(responses.astype(np.float64)))
    out: Float = 1 - correlation[np.triu_indices(len(responses), 1)]
    return out

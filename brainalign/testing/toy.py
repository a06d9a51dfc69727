"""A toy data set with known answers: a shared latent code, noisy repeats of it in two subjects, and two layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.store import Store, open_store

__all__ = ["MODEL", "make_toy_rdms", "make_toy_store"]

MODEL = "toy-net@0123456789ab"
N_LATENT, N_NEUROIDS = 10, 30


def make_toy_store(
    folder: str | Path,
    *,
    n_stimuli: int = 120,
    n_repeats: int = 3,
    noise: float = 2.0,
    subjects: tuple[str, ...] = ("one", "two"),
    averaged: str = "",
    own_stimuli: bool = False,
    noise_free: bool = False,
    seed: int = 0,
) -> Store:
    """Write a store with dataset ``toy`` and model ``toy-net``.

    Neuroids respond to a linear readout of ten latent variables; neuroid 0 is constant. Layer ``signal|mean`` is a
    linear readout of the same variables, ``noise|mean`` has nothing to do with them. Stimuli come in sources of two
    (column ``group``). ROIs: ``V1`` (neuroids 0 to 14), ``IT`` (10 to 29).

    Parameters
    ----------
    folder : path
        Where the store is made.
    n_stimuli, n_repeats, noise, subjects, seed
        Size, standard deviation of the noise of a single presentation, names, seed.
    averaged : str
        Average the repeats, and record this reason why there is no ceiling.
    own_stimuli : bool
        Every subject saw stimuli of its own.
    noise_free : bool
        Add the variant ``truth`` without noise.
    """
    store = open_store(str(Path(folder) / "store"))
    rng = np.random.default_rng(seed)
    sets = {s: f"images-{s}" if own_stimuli else "images" for s in subjects}
    latent = {name: rng.standard_normal((n_stimuli, N_LATENT)) for name in dict.fromkeys(sets.values())}
    readout = rng.standard_normal((N_LATENT, 50))
    for name, code in latent.items():
        ids = _ids(name, n_stimuli)
        _put_stimuli(store, name, ids)
        layers = {
            "signal|mean": (code @ readout).astype(np.float32),
            "noise|mean": rng.standard_normal((n_stimuli, 40)).astype(np.float32),
        }
        model, revision = MODEL.split("@")
        about = {"attributes": {"family": "toy", "n_parameters": 3}}
        store.put_embeddings(model, revision, name, layers, stimuli=ids, attrs=about)
    for subject, name in sets.items():
        ids = _ids(name, n_stimuli)
        truth = latent[name] @ rng.standard_normal((N_LATENT, N_NEUROIDS))
        data = _responses(truth, ids, n_repeats, noise, averaged, rng)
        data.attrs["stimulus_set"] = name
        store.put_responses("toy", "v1", subject, data, options={"noise": noise})
        if noise_free:
            clean = _responses(truth, ids, 1, 0.0, "no noise was added", rng)
            clean.attrs["stimulus_set"] = name
            store.put_responses("toy", "truth", subject, clean, options={"noise": 0})
    return store


def make_toy_rdms(store: Store, *, n_subjects: int = 4, noise: float = 0.3, seed: int = 0) -> None:
    """Add dataset ``toy-rdms`` to a toy store: RDMs of the signal layer's code with noise, ROIs ``EVC`` and ``IT``."""
    rng = np.random.default_rng(seed)
    layer = store.embeddings(MODEL, stimuli="images")
    ids = [str(i) for i in layer["stimulus"].values]
    X = np.asarray(layer["signal|mean"].values, dtype=np.float64)
    upper = np.triu_indices(len(X), 1)
    truth = 1 - np.asarray(np.corrcoef(X))[upper]
    for s in range(n_subjects):
        rdms = np.stack([truth + noise * rng.standard_normal(len(truth)) for _ in range(2)])
        data = xr.Dataset(
            {"dissimilarity": (("roi", "pair"), rdms)},
            coords={"roi": ["EVC", "IT"], "stimulus": ("stimulus", np.array(ids, dtype=object))},
            attrs={"stimulus_set": "images", "simulated": True},
        )
        store.put_rdms("toy-rdms", "v1", f"s{s}", data, options={"noise": noise})


def _ids(name: str, n: int) -> list[str]:
    return [f"{name}-{i:03d}" for i in range(n)]


def _put_stimuli(store: Store, name: str, ids: list[str]) -> None:
    table = pd.DataFrame(
        {
            "stimulus": ids,
            "file": [f"{i}.png" for i in ids],
            "bytes": 1,
            "sha256": [f"{i:064x}" for i in range(len(ids))],
            "print": ["00" * 192] * len(ids),
            "group": [f"g{i // 2}" for i in range(len(ids))],
        }
    )
    store.put_stimuli(name, table, source=None, kind=None)


def _responses(
    truth: np.ndarray, ids: list[str], n_repeats: int, noise: float, averaged: str, rng: np.random.Generator
) -> xr.Dataset:
    rows = np.repeat(np.arange(len(truth)), n_repeats)
    values = truth[rows] + noise * rng.standard_normal((len(rows), truth.shape[1]))
    values[:, 0] = 1.0
    if averaged:
        values, rows = values.reshape(len(truth), n_repeats, -1).mean(axis=1), np.arange(len(truth))
    member = np.zeros((truth.shape[1], 2), dtype=bool)
    member[:15, 0] = True
    member[10:, 1] = True
    return xr.Dataset(
        {
            "response": (("presentation", "neuroid"), values.astype(np.float32)),
            "roi": (("neuroid", "label"), member, {"labels": ["V1", "IT"]}),
        },
        coords={
            "stimulus": ("presentation", np.array(ids, dtype=object)[rows]),
            "repetition": (
                "presentation",
                np.zeros(len(rows), int) if averaged else np.tile(np.arange(n_repeats), len(truth)),
            ),
        },
        attrs={"simulated": True, "averaged": averaged},
    )

"""A store of any size: synthetic embeddings that share a code with the responses of several subjects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.store import Store, open_store

__all__ = ["make_scale_store"]


def make_scale_store(
    folder: str | Path,
    *,
    embeddings: int,
    subjects: int,
    rois: int,
    neuroids: int = 300,
    n: int = 1000,
    width: int = 1024,
    layers: int = 1,
    repeats: int = 3,
    seed: int = 0,
) -> Store:
    """Write dataset ``scale`` and models ``net-000@1``, …; what is there already is left.

    Parameters
    ----------
    folder : path
    embeddings, subjects, rois, neuroids, n, width, layers, repeats : int
        Models, subjects, regions of a subject, neuroids of a region, stimuli, features of a layer, layers of a model,
        presentations of a stimulus.
    seed : int
    """
    store = open_store(Path(folder) / "store")
    rng = np.random.default_rng(seed)
    ids = [f"s{i:05d}" for i in range(n)]
    code = rng.standard_normal((n, 20))
    store.put_stimuli("images", pd.DataFrame({"stimulus": ids}))
    for number in range(embeddings):
        arrays = {
            f"layer{i}|mean": (code @ rng.standard_normal((20, width)) + 2 * rng.standard_normal((n, width))).astype(
                "f4"
            )
            for i in range(layers)
        }
        store.put_embeddings(f"net-{number:03d}", "1", "images", arrays, stimuli=ids)
    labels = [f"roi{i}" for i in range(rois)]
    member = np.repeat(np.eye(rois, dtype=bool), neuroids, axis=0)
    for number in range(subjects):
        signal = code @ rng.standard_normal((20, rois * neuroids))
        response = np.concatenate([signal + 4 * rng.standard_normal(signal.shape) for _ in range(repeats)])
        data = xr.Dataset(
            {"response": (("presentation", "neuroid"), response.astype("f4"))},
            {"stimulus": ("presentation", ids * repeats), "label": labels},
        )
        data["roi"] = (("neuroid", "label"), member, {"labels": labels})
        data.attrs |= {"stimulus_set": "images", "simulated": True}
        store.put_responses("scale", "v1", f"s{number}", data, options={"seed": seed})
    return store

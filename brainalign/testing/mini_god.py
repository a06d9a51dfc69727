"""A miniature of Generic Object Decoding: one subject as BData in the three forms that exist, synthetic numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import scipy.io

__all__ = ["FORMS", "make_god"]

Array = npt.NDArray[Any]
FORMS = ("dataset", "dataSet", "mat")
N_TRAIN, N_TEST, N_TEST_REPEATS, N_IMAGERY_REPEATS, N_VOXELS = 24, 5, 7, 2, 40
ROIS = {
    "V1": (0, 6),
    "V2": (5, 11),
    "V3": (10, 16),
    "V4": (15, 21),
    "LOC": (20, 27),
    "FFA": (25, 31),
    "PPA": (30, 36),
    "LVC": (0, 16),
    "HVC": (20, 38),
    "VC": (0, 40),
}


def make_god(root: str | Path, *, form: str = "dataset", subject: str = "Subject1", seed: int = 0) -> dict[str, Any]:
    """Write 24 training samples, 5 test images 7 times and 5 imagined categories twice.

    Parameters
    ----------
    root : path
        Folder that is made; the file lies in ``data``.
    form : {"dataset", "dataSet", "mat"}
        HDF5 of either spelling, or MATLAB.
    subject : str
    seed : int

    Returns
    -------
    dict
        ``response``, ``stimulus``, ``split``, ``run``, ``masks`` (overlapping regions), ``voxel_x``.
    """
    rng = np.random.default_rng(seed)
    synsets = rng.choice(np.arange(1440000, 1990000), N_TRAIN + N_TEST, replace=False)
    # trailing zeros and the first synset of the field are where decoding goes wrong
    pairs = [(int(s), int(i)) for s, i in zip(synsets, rng.integers(1, 99999, len(synsets)), strict=True)]
    pairs[0], pairs[1] = (1443537, 22563), (1621127, 19020)
    train, test = pairs[:N_TRAIN], pairs[N_TRAIN:]
    shown = train + test * N_TEST_REPEATS + [(s, 0) for s, _ in test] * N_IMAGERY_REPEATS
    kinds = np.repeat([1, 2, 3], [N_TRAIN, N_TEST * N_TEST_REPEATS, N_TEST * N_IMAGERY_REPEATS])
    signal = {pair: rng.standard_normal(N_VOXELS) for pair in dict.fromkeys(shown)}
    response = np.stack([signal[pair] for pair in shown]) + 0.5 * rng.standard_normal((len(shown), N_VOXELS))
    numbers = np.array([s + i / 1e6 for s, i in shown])
    run = np.arange(len(shown)) // 8 + 1
    block = np.arange(len(shown)) % 8 + 1
    samples = np.column_stack([response, kinds, numbers, run, block])
    keys, values = _metadata(form, rng)
    _write(Path(root) / "data", subject, form, samples, keys, values)
    return {
        "response": response,
        "stimulus": [f"n{s:08d}_{i}" if i else f"n{s:08d}" for s, i in shown],
        "split": [{1: "train", 2: "test", 3: "imagery"}[int(kind)] for kind in kinds],
        "run": run.tolist(),
        "masks": {name: np.isin(np.arange(N_VOXELS), range(a, b)) for name, (a, b) in ROIS.items()},
        "voxel_x": values[keys.index("voxel_x"), :N_VOXELS],
    }


def _metadata(form: str, rng: np.random.Generator) -> tuple[list[str], Array]:
    n_columns = N_VOXELS + 4
    rows: dict[str, Array] = {}

    def mark(key: str, start: int, stop: int) -> None:
        rows[key] = np.full(n_columns, np.nan)
        rows[key][start:stop] = 1

    mark("VoxelData", 0, N_VOXELS)
    for name, (start, stop) in ROIS.items():
        mark(f"ROI_{name}", start, stop)
    for axis in "xyz":
        rows[f"voxel_{axis}"] = np.append(rng.uniform(-60, 60, N_VOXELS).round(1), np.full(4, np.nan))
    for place, key in enumerate(("DataType", "Label" if form == "mat" else "stimulus_id", "Run", "Block")):
        mark(key, N_VOXELS + place, N_VOXELS + place + 1)
    return list(rows), np.stack(list(rows.values()))


def _write(folder: Path, subject: str, form: str, samples: Array, keys: list[str], values: Array) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if form == "mat":
        about = {
            "key": np.array(keys, dtype=object),
            "description": np.array(["text"] * len(keys), dtype=object),
            "value": values,
        }
        scipy.io.savemat(folder / f"{subject}.mat", {"dataSet": samples, "metaData": about})
        return
    about_name = {"dataset": "metadata", "dataSet": "metaData"}[form]
    with h5py.File(folder / f"{subject}.h5", "w") as file:
        file[form] = samples
        text = h5py.string_dtype()
        file.create_dataset(f"{about_name}/key", data=keys, dtype=text)
        file.create_dataset(f"{about_name}/description", data=["text"] * len(keys), dtype=text)
        file[f"{about_name}/value"] = values

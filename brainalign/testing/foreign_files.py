"""Miniatures of what other tools write: Brain-Score assemblies, Net2Brain and thingsvision features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["AssemblyTruth", "make_assembly", "make_net2brain_folder", "make_thingsvision_folder"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AssemblyTruth:
    """Values (presentation, neuroid) and coordinates of a miniature assembly."""

    path: Path
    stimuli: Path
    values: FloatArray
    stimulus_id: list[str]
    repetition: list[int]
    region: list[str]
    subject: list[str]


def make_assembly(folder: str | Path, *, name: str = "Mini2026", nsd: bool = False, seed: int = 0) -> AssemblyTruth:
    """Write six images x three repetitions, ten neuroids in V1 and IT of two subjects, as netCDF-4 with a CSV."""
    rng = np.random.default_rng(seed)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images = [f"nsd_{i * 101:05d}" if nsd else f"im{i:02d}" for i in range(6)]
    stimulus, repetition = [i for i in images for _ in range(3)], [r for _ in images for r in range(3)]
    region, subject = ["V1"] * 4 + ["IT"] * 6, ["s1", "s2"] * 5
    values = rng.standard_normal((18, 10))
    path = folder / f"assy_{name}.nc"
    with h5py.File(path, "w", track_order=True) as root:
        root.attrs["identifier"] = name
        for number, (dim, size) in enumerate({"presentation": 18, "neuroid": 10, "time_bin": 1}.items()):
            scale = root.create_dataset(dim, (size,), dtype=">f4")
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable. {size:9d}")
            scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        data = root.create_dataset("data", data=values[:, :, None], compression="gzip")
        for axis, dim in enumerate(("presentation", "neuroid", "time_bin")):
            data.dims[axis].attach_scale(root[dim])
        columns: dict[str, tuple[str, Any]] = {
            "stimulus_id": ("presentation", stimulus),
            "repetition": ("presentation", repetition),
            "neuroid_id": (
                "neuroid",
                [f"{s}_{r}_v{i:04d}" for i, (s, r) in enumerate(zip(subject, region, strict=True))],
            ),
            "region": ("neuroid", region),
            "subject": ("neuroid", subject),
            "voxel_x": ("neuroid", list(range(10))),
            "nc_testset": ("neuroid", rng.uniform(0, 100, 10)),
            "time_bin_start": ("time_bin", [70]),
            "time_bin_end": ("time_bin", [170]),
        }
        for column, (dim, given) in columns.items():
            dtype = h5py.string_dtype() if isinstance(given[0], str) else None
            root.create_dataset(column, data=given, dtype=dtype).dims[0].attach_scale(root[dim])
        data.attrs["coordinates"] = " ".join(columns)
    table = folder / f"stimulus_{name}.csv"
    pd.DataFrame({"stimulus_id": images, "filename": [f"{i}.png" for i in images]}).to_csv(table, index=False)
    return AssemblyTruth(path, table, values, stimulus, repetition, region, subject)


def make_net2brain_folder(folder: str | Path, *, consolidated: bool = False, seed: int = 0) -> dict[str, FloatArray]:
    """Write features of five stimuli (img1 … img5) in two layers; return them by layer, (stimulus, feature)."""
    rng = np.random.default_rng(seed)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {"layer1": (2, 3, 3), "layer2.0.relu": (7,)}
    layers = {name: rng.standard_normal((5, *shape)) for name, shape in shapes.items()}
    names = [f"img{i}" for i in range(1, 6)]
    for name, values in layers.items() if consolidated else ():
        np.savez(folder / f"consolidated_{name}.npz", **dict(zip(names, values, strict=True)))
    for i, name in enumerate(names if not consolidated else ()):
        np.savez(folder / f"{name}.npz", **{layer: values[i] for layer, values in layers.items()})
    return {name: values.reshape(5, -1) for name, values in layers.items()}


def make_thingsvision_folder(folder: str | Path, *, splits: int = 1, seed: int = 0) -> FloatArray:
    """Write ``features.npy`` (or ``features_01.npy``, …) and ``file_names.txt`` of six images; return the features."""
    rng = np.random.default_rng(seed)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    features = rng.standard_normal((6, 8))
    if splits == 1:
        np.save(folder / "features.npy", features)
    for i, part in enumerate(np.array_split(features, splits) if splits > 1 else ()):
        np.save(folder / f"features_{i + 1:02d}.npy", part)
    names = [f"images/animal/img{i}.jpg" for i in (3, 1, 2, 6, 5, 4)]
    (folder / "file_names.txt").write_text("\n".join(names) + "\n")
    return features

"""The region matrices of BOLD5000: HDF5 and MATLAB files of release 1, NumPy files of release 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from brainalign.datasets.bold5000.trials import Trials, betas_name
from brainalign.datasets.bold5000.variants import REGIONS
from brainalign.datasets.matrices import load_array, real_numbers
from brainalign.datasets.trees import find_files, find_one
from brainalign.errors import DatasetError
from brainalign.foreign.damage import damage
from brainalign.foreign.inflation import read_hdf5
from brainalign.foreign.matlab import load_matlab
from brainalign.foreign.rehearsal import rehearse
from brainalign.manifests import Manifest

__all__ = ["first_release", "second_release"]

Array = npt.NDArray[Any]


def first_release(root: Path, subject: str, tr: str, trials: Trials, manifest: Manifest) -> dict[str, Array]:
    """Read ``CSI1_ROIs_TR34.h5`` or ``.mat``, shape (trial, voxel) by region.

    Raises
    ------
    DatasetError
        If there is neither file, it is damaged, or a region has another number of trials than the list of images.
    """
    path = find_one(root, [f"{subject}_ROIs_TR{tr}.h5", f"{subject}_ROIs_TR{tr}.mat"], manifest)
    read = _hdf5 if path.suffix == ".h5" or h5py.is_hdf5(path) else _mat
    found = {name: values for name, values in read(path).items() if name in REGIONS}
    return _checked(found, dict.fromkeys(found, path), trials, subject)


def second_release(root: Path, subject: str, kind: str, trials: Trials, manifest: Manifest) -> dict[str, Array]:
    """Read ``…_allses_<region>.npy``, shape (trial, voxel) by region.

    Raises
    ------
    DatasetError
        As for :func:`first_release`.
    """
    found: dict[str, Array] = {}
    paths: dict[str, Path] = {}
    for region in REGIONS:
        name = f"{betas_name(subject, kind)}_allses_{region}.npy"
        if find_files(root, name):
            paths[region] = find_one(root, name, manifest)
            found[region] = load_array(paths[region])
    return _checked(found, paths, trials, subject)


def _checked(found: dict[str, Array], paths: dict[str, Path], trials: Trials, subject: str) -> dict[str, Array]:
    if not found:
        raise DatasetError(f"the files of {subject} hold no region; expected {', '.join(REGIONS)}.")
    matrices = {}
    for region in (name for name in REGIONS if name in found):
        values, n = np.asarray(found[region]), len(trials.ids)
        if values.ndim == 2 and len(values) != n and values.shape[1] == n:
            values = values.T  # MATLAB files of version 7.3 are read the other way round
        if values.ndim != 2 or len(values) != n:
            raise DatasetError(
                f"{paths[region]}: {region} has shape {values.shape}; {trials.path} names {n} images, and (trial, "
                "voxel) was expected. They must be of one subject and release."
            )
        matrices[region] = real_numbers(values, f"{paths[region]}: {region}")
    return matrices


def _hdf5(path: Path) -> dict[str, Array]:
    rehearse(path, "hdf5")
    with damage(path, "an HDF5 file"), h5py.File(path, "r") as file:
        return {name: read_hdf5(file[name], path) for name in file if isinstance(file[name], h5py.Dataset)}


def _mat(path: Path) -> dict[str, Array]:
    return {name: value for name, value in load_matlab(path).items() if isinstance(value, np.ndarray)}

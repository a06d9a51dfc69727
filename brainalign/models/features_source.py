"""Features that were computed elsewhere: ``features:FILE`` (.npy, .npz, .h5, .safetensors, .parquet).

They go through the same door as a network: rows are found by stimulus id, layers are the arrays of the file, and
pooling, projections, checks and the store work as for any other. The ids stand in the file: an array ``stimulus``
(.npz, .h5), a text column ``stimulus`` (.parquet), the metadata ``stimulus`` as a JSON list (.safetensors); or in a
text file of the same name beside it (``features.txt``, one id a line), as a bare .npy needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainalign.errors import DatasetError, InputError, ModelError, PairingError, near_names
from brainalign.foreign.damage import damage, read_lines
from brainalign.foreign.inflation import read_hdf5, read_npz
from brainalign.foreign.json_text import parse_json
from brainalign.foreign.rehearsal import rehearse
from brainalign.models.engine import Engine, file_sha256
from brainalign.models.network import Network
from brainalign.models.request import ModelRequest

__all__ = ["FeatureTable", "load"]

IDS = "stimulus"


def load(asked: ModelRequest) -> Network:
    """Open a file of features as a network that looks rows up.

    Raises
    ------
    UnknownModelError, ModelError
        No such file, a file without ids, or arrays that do not have one row an id.
    """
    path = asked.file("a file of features")
    if asked.preprocessing is not None:
        raise InputError("precomputed features have no preprocessing; leave preprocessing= away")
    ids, arrays = _read(path)
    table = FeatureTable(ids, arrays, file_sha256(path))
    return Network(
        id=f"features:{path.name}",
        module=table,
        preprocess=table.row,
        preprocessing="features computed elsewhere",
        attributes={
            "family": "features",
            "n_parameters": None,
            "pretrained": None,
            "training_data": None,
            "source": f"features:{path.name}",
        },
        takes="id",
        default_layers=tuple(arrays),
    )


class FeatureTable(Engine):
    """Arrays with one row a stimulus; a forward pass looks rows up."""

    def __init__(self, ids: Sequence[str], arrays: Mapping[str, Any], sha256: str) -> None:
        super().__init__()
        self._rows = {name: row for row, name in enumerate(ids)}
        self._arrays, self._sha256 = dict(arrays), sha256
        if len(self._rows) != len(ids):
            raise PairingError(f"{len(ids) - len(self._rows)} ids of the features stand twice or more")
        for name, values in self._arrays.items():
            known = values.dtype.kind == "f" and values.dtype.itemsize <= 8
            if values.ndim < 2 or len(values) != len(ids) or not known:
                raise ModelError(
                    f"array {name!r} is {values.dtype} {values.shape}; expected floating-point numbers with one row "
                    f"for each of {len(ids)} ids"
                )

    def row(self, stimulus: str) -> torch.Tensor:
        """Return the number of the row of a stimulus.

        Raises
        ------
        PairingError
            The features have no such stimulus.
        """
        if stimulus not in self._rows:
            raise PairingError(
                f"the features have no row for stimulus {stimulus!r} ({len(self._rows)} rows)."
                + near_names(stimulus, self._rows)[:200]
            )
        return torch.tensor(self._rows[stimulus])

    def layer_names(self) -> list[str]:
        """Names of the arrays."""
        return list(self._arrays)

    def content(self) -> str:
        """SHA-256 of the file."""
        return self._sha256

    def run(self, inputs: torch.Tensor, names: Sequence[str] | None) -> Mapping[str, torch.Tensor]:
        """Look the rows up."""
        asked = list(self._arrays if names is None else names) or list(self._arrays)[-1:]
        rows = inputs.cpu().numpy()
        found = {name: self._arrays[name][rows] for name in asked}
        return {name: torch.from_numpy(np.array(v, v.dtype.newbyteorder("="), order="C")) for name, v in found.items()}


def _read(path: Path) -> tuple[list[str], dict[str, Any]]:
    readers = {
        ".npy": _npy, ".npz": _npz, ".h5": _hdf5, ".hdf5": _hdf5, ".safetensors": _safetensors, ".parquet": _parquet,
    }  # fmt: skip
    if path.suffix not in readers:
        raise ModelError(f"{path} is no file of features; expected " + ", ".join(readers))
    beside = path.with_suffix(".txt")
    try:
        with damage(path, "a file of features"):
            ids, arrays = readers[path.suffix](path)
        if ids is None and beside.is_file():
            ids = read_lines(beside)
    except DatasetError as error:
        raise ModelError(str(error)) from error
    if ids is None:
        raise ModelError(f"{path} does not say which stimulus a row is: put {beside.name} beside it, one id a line")
    return ids, arrays


def _npy(path: Path) -> tuple[None, dict[str, Any]]:
    return None, {"features": np.load(path, mmap_mode="r", allow_pickle=False)}


def _npz(path: Path) -> tuple[list[str] | None, dict[str, Any]]:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: read_npz(file, name, path) for name in file.files}
    return _popped(arrays)


def _hdf5(path: Path) -> tuple[list[str] | None, dict[str, Any]]:
    import h5py

    rehearse(path)
    with h5py.File(path, "r") as file:
        arrays = {name: read_hdf5(file[name], path) for name in file if isinstance(file[name], h5py.Dataset)}
    return _popped(arrays)


def _popped(arrays: dict[str, Any]) -> tuple[list[str] | None, dict[str, Any]]:
    ids = arrays.pop(IDS, None)
    if ids is None:
        return None, arrays
    return [i.decode() if isinstance(i, bytes) else str(i) for i in ids.tolist()], arrays


def _safetensors(path: Path) -> tuple[list[str] | None, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            kept = (file.metadata() or {}).get(IDS)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(error) from error
    return None if kept is None else [str(i) for i in parse_json(kept)], arrays


def _parquet(path: Path) -> tuple[list[str] | None, dict[str, Any]]:
    """Columns of numbers are one array ``features``; a column of lists is an array of its name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    ids = [str(i) for i in table[IDS].to_pylist()] if IDS in table.column_names else None
    lists, numbers = {}, []
    for field in table.schema:
        if pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type):
            lists[field.name] = np.stack([np.asarray(row) for row in table[field.name].to_pylist()])
        elif pa.types.is_floating(field.type):
            numbers.append(table[field.name].to_numpy())
    return ids, lists | ({"features": np.stack(numbers, 1)} if numbers else {})

"""Embeddings that other tools wrote: Net2Brain's npz folders, thingsvision's features with file_names."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import numpy.typing as npt

from brainalign.datasets.deposit import require_known_stimuli
from brainalign.datasets.matrices import Labels, load_array, load_labels, real_numbers
from brainalign.errors import ChoiceError, DatasetError, InputError, near_names
from brainalign.foreign.inflation import read_hdf5, read_npz
from brainalign.foreign.matlab import load_matlab
from brainalign.foreign.rehearsal import rehearse

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["FeatureReport", "import_features", "read_features"]

Array = npt.NDArray[Any]
FORMATS = ("net2brain", "thingsvision", "matrix")
ID_FORMS = ("stem", "name", "path")
CONSOLIDATED = re.compile(r".*consolidated_(.+)")


@dataclass(frozen=True)
class FeatureReport:
    """Embeddings as they went into the store; ``written`` is False if the same were there already."""

    model: str
    revision: str
    stimulus_set: str
    n_stimuli: int
    layers: dict[str, int]
    format: str
    written: bool

    def __str__(self) -> str:
        layers = ", ".join(f"{name} ({width})" for name, width in self.layers.items())
        state = "" if self.written else " (already there)"
        return f"{self.model}@{self.revision} on {self.stimulus_set}: {self.n_stimuli} stimuli, {layers}{state}"


def import_features(
    store: Store,
    source: str | Path,
    *,
    model: str,
    stimulus_set: str,
    format: str | None = None,
    layer: str = "features",
    stimuli: Labels | None = None,
    id_from: str = "stem",
    revision: str | None = None,
) -> FeatureReport:
    """Bring embeddings that another tool computed into the store.

    Parameters
    ----------
    store : Store
    source : path
        Folder or file, see `read_features`.
    model : str
        Name in the store.
    stimulus_set : str
        Set that the ids belong to. If the store has it, every id must be in it.
    format, layer, stimuli, id_from
        As in `read_features`.
    revision : str, optional
        Of the weights. Default: 12 hex digits of the SHA-256 over the features, since the files know no weights.

    Raises
    ------
    DatasetError
        If files are absent or damaged, or do not hold one array a stimulus.
    VariantError
        If embeddings of this name are there with other values.
    """
    kind, ids, layers = read_features(source, format=format, layer=layer, stimuli=stimuli, id_from=id_from)
    if stimulus_set in store.stimulus_sets():
        require_known_stimuli(store, stimulus_set, ids)
    version = revision or _content_hash(ids, layers)
    attrs = {"imported_from": kind, "weights": "not known: the revision names the features" if revision is None else ""}
    described = {name: {"layer": name, "pooling": "as imported"} for name in layers}
    written = store.put_embeddings(
        model, version, stimulus_set, layers, stimuli=ids, attrs=attrs, layer_attrs=described
    )
    widths = {name: values.shape[1] for name, values in layers.items()}
    return FeatureReport(model, version, stimulus_set, len(ids), widths, kind, written)


def read_features(
    source: str | Path,
    *,
    format: str | None = None,
    layer: str = "features",
    stimuli: Labels | None = None,
    id_from: str = "stem",
) -> tuple[str, list[str], dict[str, Array]]:
    """Read embeddings: the format found, stimulus ids, and by layer an array (stimulus, feature).

    Parameters
    ----------
    source : path
        ``net2brain``: a folder of ``<stimulus>.npz`` with an array a layer, or of ``…consolidated_<layer>.npz`` with an
        array a stimulus. ``thingsvision``: a folder with ``features.npy`` (or ``.hdf5``, ``.txt``, ``.mat``, ``.pt``;
        or ``features_01.npy``, …) and ``file_names.txt``. ``matrix``: one such file, with ``stimuli``.
    format : str, optional
        Default: by what lies in the folder.
    layer : str
        Name of the layer, where the files do not name it.
    stimuli : path or sequence, optional
        Stimulus ids in order of the rows; replaces ``file_names.txt``.
    id_from : {"stem", "name", "path"}
        What of a file name is the stimulus id.

    Raises
    ------
    DatasetError, InputError, ChoiceError
        Pickled arrays are refused: they can run code.
    """
    path = Path(source)
    if id_from not in ID_FORMS:
        raise ChoiceError(f"id_from={id_from!r} is not known.{near_names(id_from, ID_FORMS)}")
    if format is not None and format not in FORMATS:
        raise ChoiceError(f"format={format!r} is not known.{near_names(format, FORMATS)}")
    kind = format or _detected(path)
    if kind == "net2brain":
        ids, layers = _net2brain(path)
    else:
        values = _stacked(path) if kind == "thingsvision" else _matrix(path)
        given = stimuli if stimuli is not None else _file_names(path)
        ids, layers = load_labels(given, len(values), "stimulus"), {layer: values}
        if stimuli is not None:
            id_from = "path"
    ids = [_id(name, id_from) for name in ids]
    twice = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
    if twice:
        raise DatasetError(f"{len(twice)} stimulus ids of {path} repeat, first {twice[0]!r}; try id_from='path'.")
    return kind, ids, {name: _flat(values, f"{name} of {path}") for name, values in layers.items()}


def _detected(path: Path) -> str:
    if path.is_file():
        return "matrix"
    if not path.is_dir():
        raise DatasetError(f"there is no file or folder {path}.")
    if any(path.glob("features*.*")) and not any(path.glob("*.npz")):
        return "thingsvision"
    if any(path.glob("*.npz")):
        return "net2brain"
    raise DatasetError(
        f"{path} holds neither features.* with file_names.txt (thingsvision) nor .npz files (Net2Brain)."
    )


def _net2brain(folder: Path) -> tuple[list[str], dict[str, Array]]:
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise DatasetError(f"{folder} holds no .npz files.")
    named = [CONSOLIDATED.fullmatch(file.stem) for file in files]
    if all(named):
        by_layer = {match[1]: _archive(file) for match, file in zip(named, files, strict=True) if match}
    elif any(named):
        raise DatasetError(f"{folder} mixes consolidated and single files; keep one kind in a folder.")
    else:
        by_stimulus = {file.stem: _archive(file) for file in files}
        names = list(next(iter(by_stimulus.values())))
        by_layer = {name: {} for name in names}
        for stimulus, arrays in by_stimulus.items():
            if set(arrays) != set(names):
                raise DatasetError(
                    f"{stimulus}.npz in {folder} has the layers {sorted(arrays)}; the first has {names}."
                )
            for name in names:
                by_layer[name][stimulus] = arrays[name]
    if not by_layer:
        raise DatasetError(f"the .npz files in {folder} hold no arrays.")
    ids = sorted(next(iter(by_layer.values())))
    layers = {}
    for name, arrays in by_layer.items():
        if set(arrays) != set(ids):
            raise DatasetError(f"layer {name} in {folder} has {len(arrays)} stimuli, the first layer {len(ids)}.")
        shapes = {arrays[i].shape for i in ids}
        if len(shapes) > 1:
            raise DatasetError(
                f"layer {name} in {folder} has arrays of shapes {sorted(shapes)}; pool them to one first."
            )
        layers[name] = np.stack([arrays[i] for i in ids])
    return ids, layers


def _archive(path: Path) -> dict[str, Array]:
    if not zipfile.is_zipfile(path):
        raise DatasetError(f"{path} is damaged or no .npz.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: read_npz(archive, name, path) for name in archive.files}
    except DatasetError:
        raise
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise InputError(
                f"{path} holds pickled objects, which can run code when read; save plain arrays."
            ) from error
        raise DatasetError(f"{path} is damaged: {error}") from error
    except Exception as error:  # zipfile.BadZipFile, zlib.error, OSError, EOFError
        raise DatasetError(f"{path} is damaged or no .npz: {error}") from error


def _stacked(folder: Path) -> Array:
    whole = sorted(p for p in folder.glob("features.*") if p.suffix in (".npy", ".hdf5", ".txt", ".mat", ".pt"))
    parts = sorted(p for p in folder.glob("features_*.*") if p.suffix in (".npy", ".txt", ".mat", ".pt"))
    if not whole and not parts:
        raise DatasetError(f"{folder} holds no features.npy, .hdf5, .txt, .mat or .pt.")
    arrays = [_matrix(path) for path in (whole[:1] or parts)]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _matrix(path: Path) -> Array:
    try:
        if path.suffix == ".txt":
            return np.loadtxt(path, ndmin=2)
        if path.suffix == ".mat":
            return np.asarray(load_matlab(path)["features"])
        if path.suffix == ".pt":
            import torch

            return np.asarray(torch.load(path, map_location="cpu", weights_only=True).numpy())
        if path.suffix in (".hdf5", ".h5"):
            rehearse(path, "hdf5")
            with h5py.File(path, "r") as root:
                return np.concatenate([np.asarray(read_hdf5(root[name], path)) for name in sorted(root)])
    except DatasetError:
        raise
    except Exception as error:  # each format has errors of its own
        raise DatasetError(f"{path} does not read as features: {error}") from error
    return load_array(path)


def _file_names(path: Path) -> Path:
    names = (path if path.is_dir() else path.parent) / "file_names.txt"
    if not names.is_file():
        raise DatasetError(f"there is no {names}: which row is which image is not known; give stimuli=.")
    return names


def _id(name: str, form: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    is_image = path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".eps")
    return {"stem": path.stem if is_image else path.name, "name": path.name, "path": name}[form]


def _flat(values: Array, what: str) -> Array:
    numbers = real_numbers(values, what)
    flat: Array = numbers.reshape(len(numbers), -1)
    if not np.isfinite(flat).all():
        raise DatasetError(f"{what} holds NaN or inf.")
    return flat


def _content_hash(ids: Sequence[str], layers: Mapping[str, Array]) -> str:
    sha = hashlib.sha256("\0".join(ids).encode())
    for name, values in layers.items():
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(values).view(np.uint8).data)
    return sha.hexdigest()[:12]

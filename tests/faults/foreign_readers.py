"""Every reader of foreign bytes, and a sound file of each."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import torch

from brainalign import manifests
from brainalign.benchmarks import load_benchmark
from brainalign.datasets.bdata import read_bdata
from brainalign.datasets.brain_images import open_maps, read_annotation
from brainalign.datasets.feature_files import read_features
from brainalign.datasets.image_files import open_images
from brainalign.datasets.matrices import load_array, load_table
from brainalign.datasets.netcdf_files import read_netcdf
from brainalign.datasets.nsd.labels import read_ctab
from brainalign.datasets.region_images import read_label_table
from brainalign.datasets.rsatoolbox_files import read_dictionary
from brainalign.datasets.splits import import_split
from brainalign.errors import BrainalignError
from brainalign.foreign.unpickling import load_object_array, load_pickle
from brainalign.models import Preprocessing, features_source, torchscript_source
from brainalign.models.request import ModelRequest
from brainalign.models.stimuli_reader import decode_image
from brainalign.results import read_property, read_result
from brainalign.schedule import read_spec
from brainalign.spectral import SpectralAdapter
from brainalign.spectral.adapter_files import read_adapter
from brainalign.store import open_store
from brainalign.store.films import film_frames
from brainalign.testing.foreign_files import make_assembly
from brainalign.testing.results import MiniatureBoard, MiniatureModel
from brainalign.weights import read_weights


@dataclass(frozen=True)
class Reader:
    """A reader, the ending of its files, and one sound file of it."""

    ending: str
    read: Callable[[Path], Any]
    sound: Callable[[Path], None]


def _npz(path: Path) -> None:
    np.savez_compressed(path, a=np.arange(12.0).reshape(3, 4))


def _bdata(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["dataset"] = np.zeros((3, 2))
        file["metadata/key"] = np.array([b"a", b"b"])
        file["metadata/value"] = np.zeros((2, 2))


def _mat(path: Path) -> None:
    about = {"key": np.array(["a", "b"], object), "value": np.zeros((2, 2))}
    scipy.io.savemat(path, {"dataSet": np.zeros((3, 2)), "metaData": about})


def _nested(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["dissimilarities"] = np.zeros((2, 3))
        file["rdm_descriptors/roi"] = np.array([b"V1", b"IT"])
        file.attrs["rsatoolbox_version"] = "0.2"


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"png" * 50)


def _images(path: Path) -> list[bytes]:
    with open_images(path) as source:
        return [source.read(name) for name in source.names()]


def _png(path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(path)


def _netcdf(path: Path) -> None:
    made = make_assembly(path.parent / "made").path
    path.write_bytes(made.read_bytes())


def _pickle(path: Path) -> None:
    import pickle

    path.write_bytes(pickle.dumps({"betas": np.zeros((2, 3)), "names": ["a"]}, protocol=4))


def _annotation(path: Path) -> None:
    import nibabel

    table = np.array([[0, 0, 0, 0, 0], [10, 20, 30, 0, 1]])
    nibabel.freesurfer.write_annot(path, np.array([0, 1, 1]), table, ["unknown", "V1"])


BENCHMARK = """\
id: deep
dataset: objects92
subjects: [s1, s2]
rois: all
folds: 4
groups: category
blocks: 20
n_permutations: 99
metrics: [cka.linear.debiased, encoding.ridge.r]
aggregation: {subjects: mean, rois: mean, primary: encoding.ridge.r}
"""


def _result(path: Path) -> None:
    board = MiniatureBoard(subjects={"s1": 30}, rois={"early": 0.0}, layers=("layer1|mean",), n_blocks=10)
    path.write_bytes(board.write(path.parent / "results", [MiniatureModel("net", 0.4)])[0].read_bytes())


def _property(path: Path) -> None:
    source = {"kind": "embeddings", "name": "net", "part": ["1"], "stimulus_set": "photos", "entry_sha256": "e" * 64}
    row = {"part": "fc", "value": 3.5, "error": 0.1, "n_stimuli": 100, "n_units": 64}
    document = {"schema": "brainalign.property/1", "source": source, "property": {"id": "dimension.mle", "version": 1}}
    path.write_text(json.dumps(document | {"simulated": False, "rows": [row], "provenance": {"brainalign": "0.1.0"}}))


def _manifest(path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "data_manifests/objects92.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("id: objects92", "id: file", 1), encoding="utf-8")


def _read_manifest(path: Path) -> Any:
    before = os.environ.get(manifests.ENVIRONMENT)
    os.environ[manifests.ENVIRONMENT] = str(path.parent)
    manifests._read.cache_clear()  # files are written faster than their times tell apart
    try:
        return manifests.load_manifest("file")
    finally:
        os.environ.pop(manifests.ENVIRONMENT)
        if before is not None:
            os.environ[manifests.ENVIRONMENT] = before


def _read_labels(path: Path) -> Any:
    outcomes = []
    for read in (read_ctab, read_label_table):
        try:
            outcomes.append(read(path))
        except BrainalignError as error:
            outcomes.append(str(error))
    return outcomes


def _volume(path: Path) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(np.arange(48, dtype=np.float32).reshape(2, 3, 2, 4), np.eye(4)), path)


def _surface(path: Path) -> None:
    import nibabel

    nibabel.save(nibabel.MGHImage(np.arange(12, dtype=np.float32).reshape(6, 1, 1, 2), np.eye(4)), path)


def _gifti(path: Path) -> None:
    import nibabel

    array = nibabel.gifti.GiftiDataArray(np.arange(6, dtype=np.float32), intent="NIFTI_INTENT_SHAPE")
    nibabel.save(nibabel.GiftiImage(darrays=[array]), path)


def _read_maps(given: Any) -> Any:
    maps = open_maps(given)
    return maps.read(np.arange(maps.grid.size))


def _stimuli(path: Path) -> None:
    store = open_store(path.parent / "store")
    store.put_stimuli("set", pd.DataFrame({"stimulus": ["a", "b"], "group": ["x", "y"]}))
    path.write_bytes(store.files.read("stimuli/set.parquet"))


def _read_stimuli(path: Path) -> Any:
    store = open_store(path.parent / "store")
    store.files.write("stimuli/set.parquet", path.read_bytes())
    assert len(store.stimulus_sets()) == 1
    return store.stimuli("set")


def _entry(name: str) -> tuple[Callable[[Path], Any], Callable[[Path], None]]:
    """A reader and a sound file of one file of an entry: its pointer or its document."""

    def place(store: Any) -> str:
        (found,) = [p for p in store.files.walk("embeddings") if p.endswith(name) and "/a0" not in p and "/st" not in p]
        return f"embeddings/{found}"

    def sound(path: Path) -> None:
        store = open_store(path.parent / "store")
        store.put_embeddings("m", "1", "set", {"fc": np.eye(3)}, stimuli=["a", "b", "c"])
        path.write_bytes(store.files.read(place(store)))

    def read(path: Path) -> Any:
        store = open_store(path.parent / "store")
        store.files.write(place(store), path.read_bytes())
        report = store.check(full=True)
        assert report.entries or not report.ok
        return store.embeddings("m", stimuli="set")["fc"].values

    return read, sound


def _request(path: Path) -> ModelRequest:
    return ModelRequest(str(path), preprocessing=Preprocessing(size=16, mean=(0.5,) * 3, std=(0.5,) * 3))


def _model_features(path: Path) -> Any:
    network = features_source.load(ModelRequest(str(path)))
    return network.module.run(network.preprocess("a")[None], None)


def _features_npy(path: Path) -> None:
    np.save(path, np.eye(2))
    path.with_suffix(".txt").write_text("a\nb\n", encoding="utf-8")


def _features_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["stimulus"] = np.array([b"a", b"b"])
        file["fc"] = np.eye(2)


def _features_safetensors(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"fc": np.eye(2)}, path, metadata={"stimulus": '["a", "b"]'})


def _torchscript(path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(net.eval()), str(path))


def _film(path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed (extra video)")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for shade in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((16, 32, 3), 60 * shade, np.uint8))))
        container.mux(stream.encode())


def _read_film(path: Path) -> int:
    return sum(1 for _ in film_frames(path.read_bytes(), name="x"))


def _adapter(path: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    SpectralAdapter(net, rank=2).save(path)


def _split(path: Path) -> None:
    variant = {"variant_id": "tau_0", "train_ids": ["a.png", "b.png"], "test_ids": ["c.png", "d.png"]}
    content = {"name": "tau", "pool": "shared", "splitter": "tau", "params": {"tau": 0.8}, "variants": [variant]}
    path.write_text(json.dumps({**content, "n_train": 2, "n_test": 2}), encoding="utf-8")


def _read_split(path: Path) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        store.put_stimuli("set", pd.DataFrame({"stimulus": list("abcdef")}))
        return import_split(store, "set", path)


READERS = {
    "model features npy": Reader(".npy", _model_features, _features_npy),
    "model features npz": Reader(".npz", _model_features, lambda p: np.savez(p, stimulus=["a", "b"], fc=np.eye(2))),
    "model features hdf5": Reader(".h5", _model_features, _features_hdf5),
    "model features safetensors": Reader(".safetensors", _model_features, _features_safetensors),
    "model features parquet": Reader(
        ".parquet", _model_features, lambda p: pd.DataFrame({"stimulus": ["a", "b"], "fc": [0.5, 1.5]}).to_parquet(p)
    ),
    "torchscript": Reader(".pt", lambda p: torchscript_source.load(_request(p)), _torchscript),
    "film": Reader(".mp4", _read_film, _film),
    "adapter": Reader(".safetensors", read_adapter, _adapter),
    "split": Reader(".json", _read_split, _split),
    "stimuli": Reader(".parquet", _read_stimuli, _stimuli),
    "pointer": Reader(".json", *_entry("current.json")),
    "document": Reader(".json", *_entry("zarr.json")),
    "npy": Reader(".npy", load_array, lambda p: np.save(p, np.arange(12.0).reshape(3, 4))),
    "npz": Reader(".npz", load_array, _npz),
    "csv": Reader(".csv", load_table, lambda p: p.write_text("a,b\n1,2\n") and None),
    "parquet": Reader(".parquet", load_table, lambda p: pd.DataFrame({"a": [1, 2]}).to_parquet(p)),
    "bdata": Reader(".h5", read_bdata, _bdata),
    "bdata mat": Reader(
        ".mat",
        read_bdata,
        lambda p: scipy.io.savemat(
            p,
            {"dataSet": np.zeros((3, 2)), "metaData": {"key": np.array(["a", "b"], object), "value": np.zeros((2, 2))}},
        ),
    ),
    "netcdf": Reader(".nc", read_netcdf, _netcdf),
    "rsatoolbox": Reader(".hdf5", read_dictionary, _nested),
    "features npz": Reader(".npz", lambda p: read_features(p.parent, format="net2brain"), _npz),
    "images": Reader(".zip", _images, _zip),
    "image": Reader(".png", lambda p: decode_image(p.read_bytes(), name="x"), _png),
    "volume": Reader(".nii.gz", _read_maps, _volume),
    "plain volume": Reader(".nii", _read_maps, _volume),
    "surface": Reader(".mgz", lambda p: _read_maps({"left": p}), _surface),
    "gifti": Reader(".gii", lambda p: _read_maps({"left": p}), _gifti),
    "labels": Reader(".ctab", _read_labels, lambda p: p.write_text("0 unknown\n1 V1v\n2 V1d\n") and None),
    "manifest": Reader(".yaml", _read_manifest, _manifest),
    "annot": Reader(".annot", lambda p: read_annotation(str(p)), _annotation),
    "weights": Reader(".pt", read_weights, lambda p: torch.save({"w": torch.zeros(2, 3)}, p)),
    "safetensors": Reader(
        ".safetensors",
        read_weights,
        lambda p: __import__("safetensors.torch").torch.save_file({"w": torch.zeros(2, 3)}, str(p)),
    ),
    "pickle": Reader(".pkl", lambda p: load_pickle(p, trust_pickle=True), _pickle),
    "object array": Reader(
        ".npy",
        lambda p: load_object_array(p, trust_pickle=True),
        lambda p: np.save(p, np.array({"a": 1}, dtype=object), allow_pickle=True),
    ),
    "result": Reader(".json", read_result, _result),
    "property": Reader(".json", read_property, _property),
    "benchmark": Reader(".yaml", load_benchmark, lambda p: p.write_text(BENCHMARK) and None),
    "cluster": Reader(".yaml", read_spec, lambda p: p.write_text("system: slurm\njobs: 2\n") and None),
}

"""Embeddings of other tools: rows paired by name, never by place."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from brainalign.datasets import import_features
from brainalign.datasets.feature_files import read_features
from brainalign.errors import ChoiceError, DatasetError, InputError, VariantError
from brainalign.store import open_store
from brainalign.testing.foreign_files import make_net2brain_folder, make_thingsvision_folder


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.mark.parametrize("consolidated", [False, True])
def test_net2brain_folders_of_both_kinds(store, tmp_path, consolidated):
    layers = make_net2brain_folder(tmp_path / "n2b", consolidated=consolidated)
    report = import_features(store, tmp_path / "n2b", model="net", stimulus_set="photos")
    assert report.layers == {"layer1": 18, "layer2.0.relu": 7}
    back = store.embeddings("net", stimuli="photos")
    assert back["stimulus"].values.tolist() == [f"img{i}" for i in range(1, 6)]
    for name, values in layers.items():
        assert np.array_equal(back[name].values, values.astype(np.float32))


@pytest.mark.parametrize("splits", [1, 3])
def test_thingsvision_rows_are_named_by_file_names(store, tmp_path, splits):
    features = make_thingsvision_folder(tmp_path / "tv", splits=splits)
    store.put_stimuli("photos", pd.DataFrame({"stimulus": [f"img{i}" for i in range(1, 8)]}))
    report = import_features(store, tmp_path / "tv", model="net", stimulus_set="photos", layer="layer4")
    assert (report.format, report.n_stimuli) == ("thingsvision", 6)
    back = store.embeddings("net", stimuli="photos")
    assert back["stimulus"].values.tolist() == ["img3", "img1", "img2", "img6", "img5", "img4"]
    assert np.array_equal(back["layer4"].values, features.astype(np.float32))
    assert not import_features(store, tmp_path / "tv", model="net", stimulus_set="photos", layer="layer4").written


@pytest.mark.parametrize("ending", ["hdf5", "txt", "pt"])
def test_other_files_of_thingsvision(tmp_path, ending):
    features = make_thingsvision_folder(tmp_path)
    (tmp_path / "features.npy").unlink()
    if ending == "hdf5":
        with h5py.File(tmp_path / "features.hdf5", "w") as root:
            root["features"] = features
    elif ending == "txt":
        np.savetxt(tmp_path / "features.txt", features)
    else:
        torch.save(torch.from_numpy(features), tmp_path / "features.pt")
    kind, ids, layers = read_features(tmp_path)
    assert (kind, ids[0]) == ("thingsvision", "img3")
    assert np.allclose(layers["features"], features)


def test_a_matrix_with_ids(store, tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float16)
    np.save(tmp_path / "m.npy", values)
    import_features(
        store, tmp_path / "m.npy", model="net", stimulus_set="s", stimuli=["a/1", "a/2", "b.c"], revision="abc"
    )
    back = store.embeddings("net@abc", stimuli="s")
    assert back["stimulus"].values.tolist() == ["a/1", "a/2", "b.c"]
    assert np.array_equal(back["features"].values, values.reshape(3, 8))


def test_the_revision_names_the_features(store, tmp_path):
    make_net2brain_folder(tmp_path / "a")
    make_net2brain_folder(tmp_path / "b", seed=1)
    a = import_features(store, tmp_path / "a", model="net", stimulus_set="s")
    b = import_features(store, tmp_path / "b", model="net", stimulus_set="s")
    assert a.revision != b.revision
    with pytest.raises(VariantError):
        import_features(store, tmp_path / "b", model="net", stimulus_set="s", revision=a.revision)


def test_what_cannot_be_used_is_said(store, tmp_path):
    make_net2brain_folder(tmp_path / "n2b")
    store.put_stimuli("photos", pd.DataFrame({"stimulus": [f"img{i}" for i in range(1, 5)]}))
    with pytest.raises(DatasetError, match="1 of 5 stimuli are not in the set 'photos'"):
        import_features(store, tmp_path / "n2b", model="net", stimulus_set="photos")
    np.savez(tmp_path / "n2b" / "img6.npz", layer1=np.zeros((2, 3, 3)))
    with pytest.raises(DatasetError, match=r"img6\.npz .* has the layers \['layer1'\]"):
        read_features(tmp_path / "n2b")
    np.savez(tmp_path / "n2b" / "img6.npz", **{"layer1": np.zeros((2, 3, 4)), "layer2.0.relu": np.zeros(7)})
    with pytest.raises(DatasetError, match="arrays of shapes"):
        read_features(tmp_path / "n2b")
    np.savez(tmp_path / "n2b" / "img6.npz", layer1=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="pickled objects"):
        read_features(tmp_path / "n2b")
    (tmp_path / "n2b" / "img6.npz").write_bytes(b"PK no zip")
    with pytest.raises(DatasetError, match=r"img6\.npz is damaged"):
        read_features(tmp_path / "n2b")
    make_thingsvision_folder(tmp_path / "tv")
    with pytest.raises(ChoiceError, match="id_from='stems'"):
        read_features(tmp_path / "tv", id_from="stems")
    with pytest.raises(DatasetError, match="5 stimulus labels were given for 6 rows"):
        read_features(tmp_path / "tv", stimuli=list("abcde"))
    (tmp_path / "tv" / "file_names.txt").write_text("\n".join(["a/x.jpg", "b/x.jpg", *"cdef"]))
    with pytest.raises(DatasetError, match="'x'; try id_from='path'"):
        read_features(tmp_path / "tv")
    assert read_features(tmp_path / "tv", id_from="path")[1][:2] == ["a/x.jpg", "b/x.jpg"]
    (tmp_path / "tv" / "file_names.txt").unlink()
    with pytest.raises(DatasetError, match="which row is which image is not known"):
        read_features(tmp_path / "tv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds neither"):
        read_features(tmp_path / "empty")

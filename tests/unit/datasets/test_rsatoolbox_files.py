"""rsatoolbox's HDF5 files, with rsatoolbox itself on the other side."""

import h5py
import numpy as np
import pandas as pd
import pytest
from rsatoolbox.data import Dataset, TemporalDataset, load_dataset
from rsatoolbox.rdm import RDMs, calc_rdm, load_rdm

from brainalign.datasets import export_rsatoolbox, import_rdms, import_responses, import_rsatoolbox
from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.similarity import rdm
from brainalign.store import average_repeats, open_store

IDS = ["cat", "dog", "cow", "cat", "dog", "cow"]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(6, 5))


def test_a_dataset_that_rsatoolbox_wrote(store, values, tmp_path):
    given = Dataset(
        values,
        descriptors={"subject": "anna", "task": "x"},
        obs_descriptors={"conds": np.array(IDS), "session": np.array([1, 1, 1, 2, 2, 2])},
        channel_descriptors={"roi": np.array(["V1", "V1", "IT", "IT", "IT"]), "x": np.arange(5)},
    )
    given.save(str(tmp_path / "d.h5"), file_type="hdf5")
    report = import_rsatoolbox(store, tmp_path / "d.h5", dataset="lab")[0]
    assert (report.subject, report.rois, report.repeats) == ("anna", ("V1", "IT"), (2, 2))
    back = store.responses("lab", "anna")
    assert np.array_equal(back["response"].values, values)
    assert back["stimulus"].values.tolist() == IDS
    assert back["session"].values.tolist() == [1, 1, 1, 2, 2, 2]
    assert back["repetition"].values.tolist() == [0, 0, 0, 1, 1, 1]
    assert back["x"].values.tolist() == list(range(5))


def test_rdms_that_rsatoolbox_wrote(store, tmp_path):
    pairs = np.random.default_rng(1).random((4, 6))
    described = {"subject": ["a", "a", "b", "b"], "roi": ["V1", "IT", "V1", "IT"]}
    given = RDMs(pairs, "euclidean", rdm_descriptors=described, pattern_descriptors={"stimulus": list("wxyz")})
    given.save(str(tmp_path / "r.hdf5"), file_type="hdf5")
    reports = import_rsatoolbox(store, tmp_path / "r.hdf5", dataset="lab")
    assert [(r.subject, r.rois) for r in reports] == [("a", ("V1", "IT")), ("b", ("V1", "IT"))]
    back = store.responses("lab", "b")
    assert np.array_equal(back["dissimilarity"].values, pairs[2:])
    assert back["stimulus"].values.tolist() == list("wxyz")
    assert back.attrs["dissimilarity"] == "euclidean"


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # inside rsatoolbox
def test_datasets_go_back_to_rsatoolbox(store, values, tmp_path):
    rois = pd.DataFrame({"prf/V1": [1, 1, 0, 0, 0], "IT": [0, 1, 1, 0, 0], "x": np.arange(5) + 10})
    import_responses(
        store,
        dataset="lab",
        subject="s1",
        matrix=values,
        stimuli=IDS,
        repeats="count",
        rois=rois,
        sessions=[1, 1, 1, 2, 2, 2],
    )
    path = export_rsatoolbox(store, "lab", tmp_path / "out")[0]
    theirs = load_dataset(str(path))
    assert np.array_equal(theirs.measurements, values)
    assert list(theirs.obs_descriptors["stimulus"]) == IDS
    assert list(theirs.channel_descriptors["roi"]) == ["prf/V1", "prf/V1", "IT", "", ""]
    assert theirs.descriptors["subject"] == "s1"
    mean = average_repeats(store.responses("lab", "s1"))["response"].values
    expected = calc_rdm(theirs, method="correlation", descriptor="stimulus")
    order = [list(expected.pattern_descriptors["stimulus"]).index(s) for s in ("cat", "dog", "cow")]
    expected.reorder(np.array(order))
    assert np.allclose(rdm(mean, distance="correlation"), expected.dissimilarities[0])
    again = open_store(tmp_path / "again")
    import_rsatoolbox(again, path, dataset="lab")
    before, after = store.responses("lab", "s1"), again.responses("lab", "s1")
    for key in ("response", "stimulus", "repetition", "session", "prf/V1", "IT", "x"):
        assert np.array_equal(before[key].values.astype(str), after[key].values.astype(str)), key


def test_rdms_go_back_to_rsatoolbox(store, tmp_path):
    arrays = {"V1": np.random.default_rng(0).random((2, 6)), "IT": np.random.default_rng(1).random((2, 6))}
    import_rdms(store, dataset="lab", rdms=arrays, stimuli=list("wxyz"), subjects=["a", "b"])
    path = export_rsatoolbox(store, "lab", tmp_path)[0]
    theirs = load_rdm(str(path))
    assert np.array_equal(theirs.subset("subject", "b").dissimilarities, np.stack([arrays["V1"][1], arrays["IT"][1]]))
    assert theirs.pattern_descriptors["stimulus"] == list("wxyz")
    again = open_store(tmp_path / "again")
    import_rsatoolbox(again, path, dataset="lab")
    assert np.array_equal(
        again.responses("lab", "b")["dissimilarity"].values, theirs.subset("subject", "b").dissimilarities
    )


def test_what_cannot_be_used_is_said(store, values, tmp_path):
    observations = {"thing": np.array(IDS)}
    Dataset(values, obs_descriptors=observations).save(str(tmp_path / "d.h5"), file_type="hdf5")
    with pytest.raises(DatasetError, match=r"none of the observation descriptors \['thing'\]"):
        import_rsatoolbox(store, tmp_path / "d.h5", dataset="lab")
    with pytest.raises(ChoiceError, match=r"no observation descriptor 'things'.*Did you mean 'thing'"):
        import_rsatoolbox(store, tmp_path / "d.h5", dataset="lab", stimulus="things")
    import_rsatoolbox(store, tmp_path / "d.h5", dataset="lab", stimulus="thing", subject="s9")
    assert store.subjects("lab") == ["s9"]
    TemporalDataset(values[:, :, None], obs_descriptors=observations).save(str(tmp_path / "t.h5"), file_type="hdf5")
    with pytest.raises(DatasetError, match="Average a TemporalDataset over time first"):
        import_rsatoolbox(store, tmp_path / "t.h5", dataset="lab")
    (tmp_path / "d.pkl").write_bytes(b"")
    with pytest.raises(DatasetError, match="is a pickle"):
        import_rsatoolbox(store, tmp_path / "d.pkl", dataset="lab")
    (tmp_path / "bad.h5").write_text("x")
    with pytest.raises(DatasetError, match="does not read as HDF5"):
        import_rsatoolbox(store, tmp_path / "bad.h5", dataset="lab")
    RDMs(np.ones((2, 6))).save(str(tmp_path / "r.h5"), file_type="hdf5")
    with pytest.raises(DatasetError, match="holds 2 RDMs, but their descriptors name 1"):
        import_rsatoolbox(store, tmp_path / "r.h5", dataset="lab")
    with h5py.File(tmp_path / "e.h5", "w") as root:
        root["x"] = 1
    with pytest.raises(DatasetError, match=r"holds \['x'\]"):
        import_rsatoolbox(store, tmp_path / "e.h5", dataset="lab")


def test_text_that_rsatoolbox_cannot_read(store, tmp_path):
    import_responses(store, dataset="lab", subject="s", matrix=np.eye(2), stimuli=["Bär", "dog"], averaged=1)
    with pytest.raises(InputError, match="ASCII"):
        export_rsatoolbox(store, "lab", tmp_path)
    with pytest.raises(ChoiceError, match="no subject 't'"):
        export_rsatoolbox(store, "lab", tmp_path, subjects=["t"])

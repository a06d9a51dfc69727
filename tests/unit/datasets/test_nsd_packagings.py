"""Derived packagings of NSD, and the 92 objects as MATLAB files, on miniatures of their layouts."""

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from brainalign.datasets import ingest
from brainalign.datasets.images import iter_images
from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.store import average_repeats, open_store
from brainalign.testing import nsd_packagings as miniature


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store")
    opened.put_stimuli("nsd", pd.DataFrame({"stimulus": [f"nsd-{i:05d}" for i in range(73000)]}))
    return opened


def ids(truth):
    return [f"nsd-{i:05d}" for i in truth.images]


def test_mindeye1_keeps_each_trial_once(store, tmp_path):
    truth = miniature.make_mindeye1_tree(tmp_path)
    report = ingest("nsd-mindeye1", tmp_path, store)
    back = store.responses("nsd-mindeye1", "subj01")
    assert np.array_equal(back["response"].values, truth.values)
    assert back["stimulus"].values.tolist() == ids(truth)
    assert back["trial"].values.tolist() == list(range(len(truth.images)))
    assert set(back["split"].values) == {"train", "val", "test"}
    assert report.entries[0].repeats == (1, 3)
    assert back.attrs["stimulus_set"] == "nsd"


def test_mindeye2_joins_betas_and_behaviour_by_the_global_trial(store, tmp_path):
    truth = miniature.make_mindeye2_tree(tmp_path / "m")
    ingest("nsd-mindeye2", tmp_path / "m", store)
    back = store.responses("nsd-mindeye2", "subj01")
    assert np.array_equal(back["response"].values, truth.values)
    assert back["stimulus"].values.tolist() == ids(truth)
    assert back["session"].values.tolist() == [1] * 12 + [2] * 12
    assert np.flatnonzero(back["split_test"].values).tolist() == list(range(16, 24))
    assert np.flatnonzero(back["split_new_test"].values).tolist() == list(range(14, 24))


def test_mindeye2_with_trials_that_no_tar_names(store, tmp_path):
    truth = miniature.make_mindeye2_tree(tmp_path / "m")
    (tmp_path / "m" / "wds" / "subj01" / "train" / "0.tar").unlink()
    ingest("nsd-mindeye2", tmp_path / "m", store)
    back = store.responses("nsd-mindeye2", "subj01")
    assert np.array_equal(back["response"].values, truth.values[8:])
    assert back["stimulus"].values.tolist() == ids(truth)[8:]


def test_brain_diffuser_order_is_that_of_first_appearance(store, tmp_path):
    truth = miniature.make_brain_diffuser_tree(tmp_path)
    ingest("nsd-brain-diffuser", tmp_path, store, sessions=2)
    back = store.responses("nsd-brain-diffuser", "subj01")
    assert np.allclose(back["response"].values, truth.values, atol=1e-6)
    assert back["stimulus"].values.tolist() == ids(truth)
    assert back["n_averaged"].values.sum() == 1500
    assert back["split"].values.tolist() == ["train"] * 450 + ["test"] * 50
    assert "averaged" in back.attrs["averaged"]


def test_packagings_join_with_each_other(store, tmp_path):
    miniature.make_mindeye2_tree(tmp_path / "m")
    ingest("nsd-mindeye2", tmp_path / "m", store)
    mean = average_repeats(store.responses("nsd-mindeye2", "subj01"))
    assert set(mean["stimulus"].values) <= set(store.stimuli("nsd")["stimulus"])


def test_without_the_images_of_nsd_there_are_ids(tmp_path):
    store = open_store(tmp_path / "store")
    miniature.make_mindeye2_tree(tmp_path / "m")
    assert ingest("nsd-mindeye2", tmp_path / "m", store).stimulus_sets == {"nsd-ids": 73000}


def test_damage_is_named(store, tmp_path):
    truth = miniature.make_mindeye1_tree(tmp_path)
    with pytest.raises(ChoiceError, match=r"no subject 'subj02'"):
        ingest("nsd-mindeye1", tmp_path, store, subjects=["subj02"])
    tar = truth.root / "train" / "train_subj01_1.tar"
    tar.write_bytes(tar.read_bytes()[:3000])
    with pytest.raises(DatasetError, match=r"train_subj01_1\.tar"):
        ingest("nsd-mindeye1", tmp_path, store)
    miniature._tar(
        tar, [("s", {"nsdgeneral.npy": np.ones((3, 7)), "trial.npy": np.arange(3), "coco73k.npy": np.array([5])})]
    )
    with pytest.raises(DatasetError, match=r"sample s lacks num_uniques\.npy"):
        ingest("nsd-mindeye1", tmp_path, store)
    sample = {"nsdgeneral.npy": np.ones((3, 7)), "trial.npy": np.arange(3), "coco73k.npy": np.array([73000])}
    miniature._tar(tar, [("s", {**sample, "num_uniques.npy": np.array([3])})])
    with pytest.raises(DatasetError, match=r"73000; nsdIds are 0 to 72999.*1-based"):
        ingest("nsd-mindeye1", tmp_path, store)
    miniature._tar(tar, [("s", {**sample, "num_uniques.npy": np.array([2])})])
    with pytest.raises(DatasetError, match="3 different trials, num_uniques says 2"):
        ingest("nsd-mindeye1", tmp_path, store)
    miniature._tar(tar, [("s", {**sample, "num_uniques.npy": np.array([{}], dtype=object)})])
    with pytest.raises(InputError, match="pickled"):
        ingest("nsd-mindeye1", tmp_path, store)


def test_brain_diffuser_needs_the_design(store, tmp_path):
    miniature.make_brain_diffuser_tree(tmp_path)
    with pytest.raises(DatasetError, match=r"Were other sessions averaged \(sessions=\)"):
        ingest("nsd-brain-diffuser", tmp_path, store, sessions=1)
    (tmp_path / "nsd_expdesign.mat").unlink()
    with pytest.raises(DatasetError, match=r"give NSD's nsd_expdesign\.mat"):
        ingest("nsd-brain-diffuser", tmp_path, store)


def test_mindeye2_betas_that_do_not_fit(store, tmp_path):
    truth = miniature.make_mindeye2_tree(tmp_path / "m")
    path = truth.root / "betas_all_subj01_fp32_renorm.hdf5"
    with h5py.File(path, "w") as file:
        file["betas"] = truth.values[:20]
    with pytest.raises(DatasetError, match="has 20 trials; the behaviour tars name trial 23"):
        ingest("nsd-mindeye2", truth.root, store)
    path.write_bytes(b"no HDF5")
    with pytest.raises(DatasetError, match="does not read as HDF5"):
        ingest("nsd-mindeye2", truth.root, store)


def test_objects92_mat_sessions_and_their_mean(store, tmp_path):
    brain, judged = miniature.make_objects92_mat(tmp_path / "mat")
    upper = np.triu_indices(92, 1)
    for variant, expected in (
        ("hIT", brain.mean(axis=1)),
        ("hIT.session1", brain[:, 0]),
        ("hIT.session2", brain[:, 1]),
    ):
        report = ingest("objects92-mat", tmp_path / "mat", store, variant=variant)
        assert [e.subject for e in report.entries] == ["BE", "KO", "SN", "TI"]
        back = store.responses("objects92-mat", "SN", variant=variant)
        assert np.allclose(back["dissimilarity"].values[0], expected[2][upper], atol=1e-6)
    report = ingest("objects92-mat", tmp_path / "mat", store, variant="behaviour", subjects=["subject07"])
    back = store.responses("objects92-mat", "subject07")
    assert np.array_equal(back["dissimilarity"].values[0], judged[6][upper])
    table = store.stimuli("objects92-mat")
    assert table["stimulus"].tolist() == [f"{i:03d}" for i in range(1, 93)]
    assert table["category"].value_counts().to_dict()["natural inanimate"] == 23


def test_objects92_mat_with_images(store, tmp_path):
    miniature.make_objects92_mat(tmp_path / "mat", images=True)
    ingest("objects92-mat", tmp_path / "mat", store)
    assert next(iter(iter_images(store, "objects92-mat")))[1].size == (9, 9)


def test_objects92_mat_damage(store, tmp_path):
    folder = tmp_path / "mat"
    miniature.make_objects92_mat(folder)
    with pytest.raises(ChoiceError, match="no subject 'BF'"):
        ingest("objects92-mat", folder, store, subjects=["BF"])
    (folder / "92_behavRDMs.mat").unlink()
    with pytest.raises(DatasetError, match=r"no file .*92_behavRDMs\.mat"):
        ingest("objects92-mat", folder, store, variant="behaviour")
    savemat(folder / "92_brainRDMs.mat", {"RDM": np.ones(3)})
    with pytest.raises(DatasetError, match=r"no variable 'RDMs'.*Did you mean 'RDM'"):
        ingest("objects92-mat", folder, store)
    savemat(folder / "92_brainRDMs.mat", {"RDMs": np.ones(3)})
    with pytest.raises(DatasetError, match="no struct array"):
        ingest("objects92-mat", folder, store)
    (folder / "92_brainRDMs.mat").write_bytes(b"x" * 300)
    with pytest.raises(DatasetError, match="is damaged, or not a MATLAB v5 file"):
        ingest("objects92-mat", folder, store)

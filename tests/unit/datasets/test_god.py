"""Generic Object Decoding on a miniature in the three forms of BData."""

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from brainalign.datasets import ingest
from brainalign.datasets.god import stimulus_name
from brainalign.errors import BrainalignError, ChoiceError, DatasetError
from brainalign.stats import noise_ceiling
from brainalign.testing.mini_god import FORMS, make_god


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_read_the_same(fresh_store, tmp_path, form):
    truth = make_god(tmp_path, form=form)
    ingest("god", tmp_path, fresh_store)
    back = fresh_store.responses("god", "Subject1")
    assert np.array_equal(back["response"].values, truth["response"])
    for name in ("stimulus", "split", "run", "voxel_x"):
        assert np.array_equal(back[name].values, truth[name]), name
    for name, mask in truth["masks"].items():
        assert np.array_equal(back[name].values, mask), name
    assert back["block"].values[:9].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 1]
    counts = back["stimulus"].to_series().value_counts()
    assert sorted(counts.unique()) == [1, 2, 7]
    assert back["repetition"].values.max() == 6


def test_every_stimulus_number_of_imagenet_comes_back():
    rng = np.random.default_rng(0)
    synsets, images = rng.integers(1440764, 15075141, 20000), rng.integers(1, 999999, 20000)
    numbers = synsets + images / 1e6
    assert [stimulus_name(n) for n in numbers] == [f"n{s:08d}_{i}" for s, i in zip(synsets, images, strict=True)]
    # a sum of rounding errors, as MATLAB leaves it
    assert stimulus_name(np.nextafter(1443537.022563, 0)) == "n01443537_22563"


@pytest.mark.parametrize(
    ("variant", "splits"),
    [("perception", ["train", "test"]), ("perception-test", ["test"]), ("imagery", ["imagery"])],
)
def test_variants_take_splits(fresh_store, tmp_path, variant, splits):
    truth = make_god(tmp_path)
    ingest("god", tmp_path, fresh_store, variant=variant)
    back = fresh_store.responses("god", "Subject1")
    assert np.array_equal(back["response"].values, truth["response"][np.isin(truth["split"], splits)])
    if variant == "imagery":
        assert back.attrs["stimulus_set"] == "god-imagery"
        assert all("_" not in stimulus for stimulus in back["stimulus"].values)


def test_hdf5_wins_over_matlab_and_doubles_are_refused(fresh_store, tmp_path):
    make_god(tmp_path, form="mat", seed=1)
    truth = make_god(tmp_path)
    ingest("god", tmp_path, fresh_store)
    assert np.array_equal(fresh_store.responses("god", "Subject1")["response"].values, truth["response"])
    make_god(tmp_path / "again")
    with pytest.raises(DatasetError, match="are the same subject"):
        ingest("god", tmp_path, fresh_store)


def test_regions_stand_for_voxels_where_nothing_else_does(fresh_store, tmp_path):
    truth = make_god(tmp_path)
    with h5py.File(tmp_path / "data" / "Subject1.h5", "a") as file:
        keys = [key.decode().replace("VoxelData", "Something") for key in file["metadata/key"][:]]
        file["metadata/key"][:] = keys
    ingest("god", tmp_path, fresh_store)
    assert np.array_equal(fresh_store.responses("god", "Subject1")["response"].values, truth["response"])


def test_images_join_by_name(fresh_store, tmp_path):
    truth = make_god(tmp_path / "god")
    folder = tmp_path / "images"
    folder.mkdir()
    for stimulus in {s for s in truth["stimulus"] if "_" in s}:
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / f"{stimulus}.jpg")
    ingest("god", tmp_path / "god", fresh_store, variant="perception", images=folder)
    table = fresh_store.stimuli("god").set_index("stimulus")
    assert table.loc["n01443537_22563", "file"] == "n01443537_22563.jpg"
    with pytest.raises(DatasetError, match="what is imagined has no image"):
        ingest("god", tmp_path / "god", fresh_store, images=folder)


def rewrite(path, change):
    with h5py.File(path, "a") as file:
        change(file)


def replaced(name, change):
    def apply(file):
        values = change(file[name][:])
        del file[name]
        file[name] = values

    return lambda path: rewrite(path, apply)


def at(column, value):
    def change(samples):
        samples[3, 40 + column] = value
        return samples

    return replaced("dataset", change)


def without_key(key):
    def apply(file):
        keys = [k.decode() if k.decode() != key else "Nothing" for k in file["metadata/key"][:]]
        file["metadata/key"][:] = keys

    return lambda path: rewrite(path, apply)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-3000]), r"Subject1\.h5 is damaged"),
        (lambda p: p.write_bytes(b"nothing"), "damaged, or not an HDF5 or MATLAB file"),
        (lambda p: rewrite(p, lambda f: f.move("dataset", "x")), "a BData file has 'dataset'"),
        (lambda p: rewrite(p, lambda f: f["metadata"].move("key", "x")), "damaged or no BData"),
        (replaced("metadata/value", lambda v: v[:, :-1]), r"\(69, 44\).*\(18, 43\)"),
        (replaced("dataset", lambda v: v.astype(np.float32)), "lose their last digits"),
        (at(0, 4), r"DataType \[4\]"),
        (at(0, 1.5), "no whole numbers"),
        (at(1, np.nan), "sample 3 has no stimulus number"),
        (without_key("DataType"), "no metadata 'DataType'"),
        (without_key("stimulus_id"), "no metadata 'stimulus_id'"),
    ],
)
def test_bad_files_are_named(fresh_store, tmp_path, change, message):
    make_god(tmp_path)
    change(tmp_path / "data" / "Subject1.h5")
    with pytest.raises(BrainalignError, match=message):
        ingest("god", tmp_path, fresh_store)
    assert fresh_store.subjects("god") == []


def test_a_matlab_file_of_something_else(fresh_store, tmp_path):
    (tmp_path / "data").mkdir()
    scipy.io.savemat(tmp_path / "data" / "Subject1.mat", {"other": np.zeros(3)})
    with pytest.raises(DatasetError, match="holds other; a BData file has 'dataSet'"):
        ingest("god", tmp_path, fresh_store)


def test_subjects_that_do_not_exist(fresh_store, tmp_path):
    make_god(tmp_path)
    with pytest.raises(ChoiceError, match="Did you mean 'Subject"):
        ingest("god", tmp_path, fresh_store, subjects=["Subject9"])
    with pytest.raises(DatasetError, match="no files of subject 'Subject2'"):
        ingest("god", tmp_path, fresh_store, subjects=["Subject2"])


def test_its_benchmark_scores(fresh_store, tmp_path, score_tiny):
    make_god(tmp_path)
    ingest("god", tmp_path, fresh_store, variant="perception")
    assert noise_ceiling(fresh_store.responses("god", "Subject1")).value.mean() > 0.7
    table = score_tiny(fresh_store, "god-perception", metrics=("cka.linear.debiased",))
    assert set(table["roi"]) == {"V1", "V2", "V3", "V4", "LOC", "FFA", "PPA"}
    assert (table["n_stimuli"] == 29).all()
    assert table["value"].notna().all()

"""THINGS-fMRI on a miniature of the release."""

import gzip

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainalign.datasets import ingest
from brainalign.datasets.things.table import Voxels, response_block
from brainalign.errors import BrainalignError, ChoiceError, DatasetError
from brainalign.stats import noise_ceiling
from brainalign.testing.mini_things import GLASSER, make_things_fmri

BLOCK = "ResponseData/block0_values"


@pytest.fixture
def mini(tmp_path):
    return tmp_path / "things", make_things_fmri(tmp_path / "things")


def test_the_miniature_has_all_columns(mini):
    columns = pd.read_csv(mini[0] / "betas_csv" / "sub-01_VoxelMetadata.csv").columns
    assert len(columns) == 222
    assert {"glasser-p9-\n46v", "glasser-a9-\n46v"} <= set(columns)
    assert len(set(GLASSER)) == 180


def test_responses_ids_and_regions_are_those_of_the_tables(fresh_store, mini):
    root, truth = mini
    ingest("things-fmri", root, fresh_store)
    back = fresh_store.responses("things-fmri", "sub-01")
    assert np.array_equal(back["response"].values, truth["response"])
    for name in ("stimulus", "split", "session", "x", "y", "z", "nc_testset"):
        assert np.array_equal(back[name].values, truth[name]), name
    assert set(back["roi"].attrs["labels"]) == set(truth["masks"])
    for name, mask in truth["masks"].items():
        assert np.array_equal(back[name].values, mask), name
    assert "glasser-p9-46v" in back
    assert back["repetition"].values[np.array(truth["split"]) == "test"].max() == 11
    assert back.attrs["shape"] == [7, 6, 5]
    assert len(fresh_store.stimuli("things-fmri")) == 298
    assert fresh_store.stimuli("things-fmri")["concept"].nunique() == 34


@pytest.mark.parametrize("split", ["train", "test"])
def test_splits(fresh_store, mini, split):
    root, truth = mini
    ingest("things-fmri", root, fresh_store, variant=f"betas-csv-{split}")
    rows = np.array(truth["split"]) == split
    back = fresh_store.responses("things-fmri", "sub-01")
    assert np.array_equal(back["response"].values, truth["response"][rows])


def test_the_ceiling_recovers_the_noise(fresh_store, mini):
    root, truth = mini
    ingest("things-fmri", root, fresh_store, variant="betas-csv-test")
    ceiling = noise_ceiling(fresh_store.responses("things-fmri", "sub-01"))
    expected = 1 / (1 + truth["noise"] ** 2 / 12)
    assert ceiling.n_repeats == pytest.approx(12)
    assert ceiling.value[0] == 0
    assert ceiling.value[1] < 0.5
    # ten images: the signal variance of a voxel has a standard error of a half
    assert np.mean(ceiling.value[2:] - expected[2:]) == pytest.approx(0, abs=0.06)


def test_a_compressed_table_reads_the_same(fresh_store, mini):
    root, truth = mini
    path = root / "betas_csv" / "sub-01_ResponseData.h5"
    with h5py.File(path, "a") as file:
        values = file[BLOCK][:]
        del file[BLOCK]
        file.create_dataset(BLOCK, data=values.astype(np.float32), chunks=(10, 50), compression="gzip")
    ingest("things-fmri", root, fresh_store)
    back = fresh_store.responses("things-fmri", "sub-01")
    assert np.array_equal(back["response"].values, truth["response"].astype(np.float32))


def test_volumes_without_catch_trials(fresh_store, mini):
    root, truth = mini
    report = ingest("things-fmri", root, fresh_store, variant="betas-vol")
    back = fresh_store.responses("things-fmri", "sub-01")
    assert "2 catch trials" in str(report)
    for name in ("stimulus", "trial"):
        assert back[name].values.tolist() == truth["volume"][name]
    assert back["split"].values.tolist() == truth["split"][:34]
    assert np.array_equal(back["response"].values, truth["volume"]["response"])
    assert back["response"].dtype == np.float32
    assert np.array_equal(back["x"].values, truth["x"])
    for name in ("V1", "LO1 (prf)", "V3b", "lFFA", "rLOC"):
        assert np.array_equal(back[name].values, truth["masks"][name]), name


def test_volumes_are_taken_where_there_are_no_tables(fresh_store, mini):
    root, _ = mini
    for path in (root / "betas_csv").iterdir():
        path.unlink()
    report = ingest("things-fmri", root, fresh_store)
    assert report.entries[0].variant == "betas-vol"
    with pytest.raises(DatasetError, match=r"betas_csv/sub-01_ResponseData\.h5"):
        ingest("things-fmri", root, fresh_store, variant="betas-csv")


def test_images_are_found_by_their_names(fresh_store, mini, tmp_path):
    root, truth = mini
    for stimulus in set(truth["stimulus"]):
        folder = tmp_path / "images" / stimulus.split("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / f"{stimulus}.jpg")
    ingest("things-fmri", root, fresh_store, images=tmp_path / "images")
    table = fresh_store.stimuli("things-fmri").set_index("stimulus")
    assert table.attrs["kind"] == "folder"
    assert table.loc["thing03_07s", "file"] == "thing03/thing03_07s.jpg"
    (tmp_path / "images" / "thing03" / "thing03_07s.jpg").unlink()
    with pytest.raises(DatasetError, match="no image of 1 of 298 stimuli, first 'thing03_07s'"):
        ingest("things-fmri", root, fresh_store, images=tmp_path / "images")


def cut(path, n=40):
    path.write_bytes(path.read_bytes()[:-n])


def drop_column(path, name):
    pd.read_csv(path).drop(columns=[name]).to_csv(path, index=False)


def drop_row(path):
    pd.read_csv(path).iloc[:-1].to_csv(path, index=False)


def spoil(path):
    table = pd.read_csv(path)
    table["V1"] = 0.5
    table.to_csv(path, index=False)


def swap_ids(path):
    with h5py.File(path, "a") as file:
        file["ResponseData/block1_values"][:2] = [[1], [0]]


def other_grid(path):
    nib.save(nib.Nifti1Image(np.ones((7, 6, 4), np.uint8), np.eye(4)), path)


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("betas_csv/sub-01_ResponseData.h5", lambda p: cut(p, 5000), r"ResponseData\.h5 is damaged"),
        ("betas_csv/sub-01_ResponseData.h5", lambda p: p.write_bytes(b"x" * 500), "damaged or no HDF5"),
        ("betas_csv/sub-01_ResponseData.h5", swap_ids, "in another order"),
        ("betas_csv/sub-01_StimulusMetadata.csv", lambda p: p.unlink(), r"no file sub-01_StimulusMetadata\.csv"),
        ("betas_csv/sub-01_StimulusMetadata.csv", drop_row, r"block0_values \(60, 408\).*60 voxels.*407 trials"),
        ("betas_csv/sub-01_StimulusMetadata.csv", lambda p: drop_column(p, "stimulus"), "'stimulus' is needed"),
        ("betas_csv/sub-01_VoxelMetadata.csv", lambda p: p.unlink(), r"no file sub-01_VoxelMetadata\.csv"),
        ("betas_csv/sub-01_VoxelMetadata.csv", drop_row, "59 voxels"),
        ("betas_csv/sub-01_VoxelMetadata.csv", spoil, "'V1': a region is 0 or 1 in every voxel, found 0.5"),
        ("brainmasks/sub-01_space-T1w_brainmask.nii.gz", other_grid, "marks 168 voxels"),
        ("brainmasks/sub-01_space-T1w_brainmask.nii.gz", cut, "damaged"),
    ],
)
def test_bad_tables_are_named(fresh_store, mini, path, change, message):
    root, _ = mini
    change(root / path)
    with pytest.raises(BrainalignError, match=message):
        ingest("things-fmri", root, fresh_store)
    assert fresh_store.subjects("things-fmri") == []


def cut_inside(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-4000]))


RUN = "betas_vol/scalematched/sub-01/ses-things01/sub-01_ses-things01_run-01_"


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (f"{RUN}betas.nii.gz", cut_inside, "cut off: it holds 31 of 36 frames"),
        (f"{RUN}betas.nii.gz", lambda p: cut(p, 900), "damaged"),
        (f"{RUN}betas.nii.gz", other_grid, r"grid of \(7, 6, 4\).*\(7, 6, 5\)"),
        (f"{RUN}conditions.tsv", lambda p: p.unlink(), r"conditions\.tsv"),
        (f"{RUN}conditions.tsv", lambda p: p.write_text("\timage_filename\n0\ta.jpg\n"), "names 1 trials"),
        (f"{RUN}conditions.tsv", lambda p: p.write_text("\tname\n0\ta.jpg\n"), "'image_filename' is needed"),
        ("rois/prf/sub-01/resampled_varea.nii.gz", other_grid, "grid"),
        ("brainmasks/sub-01_space-T1w_brainmask.nii.gz", lambda p: p.unlink(), "brainmask"),
    ],
)
def test_bad_volumes_are_named(fresh_store, mini, path, change, message):
    root, _ = mini
    change(root / path)
    with pytest.raises(BrainalignError, match=message):
        ingest("things-fmri", root, fresh_store, variant="betas-vol")
    assert fresh_store.subjects("things-fmri") == []


def test_subjects_that_do_not_exist(fresh_store, mini):
    with pytest.raises(ChoiceError, match="Did you mean"):
        ingest("things-fmri", mini[0], fresh_store, subjects=["sub-1"])
    with pytest.raises(DatasetError, match=r"no files of subject 'sub-03'.*there are sub-01"):
        ingest("things-fmri", mini[0], fresh_store, subjects=["sub-03"])


def test_pickled_labels_are_not_read(mini):
    path = mini[0] / "betas_csv" / "sub-01_ResponseData.h5"
    with h5py.File(path, "a") as file:
        for name in ("axis0", "block0_items", "block1_items"):
            del file[f"ResponseData/{name}"]

    voxels = Voxels(path, 60, {}, {}, None)
    assert response_block(path, voxels, 408).trials(np.array([0, 407])).shape == (2, 60)


def test_its_benchmark_scores(fresh_store, mini, score_tiny):
    ingest("things-fmri", mini[0], fresh_store, variant="betas-csv-test")
    table = score_tiny(fresh_store, "things-fmri-test", metrics=("cka.linear.debiased", "encoding.ridge.r"), folds=2)
    cka = table[table["metric"] == "cka.linear.debiased"]
    assert set(table["roi"]) == {"V1", "V2", "V3", "hV4", "IT"}
    assert (cka["ceiling"] > 0).sum() >= 4
    assert (cka["n_stimuli"] == 10).all()
    assert cka["value"].notna().all()

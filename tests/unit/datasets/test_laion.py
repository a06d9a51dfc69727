"""LAION-fMRI on a miniature of the release."""

import io
import json
import shutil

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import zscore

from brainalign.datasets import audit_dataset, import_split, ingest, list_splits
from brainalign.datasets.images import iter_images
from brainalign.datasets.laion.ingest import VARIANTS
from brainalign.errors import BrainalignError, ChoiceError, DatasetError
from brainalign.manifests import load_manifest
from brainalign.models.stimuli_reader import StimulusReader
from brainalign.testing.mini_laion import make_laion_fmri

BASE = "derivatives/glmsingle-tedana/sub-01"
BETAS = f"{BASE}/ses-02/func/sub-01_ses-02_task-images_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
TABLE = f"{BASE}/ses-02/func/sub-01_ses-02_task-images_desc-SingletrialBetas_trials.tsv"
MASK = f"{BASE}/sub-01_task-images_space-T1w_desc-meanR2gt15mask_mask.nii.gz"
ROI = "derivatives/rois/sub-01/rois/sub-01_space-T1w_label-V1_mask.nii.gz"


@pytest.fixture
def mini(tmp_path):
    return tmp_path / "laion", make_laion_fmri(tmp_path / "laion")


def standardised(truth):
    """Slow and obvious: session by session, constants to 0."""
    values, sessions = truth["response"].astype(float), np.array(truth["session"])
    out = np.zeros(values.shape)
    for number in set(sessions.tolist()):
        for voxel in np.flatnonzero(values[sessions == number].std(axis=0) > 0):
            out[sessions == number, voxel] = zscore(values[sessions == number, voxel])
    return out


def test_the_manifest_lists_the_variants_of_the_reader():
    assert set(load_manifest("laion-fmri").variants) == set(VARIANTS)


@pytest.mark.parametrize("variant", ["glmsingle.z", "glmsingle"])
def test_responses_ids_voxels_and_ceilings(fresh_store, mini, variant):
    root, truth = mini
    ingest("laion-fmri", root, fresh_store, variant=variant)
    back = fresh_store.responses("laion-fmri", "sub-01")
    for name in ("stimulus", "session", "run"):
        assert back[name].values.tolist() == truth[name]
    expected = standardised(truth) if variant.endswith(".z") else truth["response"]
    assert np.allclose(back["response"].values, expected, atol=1e-5)
    assert np.allclose(back["nc_12rep"].values, truth["nc_12rep"])
    for axis, places in zip("xyz", np.nonzero(truth["mask"]), strict=True):
        assert np.array_equal(back[axis].values, places)
    for name, mask in truth["masks"].items():
        assert np.array_equal(back[name].values, mask)
    assert back["repetition"].values.max() == 3
    assert set(fresh_store.stimuli("laion-fmri")["pool"]) == {"shared", "unique"}
    assert back.attrs["affine"][0][0] == pytest.approx(1.8)


def test_shared_images_are_standardised_with_all_trials_of_their_session(fresh_store, mini):
    root, truth = mini
    ingest("laion-fmri", root, fresh_store, variant="glmsingle-shared.z")
    back = fresh_store.responses("laion-fmri", "sub-01")
    shared = np.array([name.startswith("shared_") for name in truth["stimulus"]])
    assert np.allclose(back["response"].values, standardised(truth)[shared], atol=1e-5)


def test_the_columns_of_the_test_kit_of_the_release(fresh_store, mini):
    root, truth = mini
    for path in root.rglob("*_trials.tsv"):
        table = pd.read_csv(path, sep="\t").rename(columns={"beta_index": "trial_idx", "label": "stimulus_id"})
        table.drop(columns="session").assign(rep_index=0).to_csv(path, sep="\t", index=False)
    ingest("laion-fmri", root, fresh_store)
    assert fresh_store.responses("laion-fmri", "sub-01")["stimulus"].values.tolist() == truth["stimulus"]


def rewrite(path, change):
    image = nib.load(path)
    nib.save(nib.Nifti1Image(change(image.get_fdata(dtype=np.float32)), image.affine), path)


def test_what_may_be_absent(fresh_store, mini):
    root, truth = mini
    (root / MASK).unlink()
    shutil.rmtree(root / "derivatives/rois")
    shutil.rmtree(root / BASE / "ses-01")
    for path in (root / BASE).glob("*Noiseceiling*"):
        path.unlink()
    report = ingest("laion-fmri", root, fresh_store, variant="glmsingle")
    assert "no mask is on disk" in str(report)
    assert "sessions 1 are not on disk" in str(report)
    back = fresh_store.responses("laion-fmri", "sub-01")
    assert np.array_equal(back["response"].values, truth["response"][28:])
    assert list(back["roi"].attrs["labels"]) == ["all"]
    assert "nc_12rep" not in back.coords


def test_voxels_without_data_and_images_of_several_regions(fresh_store, mini):
    root, truth = mini
    voxel = tuple(np.argwhere(truth["mask"])[7])

    def spoil(values):
        values[voxel] = np.nan
        return values

    rewrite(root / BETAS, spoil)
    atlas = root / "derivatives/rois/sub-01/atlas-areas_dseg.nii.gz"
    nib.save(nib.Nifti1Image(np.arange(125, dtype=np.int16).reshape(5, 5, 5) % 3, np.eye(4)), atlas)
    report = ingest("laion-fmri", root, fresh_store, variant="glmsingle")
    assert "1 voxels have no data" in str(report)
    back = fresh_store.responses("laion-fmri", "sub-01")
    assert np.array_equal(back["response"].values, np.delete(truth["response"], 7, axis=1))
    inside = (np.arange(125).reshape(5, 5, 5) % 3)[truth["mask"]]
    assert np.array_equal(back["areas/2"].values, np.delete(inside == 2, 7))


def table(change):
    def apply(path):
        change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)

    return apply


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (BETAS, lambda p: p.write_bytes(p.read_bytes()[:-900]), "damaged|cut off"),
        (BETAS, lambda p: rewrite(p, lambda v: v[:4]), r"grid of \(4, 5, 5\)"),
        (BETAS, lambda p: rewrite(p, lambda v: v[..., :-1]), "has 28 trials.*holds 27 volumes"),
        (TABLE, lambda p: p.unlink(), "holds 0 tables"),
        (TABLE, table(lambda t: t.drop(columns="label")), "'label' is needed"),
        (TABLE, table(lambda t: t.assign(beta_index=t["beta_index"] + 1)), "beta_index 1 to 28"),
        (TABLE, table(lambda t: t.iloc[1:]), "has 27 trials"),
        (MASK, lambda p: rewrite(p, lambda v: v * 0), "marks no voxel"),
        (MASK, lambda p: rewrite(p, lambda v: v[:, :4]), "grid"),
        (ROI, lambda p: rewrite(p, lambda v: v[:, :4]), "grid"),
    ],
)
def test_bad_files_are_named(fresh_store, mini, path, change, message):
    root, _ = mini
    change(root / path)
    with pytest.raises(BrainalignError, match=message):
        ingest("laion-fmri", root, fresh_store)
    assert fresh_store.subjects("laion-fmri") == []


def test_subjects_that_do_not_exist(fresh_store, mini):
    with pytest.raises(ChoiceError, match="sub-07"):
        ingest("laion-fmri", mini[0], fresh_store, subjects=["sub-02"])
    with pytest.raises(DatasetError, match="no files of subject 'sub-07'"):
        ingest("laion-fmri", mini[0], fresh_store, subjects=["sub-07"])


def test_its_benchmark_scores(fresh_store, mini, score_tiny):
    ingest("laion-fmri", mini[0], fresh_store, variant="glmsingle-shared.z")
    scored = score_tiny(fresh_store, "laion-fmri-shared", metrics=("cka.linear.debiased", "rsa.correlation.rho-a"))
    assert set(scored["roi"]) == {"V1", "lFFA"}
    assert scored["value"].notna().all()
    assert (scored["n_stimuli"] == 12).all()
    assert (scored["ceiling_kind"] == "correlation").all()


def test_images_are_read_where_they_lie(fresh_store, mini):
    root, truth = mini
    ingest("laion-fmri", root, fresh_store)
    table = fresh_store.stimuli("laion-fmri")
    assert table.attrs["kind"] == "hdf5" and set(table["stimulus"]) == set(truth["stimulus"])
    names = pd.read_csv(root / "stimuli" / "task-images_metadata.csv")["image_name"].tolist()
    shown = dict(iter_images(fresh_store, "laion-fmri"))
    reader = StimulusReader(table, stimulus_set="laion-fmri")
    with h5py.File(root / "stimuli" / "task-images_stimuli.h5") as file, reader:
        for row, stimulus in enumerate(table["stimulus"]):
            data = bytes(file["images"][names.index(f"{stimulus}.jpg")])
            expected = np.asarray(Image.open(io.BytesIO(data)))
            assert np.array_equal(np.asarray(shown[stimulus]), expected)
            assert np.array_equal(np.asarray(reader.image(row)), expected)
    assert audit_dataset(fresh_store, "laion-fmri").ok
    with h5py.File(root / "stimuli" / "task-images_stimuli.h5", "r+") as file:
        file["images"][0], file["images"][1] = file["images"][1], file["images"][0]
    assert any(f.check == "image files" for f in audit_dataset(fresh_store, "laion-fmri").findings)


def test_images_that_do_not_fit(fresh_store, mini):
    root, _ = mini
    names = root / "stimuli" / "task-images_metadata.csv"
    table = pd.read_csv(names)
    table[table["image_name"] != "unique_LAION_cluster_2000_i1.jpg"].to_csv(names, index=False)
    with pytest.raises(DatasetError, match=r"does not name 1 of 20 images, first 'unique_LAION_cluster_2000_i1\.jpg'"):
        ingest("laion-fmri", root, fresh_store)
    names.unlink()
    with pytest.raises(DatasetError, match="which names its rows"):
        ingest("laion-fmri", root, fresh_store)


def test_published_splits_are_registered_and_scored(fresh_store, mini, score_tiny):
    root, _ = mini
    ingest("laion-fmri", root, fresh_store, variant="glmsingle-shared.z")
    path = root / "splits" / "shared" / "tau.json"
    split = import_split(fresh_store, "laion-fmri", path)
    assert split.key == "shared-tau.v1" and list_splits(fresh_store, "laion-fmri") == ["shared-tau.v1"]
    assert (
        split.splitter == "min_nn_stochastic" and split.variants[0].test_ids[0] == "shared_12rep_LAION_cluster_1000_i0"
    )
    assert import_split(fresh_store, "laion-fmri", path) == split
    rows = score_tiny(fresh_store, "laion-fmri-tau")
    assert rows["value"].notna().all()
    content = json.loads(path.read_text())
    content["n_test"] = 5
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"says \(8, 5\) train and test ids and holds \(8, 4\)"):
        import_split(fresh_store, "laion-fmri", path)
    del content["n_test"]
    content["variants"][0]["train_ids"][0] = content["variants"][0]["test_ids"][0]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="in train and in test"):
        import_split(fresh_store, "laion-fmri", path)
    content["variants"][0]["train_ids"] = ["a", "b"]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="has 0 of 2 train"):
        import_split(fresh_store, "laion-fmri", path)
    path.write_text("[]")
    with pytest.raises(DatasetError, match="is no split"):
        import_split(fresh_store, "laion-fmri", path)


def test_voxels_that_are_missing_in_any_trial_are_left_out(fresh_store, mini):
    root, truth = mini
    rewrite(root / BETAS, lambda values: np.where(np.arange(values.shape[3]) == 11, with_nan(values, truth), values))
    report = ingest("laion-fmri", root, fresh_store)
    assert any(note == "1 voxels have no data (NaN) and are left out" for note in report.entries[0].notes)
    assert fresh_store.responses("laion-fmri", "sub-01").sizes["neuroid"] == 49


def with_nan(values, truth):
    values = values.copy()
    values[tuple(axis[5] for axis in np.nonzero(truth["mask"]))] = np.nan
    return values

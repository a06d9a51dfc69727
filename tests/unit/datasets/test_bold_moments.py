"""BOLD Moments on a miniature of its pickles."""

import os
import pickle
import shutil

import nibabel as nib
import numpy as np
import pytest

from brainalign.datasets import ingest
from brainalign.datasets.moments.ingest import VARIANTS
from brainalign.errors import BrainalignError, ChoiceError, DatasetError
from brainalign.manifests import load_manifest
from brainalign.testing.mini_bold_moments import make_bold_moments

PREPARED = "derivatives/versionB/MNI152/GLM/sub-01/prepared_betas/sub-01_organized_betas_task-train_normalized.pkl"
INDICES = "derivatives/versionB/MNI152/GLM/sub-01/ROIs/ROI-rFFA_indices.pkl"
REGION = "derivatives/versionB/MNI152/prepared_allvoxel_pkl/sub-01/sub-01_roi-rFFA_betas_normalized.pkl"
MASK = "derivatives/versionB/MNI152/GLM/mask/sub-01_mask-nonans_space-MNI152.nii"


@pytest.fixture
def mini(tmp_path):
    return tmp_path / "bmd", make_bold_moments(tmp_path / "bmd")


def test_the_manifest_lists_the_variants_of_the_reader():
    assert set(load_manifest("bold-moments").variants) == set(VARIANTS)


@pytest.mark.parametrize("space", ["mni152", "fslr32k", "fsaverage", "rois"])
def test_responses_ids_and_repeats(fresh_store, mini, space):
    root, truth = mini
    ingest("bold-moments", root, fresh_store, variant=space, trust_pickle=True)
    back = fresh_store.responses("bold-moments", "sub-01")
    for name in ("stimulus", "repetition", "split"):
        assert back[name].values.tolist() == truth[name]
    assert np.array_equal(back["response"].values, truth["response"][space])
    if space == "mni152":
        for axis, places in zip("xyz", np.nonzero(truth["mask"]), strict=True):
            assert np.array_equal(back[axis].values, places)
        for name, mask in truth["masks"].items():
            assert np.array_equal(back[name].values, mask)
        assert back.attrs["affine"][0][0] == 2
    if space == "fsaverage":
        assert back["hemisphere"].values.tolist() == ["lh"] * 9 + ["rh"] * 11
        assert back["vertex"].values.tolist() == [*range(9), *range(11)]
        assert back.attrs["shape"] == [9, 11]
    if space == "rois":
        assert [int(back[name].values.sum()) for name in ("lV1v", "rFFA")] == truth["sizes"]


def test_the_default_is_the_volume_and_splits_are_variants(fresh_store, mini):
    root, truth = mini
    assert ingest("bold-moments", root, fresh_store, trust_pickle=True).entries[0].variant == "mni152"
    ingest("bold-moments", root, fresh_store, variant="mni152-test", trust_pickle=True)
    back = fresh_store.responses("bold-moments", "sub-01", variant="mni152-test")
    assert np.array_equal(back["response"].values, truth["response"]["mni152"][60:])


def test_pickles_are_refused_unless_trusted(fresh_store, mini):
    for variant in ("mni152", "rois"):
        with pytest.raises(DatasetError, match=r"\.pkl is a pickle.*trust_pickle=True"):
            ingest("bold-moments", mini[0], fresh_store, variant=variant)


def test_nothing_runs_even_when_trusted(fresh_store, mini, tmp_path):
    root, _ = mini

    class Shout:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    (root / PREPARED).write_bytes(pickle.dumps((np.zeros((20, 3, 24)), ["vid0001"] * 20, Shout())))
    with pytest.raises(DatasetError, match="does not admit"):
        ingest("bold-moments", root, fresh_store, trust_pickle=True)
    assert not (tmp_path / "ran").exists()


def dump(value):
    return lambda path: path.write_bytes(pickle.dumps(value))


def changed(change):
    return lambda path: path.write_bytes(pickle.dumps(change(pickle.loads(path.read_bytes()))))  # noqa: S301


def test_what_may_be_absent(fresh_store, mini):
    root, truth = mini
    for split in ("train", "test"):  # an image that only names a file on its author's disk
        changed(lambda t: (*t[:2], None))(root / PREPARED.replace("train", split))
    shutil.rmtree(root / "derivatives/versionB/MNI152/GLM/sub-01/ROIs")
    ingest("bold-moments", root, fresh_store, trust_pickle=True)
    back = fresh_store.responses("bold-moments", "sub-01")
    assert np.array_equal(back["x"].values, np.nonzero(truth["mask"])[0])
    assert list(back["roi"].attrs["labels"]) == ["all"]
    fresh_store.remove(fresh_store.entries().query("kind == 'responses'")["path"].iloc[0])
    group = (root / MASK).rename((root / MASK).with_name("groupMask_space-MNI152.nii"))
    ingest("bold-moments", root, fresh_store, trust_pickle=True)
    back = fresh_store.responses("bold-moments", "sub-01")
    assert np.array_equal(back["x"].values, np.nonzero(truth["mask"])[0])
    fresh_store.remove(fresh_store.entries().query("kind == 'responses'")["path"].iloc[0])
    group.unlink()
    report = ingest("bold-moments", root, fresh_store, trust_pickle=True)
    assert "no mask says which voxels" in str(report)


def test_places_without_data_are_left_out(fresh_store, mini):
    root, truth = mini

    def spoil(given):
        given[0][..., 3] = np.nan
        return given

    changed(spoil)(root / PREPARED)
    report = ingest("bold-moments", root, fresh_store, trust_pickle=True)
    assert "1 places have no data" in str(report)
    back = fresh_store.responses("bold-moments", "sub-01")
    assert np.array_equal(back["response"].values, np.delete(truth["response"]["mni152"], 3, axis=1))
    assert np.array_equal(back["x"].values, np.delete(np.nonzero(truth["mask"])[0], 3))


@pytest.mark.parametrize(
    ("variant", "path", "change", "message"),
    [
        ("mni152", PREPARED, lambda p: p.write_bytes(p.read_bytes()[:-300]), "is damaged"),
        ("mni152", PREPARED, lambda p: p.unlink(), "has 0 files like .*task-train"),
        ("mni152", PREPARED, dump({"a": 1}), "holds dict"),
        ("mni152", PREPARED, dump((np.zeros((20, 24)), ["vid0001"] * 20)), r"float64 \(20, 24\)"),
        ("mni152", PREPARED, dump((np.zeros((20, 3, 24)), ["vid0001"] * 19)), "names 19 videos"),
        ("mni152", PREPARED, dump((np.zeros((20, 3, 23)), [f"v{i}" for i in range(20)])), r"\[23, 24\] places"),
        ("mni152", INDICES, dump([np.array([[9, 9, 9]])]), r"ROI-rFFA_indices\.pkl holds no voxel indices"),
        ("mni152", INDICES, dump(np.zeros(3)), r"holds no voxel indices"),
        ("rois", REGION, dump({"train_data_allvoxel": 1}), "train_data_allvoxel is int"),
        ("rois", REGION, changed(lambda d: {k: v[1:] for k, v in d.items()}), "same videos and repeats"),
    ],
)
def test_bad_files_are_named(fresh_store, mini, variant, path, change, message):
    root, _ = mini
    change(root / path)
    with pytest.raises(BrainalignError, match=message):
        ingest("bold-moments", root, fresh_store, variant=variant, trust_pickle=True)
    assert fresh_store.subjects("bold-moments") == []


def test_masks_of_another_subject_are_named(fresh_store, mini):
    root, _ = mini
    for split in ("train", "test"):
        changed(lambda t: (*t[:2], None))(root / PREPARED.replace("train", split))
    nib.save(nib.Nifti1Image(np.ones((5, 6, 4), np.uint8), np.eye(4)), root / MASK)
    with pytest.raises(DatasetError, match=r"has 24 voxels.*marks 120"):
        ingest("bold-moments", root, fresh_store, trust_pickle=True)


def test_subjects_that_do_not_exist(fresh_store, mini):
    with pytest.raises(ChoiceError, match="Did you mean 'sub-10' or 'sub-01'"):
        ingest("bold-moments", mini[0], fresh_store, subjects=["sub-1"], trust_pickle=True)
    with pytest.raises(DatasetError, match="no files of subject 'sub-10'"):
        ingest("bold-moments", mini[0], fresh_store, subjects=["sub-10"], trust_pickle=True)


def test_its_benchmark_scores(fresh_store, mini, score_tiny):
    ingest("bold-moments", mini[0], fresh_store, variant="rois", trust_pickle=True)
    table = score_tiny(fresh_store, "bold-moments-test", variant="rois", metrics=("encoding.ridge.r",))
    assert set(table["roi"]) == {"lV1v", "rFFA"}
    assert (table["ceiling_kind"] == "variance").all()
    assert (table["value"] > 0.3).all()

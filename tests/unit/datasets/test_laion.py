"""LAION-fMRI on a miniature of the release."""

import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.stats import zscore

from brainalign.datasets import ingest
from brainalign.datasets.laion.ingest import VARIANTS
from brainalign.errors import BrainalignError, ChoiceError, DatasetError
from brainalign.manifests import load_manifest
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

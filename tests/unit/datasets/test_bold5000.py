"""BOLD5000 on a miniature of both releases."""

import shutil

import h5py
import nibabel as nib
import numpy as np
import pytest
from scipy.stats import zscore

from brainalign.datasets import ingest
from brainalign.datasets.bold5000.variants import VARIANTS
from brainalign.errors import BrainalignError, ChoiceError, DatasetError
from brainalign.manifests import load_manifest
from brainalign.testing.mini_bold5000 import REGIONS, TYPED, make_bold5000


@pytest.fixture
def mini(tmp_path):
    return tmp_path / "bold", make_bold5000(tmp_path / "bold")


def standardised(values, session):
    """Slow and obvious: session by session, constants to 0."""
    out = np.zeros(values.shape)
    for number in set(session):
        rows = np.array(session) == number
        for voxel in np.flatnonzero(values[rows].std(axis=0) > 0):
            out[rows, voxel] = zscore(values[rows, voxel].astype(float))
    return out


def test_the_manifest_lists_the_variants_of_the_reader():
    assert set(load_manifest("bold5000").variants) == set(VARIANTS)


@pytest.mark.parametrize("variant", ["glmsingle.TYPED.z", "glmsingle.TYPED"])
def test_second_release(fresh_store, mini, variant):
    root, truth = mini
    ingest("bold5000", root, fresh_store, variant=variant)
    back = fresh_store.responses("bold5000", "CSI1")
    assert back["stimulus"].values.tolist() == truth["stimulus"]
    assert back["session"].values.tolist() == truth["session"]
    assert back["repetition"].values.max() == 3
    for region, values in truth["matrices"].items():
        found = back["response"].values[:, back[region].values]
        expected = standardised(values, truth["session"]) if variant.endswith(".z") else values
        assert np.allclose(found, expected, atol=1e-5), region
    assert list(back["roi"].attrs["labels"]) == list(REGIONS)


def test_the_default_is_what_is_on_disk(fresh_store, mini):
    root, _ = mini
    assert ingest("bold5000", root, fresh_store).entries[0].variant == "glmsingle.TYPED.z"
    shutil.rmtree(root / "BOLD5000_GLMsingle_ROI_betas")
    assert ingest("bold5000", root, fresh_store).entries[0].variant == "glmsingle-volume.TYPED.z"
    for path in root.glob("*_ses-*.nii.gz"):
        path.unlink()
    assert ingest("bold5000", root, fresh_store).entries[0].variant == "release1.TR34"


@pytest.mark.parametrize("kind", ["h5", "mat", "mat7.3"])
@pytest.mark.parametrize("tr", ["34", "1"])
def test_first_release(fresh_store, mini, kind, tr):
    root, truth = mini
    if kind != "h5":
        shutil.rmtree(root / "ROIs" / "CSI1" / "h5")
    if kind == "mat7.3":  # HDF5 inside, axes the other way round
        with h5py.File(root / "ROIs" / "CSI1" / "mat" / f"CSI1_ROIs_TR{tr}.mat", "w") as file:
            for name, values in truth["first"][tr].items():
                file[name] = values.T
    ingest("bold5000", root, fresh_store, variant=f"release1.TR{tr}")
    back = fresh_store.responses("bold5000", "CSI1")
    assert back["stimulus"].values.tolist() == truth["stimulus"]
    for region, values in truth["first"][tr].items():
        assert np.array_equal(back["response"].values[:, back[region].values], values)


@pytest.mark.parametrize("variant", ["glmsingle-volume.TYPED.z", "glmsingle-volume.TYPED"])
def test_volumes_and_misspelt_masks(fresh_store, mini, variant):
    root, truth = mini
    ingest("bold5000", root, fresh_store, variant=variant)
    back = fresh_store.responses("bold5000", "CSI1")
    expected = standardised(truth["volume"], truth["session"]) if variant.endswith(".z") else truth["volume"]
    assert np.allclose(back["response"].values, expected, atol=1e-5)
    for axis, places in zip("xyz", np.nonzero(truth["mask"]), strict=True):
        assert np.array_equal(back[axis].values, places)
    for region, mask in truth["masks"].items():
        assert np.array_equal(back[region].values, mask), region
    assert back.attrs["shape"] == [5, 6, 4]


def test_voxels_without_data_are_left_out_and_counted(fresh_store, mini):
    root, truth = mini
    path = root / f"CSI1_{TYPED}_ses-02.nii.gz"
    image = nib.load(path)
    values = image.get_fdata(dtype=np.float32)
    values[tuple(np.argwhere(truth["mask"])[5])] = np.nan
    nib.save(nib.Nifti1Image(values, image.affine), path)
    report = ingest("bold5000", root, fresh_store, variant="glmsingle-volume.TYPED")
    assert "1 voxels of the brain mask have no data" in str(report)
    back = fresh_store.responses("bold5000", "CSI1")
    assert np.array_equal(back["response"].values, np.delete(truth["volume"], 5, axis=1))
    assert np.array_equal(back["LHPPA"].values, np.delete(truth["masks"]["LHPPA"], 5))


def test_sessions_come_from_what_is_there(fresh_store, mini):
    root, _ = mini
    for path in root.glob("*_ses-*.nii.gz"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"z-scoring within sessions needs.*sessions=\[.*without \.z"):
        ingest("bold5000", root, fresh_store, variant="glmsingle.TYPED.z")
    ingest("bold5000", root, fresh_store, variant="glmsingle.TYPED")
    assert "session" not in fresh_store.responses("bold5000", "CSI1")
    with pytest.raises(DatasetError, match=r"75 in all.*names 74 images"):
        ingest("bold5000", root, fresh_store, variant="glmsingle.TYPED.z", sessions=[37, 38])
    ingest("bold5000", root, fresh_store, variant="glmsingle.TYPED.z", sessions=[37, 37])
    given = fresh_store.responses("bold5000", "CSI1", variant="glmsingle.TYPED.z")["response"].values
    for number in (1, 2):
        events = root / "raw" / f"sub-CSI1_ses-{number:02d}_task-5000scenes_run-01_events.tsv"
        events.parent.mkdir(exist_ok=True)
        events.write_text("onset\tduration\n" + "1\t1\n" * 37)
    ingest("bold5000", root, fresh_store, variant="glmsingle.TYPED.z")  # the same content, or it would raise
    assert np.abs(given).max() > 0
    shutil.rmtree(root / "raw")
    for number in (1, 2):
        folder = root / "Stimuli_Presentation_Lists" / "CSI1" / f"CSI1_sess{number:02d}"
        folder.mkdir(parents=True)
        (folder / "run01.txt").write_text("a.jpg\n" * 30)
        (folder / "run02.txt").write_text("a.jpg\n" * 7)
    ingest("bold5000", root, fresh_store, variant="glmsingle.TYPED.z")


def cut(path):
    path.write_bytes(path.read_bytes()[:-700])


def other_grid(path):
    nib.save(nib.Nifti1Image(np.ones((5, 6, 5, 37), np.float32), np.eye(4)), path)


MATRICES = "BOLD5000_GLMsingle_ROI_betas/py/CSI1_" + TYPED + "_allses_LHPPA.npy"


@pytest.mark.parametrize(
    ("variant", "path", "change", "message"),
    [
        ("glmsingle.TYPED", MATRICES, cut, r"allses_LHPPA\.npy is damaged"),
        ("glmsingle.TYPED", MATRICES, lambda p: np.save(p, np.ones((73, 9))), r"LHPPA has shape \(73, 9\).*74 images"),
        ("glmsingle.TYPED", "CSI1_imgnames.txt", lambda p: p.write_text(""), "names no image"),
        ("glmsingle.TYPED", "CSI1_imgnames.txt", lambda p: p.write_bytes(b"\xff\xfe\x00"), "not text in UTF-8"),
        ("glmsingle.TYPED", "CSI1_imgnames.txt", lambda p: p.write_text("a.jpg\n" * 73), "names 73 images"),
        ("release1.TR34", "ROIs/CSI1/h5/CSI1_ROIs_TR34.h5", cut, "damaged"),
        ("release1.TR34", "ROIs/CSI1/h5/CSI1_ROIs_TR34.h5", lambda p: h5py.File(p, "w").close(), "hold no region"),
        ("glmsingle-volume.TYPED.z", f"CSI1_{TYPED}_ses-01.nii.gz", lambda p: p.unlink(), "lacks session 01"),
        ("glmsingle-volume.TYPED.z", f"CSI1_{TYPED}_ses-02.nii.gz", lambda p: p.unlink(), "37 in all"),
        ("glmsingle-volume.TYPED.z", f"CSI1_{TYPED}_ses-02.nii.gz", other_grid, r"grid of \(5, 6, 5\)"),
        ("glmsingle-volume.TYPED.z", f"CSI1_{TYPED}_ses-02.nii.gz", cut, "damaged|cut off"),
        ("glmsingle-volume.TYPED.z", "CSI1_brainmask.nii.gz", lambda p: p.unlink(), r"no file CSI1_brainmask"),
        ("release1.TR3", "CSI1_brainmask.nii.gz", lambda p: None, "holds no subject"),
    ],
)
def test_bad_files_are_named(fresh_store, mini, variant, path, change, message):
    root, _ = mini
    change(root / path)
    with pytest.raises(BrainalignError, match=message):
        ingest("bold5000", root, fresh_store, variant=variant)
    assert fresh_store.subjects("bold5000") == []


def test_a_list_of_images_that_is_absent_is_named(fresh_store, mini):
    root, _ = mini
    (root / "CSI1_imgnames.txt").unlink()
    shutil.rmtree(root / "ROIs" / "stim_lists")
    with pytest.raises(DatasetError, match=r"no file CSI1_imgnames\.txt or CSI01_stim_lists\.txt"):
        ingest("bold5000", root, fresh_store)


def test_subjects_and_variants_that_do_not_exist(fresh_store, mini):
    with pytest.raises(ChoiceError, match="CSI4"):
        ingest("bold5000", mini[0], fresh_store, subjects=["CSI9"])
    with pytest.raises(DatasetError, match="no files of subject 'CSI4'"):
        ingest("bold5000", mini[0], fresh_store, subjects=["CSI4"])
    with pytest.raises(ChoiceError, match="Did you mean"):
        ingest("bold5000", mini[0], fresh_store, variant="glmsingle.TYBEB.z")


def test_its_benchmark_scores(fresh_store, mini, score_tiny):
    ingest("bold5000", mini[0], fresh_store)
    table = score_tiny(fresh_store, "bold5000", metrics=("cka.linear.debiased", "encoding.ridge.r"))
    assert set(table["roi"]) == set(REGIONS)
    encoding = table[table["metric"] == "encoding.ridge.r"]
    assert (encoding["value"] > 0.5).all()
    assert (encoding["ceiling_kind"] == "variance").all()
    assert (encoding["ceiling"] > 0.5).all()

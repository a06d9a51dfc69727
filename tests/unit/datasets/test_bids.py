"""BIDS derivatives found by their names."""

import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.fmriprep import load_confounds

from brainalign.datasets import import_bids, import_volumes
from brainalign.errors import ChoiceError, DatasetError
from brainalign.store import open_store
from brainalign.testing.derivatives import make_betas_tree, make_fmriprep_tree


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_single_trial_betas_with_their_tables(store, tmp_path):
    truth = make_betas_tree(tmp_path / "glm")
    report = import_bids(store, tmp_path / "glm", dataset="lab", subject="sub-01", zscore="session")
    assert report.variant == "task-images.space-T1w.stat-effect.desc-SingletrialBetas"
    back = store.responses("lab", "01")
    assert back["stimulus"].values.tolist() == truth.stimuli
    assert [f"{s:02d}" for s in back["session"].values] == truth.sessions
    inside = truth.mask
    sessions = np.array(truth.sessions)
    values = truth.betas[:, inside].astype(float)
    for session in ("01", "02"):
        rows = values[sessions == session]
        values[sessions == session] = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    assert np.allclose(back["response"].values, values, atol=1e-4)
    for number, name in truth.names.items():
        assert np.array_equal(back[f"streams/{name}"].values, truth.labels[inside] == number)
    assert any("2 maps have no stimulus" in note for note in report.notes)


def test_raw_betas_are_untouched(store, tmp_path):
    truth = make_betas_tree(tmp_path / "glm")
    import_bids(store, tmp_path / "glm", dataset="lab", subject="01", entities={"space": "T1w"})
    assert np.array_equal(store.responses("lab", "01")["response"].values, truth.betas[:, truth.mask])


def test_an_fmriprep_run_with_a_table(store, tmp_path):
    root = make_fmriprep_tree(tmp_path / "fmriprep")
    func = root / "sub-01" / "func"
    table = pd.DataFrame({"stimulus": [f"s{i}" for i in range(20)], "run": 1})
    entities = {"space": "MNI152NLin2009cAsym", "desc": "preproc"}
    report = import_bids(store, root, dataset="lab", subject="01", suffix="bold", entities=entities, table=table)
    assert (report.n_presentations, report.n_neuroids) == (20, 18)
    assert report.rois == ("aparcaseg/pericalcarine", "aparcaseg/cuneus", "aparcaseg/lingual")
    surface = import_bids(
        store, root, dataset="lab", subject="01", suffix="bold", entities={"space": "fsaverage5"}, table=table
    )
    assert surface.n_neuroids == 64
    back = store.responses("lab", "01", variant=surface.variant)
    assert (back.attrs["surface"], back.attrs["shape"]) == ("fsaverage5", [30, 34])
    preproc = next(func.glob("*space-MNI*preproc_bold.nii.gz"))
    confounds, _ = load_confounds(str(preproc), strategy=("motion", "wm_csf"))
    assert len(confounds) == 20  # the miniature reads with the field's own reader
    by_hand = import_volumes(
        store,
        dataset="lab",
        subject="02",
        maps=preproc,
        table=table,
        mask=func / preproc.name.replace("preproc_bold", "brain_mask"),
    )
    assert by_hand.n_neuroids == report.n_neuroids


def test_contrast_maps_name_their_stimulus(store, tmp_path):
    import nibabel as nib

    func = tmp_path / "d" / "sub-01"
    func.mkdir(parents=True)
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 3)).astype(np.float32)
    for i, name in enumerate(["cat", "dog", "owl"]):
        nib.save(
            nib.Nifti1Image(values[..., i], np.eye(4)), func / f"sub-01_contrast-{name}_stat-effect_statmap.nii.gz"
        )
        nib.save(nib.Nifti1Image(values[..., i], np.eye(4)), func / f"sub-01_contrast-{name}_stat-t_statmap.nii.gz")
    with pytest.raises(DatasetError, match="differ in stat: effect, t; choose one"):
        import_bids(store, tmp_path / "d", dataset="lab", subject="01")
    import_bids(store, tmp_path / "d", dataset="lab", subject="01", entities={"stat": "effect"})
    back = store.responses("lab", "01")
    assert back["stimulus"].values.tolist() == ["cat", "dog", "owl"]
    assert np.array_equal(back["response"].values, values.reshape(-1, 3).T)


def test_what_is_not_there_is_named(store, tmp_path):
    root = make_fmriprep_tree(tmp_path / "fmriprep")
    with pytest.raises(DatasetError, match=r"no folder sub-1.*Did you mean 'sub-01'"):
        import_bids(store, root, dataset="lab", subject="1")
    with pytest.raises(DatasetError, match=r"no maps \*_statmap"):
        import_bids(store, root, dataset="lab", subject="01")
    with pytest.raises(DatasetError, match="differ in space"):
        import_bids(store, root, dataset="lab", subject="01", suffix="bold")
    with pytest.raises(DatasetError, match=r"no \*_bold .* has {'space': 'T1w'}"):
        import_bids(store, root, dataset="lab", subject="01", suffix="bold", entities={"space": "T1w"})
    with pytest.raises(DatasetError, match=r"nothing beside .* says what its maps show"):
        import_bids(store, root, dataset="lab", subject="01", suffix="bold", entities={"space": "fsaverage5"})
    with pytest.raises(ChoiceError, match="no column 'image'"):
        table = pd.DataFrame({"stimulus": list("abcdefghijklmnopqrst")})
        import_bids(
            store,
            root,
            dataset="lab",
            subject="01",
            suffix="bold",
            entities={"space": "fsaverage5"},
            table=table,
            stimulus="image",
        )

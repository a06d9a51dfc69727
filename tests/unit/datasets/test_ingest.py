"""The table of datasets, and the readers of known datasets on miniatures of the same layout."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from brainalign.datasets import DATASETS, ingest
from brainalign.errors import ChoiceError, DatasetError
from brainalign.manifests import load_manifest, manifest_ids
from brainalign.stats import noise_ceiling
from brainalign.store import average_repeats, open_store

SESSIONS = ("190923", "201025", "210224", "210325")


def jpeg(seed):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, format="JPEG")
    return buffer.getvalue()


def write_images(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for seed, name in enumerate(names):
            archive.writestr(name, jpeg(seed))


@pytest.fixture
def v4(tmp_path):
    root = tmp_path / "v4"
    root.mkdir()
    rng = np.random.default_rng(0)
    for number, session in enumerate(SESSIONS):
        level = f"images_{session}/" if session == "190923" else ""
        write_images(root / f"images_{session}.zip", [f"{level}image{i:04d}.jpg" for i in range(1, 9)])
        np.save(root / f"responses_{session}.npy", rng.normal(size=(3 + number, 8)))
    raw = rng.normal(size=(6, 8, 4))
    raw[:, 2, 3:] = np.nan
    np.save(root / "responses_raw_210325.npy", raw)
    np.save(root / "responses_210325.npy", np.nanmean(raw, axis=2))
    return root


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_every_reader_has_a_manifest():
    assert set(DATASETS) <= set(manifest_ids())


def test_macaque_v4_layout(store, v4):
    report = ingest("macaque-v4", v4, store, verify=False)
    assert report.stimulus_sets == {"macaque-v4": 32}
    assert [entry.subject for entry in report.entries] == list(SESSIONS)
    for session in SESSIONS:
        responses = store.responses("macaque-v4", session)
        mean = average_repeats(responses)
        assert np.allclose(mean["response"].values, np.load(v4 / f"responses_{session}.npy").T, atol=1e-12)
        assert mean["stimulus"].values.tolist() == [f"{session}-{i:04d}" for i in range(1, 9)]
        assert responses["V4"].values.all()
        assert noise_ceiling(responses).kind == ("variance" if session == "210325" else None)
    assert "14 repeats" in store.responses("macaque-v4", "190923").attrs["averaged"]
    assert average_repeats(store.responses("macaque-v4", "210325"))["n_repeats"].values.tolist() == [4, 4, 3] + [4] * 5


def test_macaque_v4_choices(store, v4):
    report = ingest("macaque-v4", v4, store, subjects=["210325"], variant="spike-counts-averaged", verify=False)
    assert report.entries[0].averaged
    with pytest.raises(ChoiceError, match="Did you mean '210325'"):
        ingest("macaque-v4", v4, store, subjects=["210324"], verify=False)
    with pytest.raises(ChoiceError, match="spike-counts"):
        ingest("macaque-v4", v4, store, variant="spikes", verify=False)


def test_files_that_are_not_those_of_the_manifest(store, v4):
    with pytest.raises(DatasetError, match=r"images_190923\.zip is not the file.*sha256"):
        ingest("macaque-v4", v4, store)
    (v4 / "images_201025.zip").unlink()
    with pytest.raises(DatasetError, match=r"lacks 1 files of macaque-v4: images_201025\.zip"):
        ingest("macaque-v4", v4, store, verify=False)
    with pytest.raises(DatasetError, match="give the folder that holds them"):
        ingest("macaque-v4", None, store)


def test_other_numbers_of_images_and_other_repeats(store, v4):
    np.save(v4 / "responses_210224.npy", np.zeros((5, 7)))
    with pytest.raises(DatasetError, match=r"responses_210224\.npy has shape \(5, 7\).*8 images"):
        ingest("macaque-v4", v4, store, subjects=["210224"], verify=False)
    np.save(v4 / "responses_210325.npy", np.zeros((6, 8)))
    with pytest.raises(DatasetError, match="averaged over its repeats is not"):
        ingest("macaque-v4", v4, store, subjects=["210325"], verify=False)


def test_objects92_layout(store, tmp_path):
    rng = np.random.default_rng(0)
    points = {"fmri15_EVC": rng.normal(size=(15, 4, 9)), "fmri15_IT": rng.normal(size=(15, 4, 9))}
    rdms = {name: np.stack([1 - np.corrcoef(p) for p in values]) for name, values in points.items()}
    np.savez(tmp_path / "rdms.npz", category_names=np.array(["animate"]), **rdms)
    write_images(tmp_path / "images_white_bg.zip", [f"{i:03d}.jpg" for i in range(1, 5)])
    report = ingest("objects92", tmp_path, store, verify=False)
    assert len(report.entries) == 15
    back = store.responses("objects92", "sub03")
    assert back["roi"].values.tolist() == ["EVC", "IT"]
    assert back["stimulus"].values.tolist() == ["001", "002", "003", "004"]
    assert np.array_equal(back["dissimilarity"].values[1], rdms["fmri15_IT"][2][np.triu_indices(4, 1)])
    assert store.stimuli("objects92").attrs["source"] == str((tmp_path / "images_white_bg.zip").resolve())


def test_unknown_dataset_and_option(store, v4):
    with pytest.raises(ChoiceError, match="Did you mean 'objects92'"):
        ingest("objects-92", v4, store)
    with pytest.raises(ChoiceError, match=r"no option 'verfy'.*Did you mean 'verify'"):
        ingest("macaque-v4", v4, store, verfy=False)
    with pytest.raises(ChoiceError, match="stimuli only"):
        ingest("natural-scenes", None, store, subjects=["s1"])


def test_manifest_names_the_subjects_that_the_reader_knows():
    assert tuple(load_manifest("macaque-v4").subjects) == SESSIONS

"""Algonauts 2023 on a miniature of the release."""

import shutil

import numpy as np
import pandas as pd
import pytest

from brainalign.datasets import ingest
from brainalign.errors import BrainalignError, ChoiceError, DatasetError, InputError, StoreError
from brainalign.manifests import load_manifest
from brainalign.stats import noise_ceiling
from brainalign.store import average_repeats, join, open_store
from brainalign.testing.mini_algonauts2023 import make_algonauts2023


@pytest.fixture
def mini(tmp_path):
    return tmp_path / "algonauts", make_algonauts2023(tmp_path / "algonauts")


def test_responses_ids_and_places_are_those_of_the_files(fresh_store, mini):
    root, truth = mini
    report = ingest("algonauts2023", root, fresh_store)
    assert [entry.subject for entry in report.entries] == ["subj01", "subj06"]
    for subject, expected in truth.items():
        back = fresh_store.responses("algonauts2023", subject)
        assert np.array_equal(back["response"].values, expected["response"])
        assert back["response"].dtype == np.float32
        for name in ("stimulus", "split", "vertex", "hemisphere", "noise_ceiling"):
            assert np.array_equal(back[name].values, expected[name]), name
        for family, labels in expected["labels"].items():
            for number, name in load_manifest("algonauts2023").label_tables[family].labels.items():
                assert np.array_equal(back[f"{family}/{name}"].values, labels == number)
        assert back.attrs["surface"] == "fsaverage"
        assert back.attrs["shape"] == [60, 60]
        assert "noise_ceiling" in noise_ceiling(back).reason
    table = fresh_store.stimuli("algonauts2023")
    assert set(table["stimulus"]) == {s for t in truth.values() for s in t["stimulus"]}
    assert (root / table["file"].iloc[0]).is_file()
    assert not any(entry.written for entry in ingest("algonauts2023", root, fresh_store).entries)


def test_subjects_one_by_one_share_a_set_that_grows(fresh_store, mini):
    root, truth = mini
    ingest("algonauts2023", root, fresh_store, subjects=["subj06"])
    assert len(fresh_store.stimuli("algonauts2023")) == 15
    ingest("algonauts2023", root, fresh_store, subjects=["subj01"])
    ids = {s for t in truth.values() for s in t["stimulus"]}
    assert set(fresh_store.stimuli("algonauts2023")["stimulus"]) == ids


def test_the_ids_join_with_embeddings_of_nsd(fresh_store, mini):
    root, truth = mini
    ids = sorted({s for t in truth.values() for s in t["stimulus"]} | {"nsd-73001", "nsd-73002"}, reverse=True)
    fresh_store.put_stimuli("nsd", pd.DataFrame({"stimulus": ids}))
    layer = np.array([[float(i.removeprefix("nsd-"))] for i in ids], dtype=np.float32)
    fresh_store.put_embeddings("tiny", "0123456789ab", "nsd", {"number": layer}, stimuli=ids, attrs={})
    ingest("algonauts2023", root, fresh_store)
    mean = average_repeats(fresh_store.responses("algonauts2023", "subj06"))
    joined = join(mean, fresh_store.embeddings("tiny", stimuli="nsd"))
    assert len(joined.stimuli) == 15
    for stimulus, row, response in zip(
        joined.stimuli, np.asarray(joined.X["number"]), joined.Y["response"].values, strict=True
    ):
        assert f"nsd-{int(row[0]):05d}" == stimulus
        assert np.array_equal(response, truth["subj06"]["response"][truth["subj06"]["stimulus"].index(stimulus)])


def test_splits_are_variants_too(fresh_store, mini):
    root, truth = mini
    for split in ("train", "test"):
        ingest("algonauts2023", root, fresh_store, subjects=["subj01"], variant=f"challenge-{split}")
        back = fresh_store.responses("algonauts2023", "subj01", variant=f"challenge-{split}")
        rows = np.array(truth["subj01"]["split"]) == split
        assert np.array_equal(back["response"].values, truth["subj01"]["response"][rows])


def test_what_may_be_absent(fresh_store, mini):
    root, truth = mini
    shutil.rmtree(root / "subj01/test_split/test_fmri")
    shutil.rmtree(root / "subj01/roi_masks")
    shutil.rmtree(root / "subj01/test_split/noise_ceiling")
    (root / "subj06/roi_masks/rh.streams_challenge_space.npy").unlink()
    report = ingest("algonauts2023", root, fresh_store)
    first = fresh_store.responses("algonauts2023", "subj01")
    assert np.array_equal(first["response"].values, truth["subj01"]["response"][:12])
    assert list(first["roi"].attrs["labels"]) == ["all"]
    assert "vertex" not in first.coords
    assert "test split are not on disk" in str(report)
    assert "streams: no mask of rh" in str(report)
    with pytest.raises(DatasetError, match=r"lh_test_fmri\.npy"):
        ingest("algonauts2023", root, fresh_store, subjects=["subj01"], variant="challenge-test")


def test_label_pickles_are_read_only_when_trusted(fresh_store, mini):
    root, truth = mini
    path = root / "subj01/roi_masks/mapping_streams.npy"
    names = {number: f"stream {number}" for number in range(8)}
    np.save(path, np.array(names, dtype=object), allow_pickle=True)
    ingest("algonauts2023", root, fresh_store, subjects=["subj01"], trust_pickle=True)
    back = fresh_store.responses("algonauts2023", "subj01")
    assert np.array_equal(back["streams/stream 5"].values, truth["subj01"]["labels"]["streams"] == 5)
    assert "streams/ventral" not in back


def test_a_label_without_a_name_says_where_its_name_may_be(fresh_store, mini):
    root, _ = mini
    np.save(root / "subj01/roi_masks/lh.streams_challenge_space.npy", np.full(22, 9))
    with pytest.raises(DatasetError, match=r"labels \[9\], which streams does not name.*trust_pickle=True"):
        ingest("algonauts2023", root, fresh_store)


def test_responses_that_are_pickles_are_refused(fresh_store, mini):
    root, truth = mini
    path = root / "subj01/training_split/training_fmri/lh_training_fmri.npy"
    np.save(path, truth["subj01"]["response"][:12, :22].astype(object), allow_pickle=True)
    for trust in (False, True):
        with pytest.raises(InputError, match=r"lh_training_fmri\.npy holds Python objects"):
            ingest("algonauts2023", root, fresh_store, trust_pickle=trust)


def damaged(path):
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("training_split/training_fmri/rh_training_fmri.npy", damaged, "damaged"),
        ("training_split/training_fmri/rh_training_fmri.npy", lambda p: p.unlink(), "there is no file"),
        ("training_split/training_fmri/rh_training_fmri.npy", lambda p: np.save(p, np.zeros((12, 25, 2))), "shape"),
        ("training_split/training_fmri/lh_training_fmri.npy", lambda p: np.save(p, np.zeros((11, 22))), "12 images"),
        ("test_split/test_fmri/lh_test_fmri.npy", lambda p: np.save(p, np.zeros((4, 21))), r"\[21, 25\] vertices"),
        ("test_split/noise_ceiling/lh_noise_ceiling.npy", lambda p: np.save(p, np.full(22, 40.0)), "not percent"),
        ("test_split/noise_ceiling/lh_noise_ceiling.npy", lambda p: np.save(p, np.zeros(25)), "22 vertices"),
        ("roi_masks/lh.streams_challenge_space.npy", lambda p: np.save(p, np.zeros(60)), "22 vertices"),
        ("roi_masks/lh.streams_challenge_space.npy", lambda p: np.save(p, np.full(22, 0.5)), "no whole numbers"),
        ("roi_masks/lh.all-vertices_fsaverage_space.npy", lambda p: np.save(p, np.ones(60)), "marks 60"),
        ("training_split/training_images", lambda p: sorted(p.iterdir())[4].unlink(), "none with number 0005"),
        ("training_split/training_images", lambda p: sorted(p.iterdir())[-1].unlink(), "11 images"),
        ("training_split/training_images", shutil.rmtree, "holds 0 images"),
        ("training_split/training_images", lambda p: damaged(sorted(p.iterdir())[0]), "does not decode"),
        ("training_split/training_fmri/lh_training_fmri.npy", lambda p: np.save(p, np.full((12, 22), np.nan)), "NaN"),
    ],
)
def test_bad_files_are_named(fresh_store, mini, path, change, message):
    root, _ = mini
    change(root / "subj01" / path)
    with pytest.raises(BrainalignError, match=message):
        ingest("algonauts2023", root, fresh_store)
    assert fresh_store.subjects("algonauts2023") == []


def test_a_disk_without_room_is_said_before_anything_is_written(fresh_store, mini, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StoreError, match=r"are needed.*are free"):
        ingest("algonauts2023", mini[0], fresh_store)
    assert fresh_store.subjects("algonauts2023") == []


def test_subjects_and_variants_that_do_not_exist(fresh_store, mini, tmp_path):
    root, _ = mini
    with pytest.raises(ChoiceError, match="Did you mean"):
        ingest("algonauts2023", root, fresh_store, subjects=["subj1"])
    with pytest.raises(DatasetError, match=r"no files of subject 'subj02'.*there are subj01, subj06"):
        ingest("algonauts2023", root, fresh_store, subjects=["subj02"])
    with pytest.raises(ChoiceError, match="challenge-train"):
        ingest("algonauts2023", root, fresh_store, variant="train")
    with pytest.raises(DatasetError, match="holds no subject"):
        ingest("algonauts2023", tmp_path, fresh_store)
    with pytest.raises(DatasetError, match="is not a folder"):
        ingest("algonauts2023", tmp_path / "absent", fresh_store)


def test_its_benchmark_scores(fresh_store, tmp_path, score_tiny):
    make_algonauts2023(tmp_path / "a")
    ingest("algonauts2023", tmp_path / "a", fresh_store, variant="challenge")
    table = score_tiny(fresh_store, "algonauts2023-test", variant="challenge", metrics=("cka.linear.debiased",))
    assert set(table["roi"]) == {
        f"streams/{name}" for name in load_manifest("algonauts2023").label_tables["streams"].labels.values()
    }
    assert table["value"].notna().all()
    assert table["ceiling_reason"].str.contains("averaged over the repetitions").all()


def test_the_shipped_ceiling_bounds_encoding_of_the_test_images_alone(fresh_store, tmp_path, score_tiny):
    truth = make_algonauts2023(tmp_path / "a", n_test=20)["subj01"]
    encoding = {"metrics": ("encoding.ridge.r2",), "rois": ("streams/ventral",)}
    ingest("algonauts2023", tmp_path / "a", fresh_store, variant="challenge-test")
    row = score_tiny(fresh_store, "algonauts2023-test", **encoding).iloc[0]
    labels = {n: k for k, n in load_manifest("algonauts2023").label_tables["streams"].labels.items()}
    inside = np.asarray(truth["labels"]["streams"]) == labels["ventral"]
    shares = np.asarray(truth["noise_ceiling"])[inside]
    assert row["ceiling_kind"] == "variance" and row["ceiling"] == pytest.approx(shares[shares > 0].mean())
    assert row["normalised"] == pytest.approx(row["value"] / row["ceiling"])
    assert row["n_excluded"] == (shares == 0).sum()
    other = open_store(tmp_path / "other")
    ingest("algonauts2023", tmp_path / "a", other, variant="challenge")
    both = score_tiny(other, "algonauts2023-test", variant="challenge", **encoding).iloc[0]
    assert both["ceiling_kind"] is None
    assert "of the 20 stimuli of split test; 20 of them and 12 others are scored" in both["ceiling_reason"]

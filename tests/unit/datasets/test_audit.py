"""The audit finds each mistake that is made on purpose, and nothing in a clean dataset."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainalign.datasets import audit_dataset, import_images, import_responses
from brainalign.errors import ChoiceError, InputError
from brainalign.store import open_store
from brainalign.store.id_base import id_shift_scores
from brainalign.store.near_duplicates import print_matrix, similar_pairs
from brainalign.store.session_effect import session_effect

IDS = [f"nsd-{i:05d}" for i in range(60)]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def put(store, tmp_path, *, shift=0, sessions=None, **options):
    """Sixty random images, an embedding of all, and responses that follow the embedding ``shift`` images away."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    for name in IDS:
        if not (folder / f"{name}.png").exists():
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    import_images(store, "nsd", folder)
    X = np.random.default_rng(1).standard_normal((60, 5))
    store.put_embeddings("net", "r1", "nsd", {"fc": X}, stimuli=IDS)
    shown = np.arange(5, 55)
    Y = X[shown + shift] @ np.random.default_rng(2).standard_normal((5, 8))
    Y = Y + 0.1 * np.random.default_rng(3).standard_normal(Y.shape)
    if sessions is not None:
        Y = Y + 5 * np.asarray(sessions)[:, None]
    import_responses(
        store, dataset="lab", subject="s", matrix=Y, stimuli=[IDS[i] for i in shown], stimulus_set="nsd", averaged=1,
        sessions=sessions, **options,
    )  # fmt: skip
    return folder


def found(report, check):
    return [(f.level, f.message) for f in report.findings if f.check == check]


def test_a_clean_dataset_has_no_errors_and_its_peak_at_zero(store, tmp_path):
    put(store, tmp_path, sessions=None)
    report = audit_dataset(store, "lab", embedding="net")
    assert report.ok
    assert found(report, "id base")[0][0] == "note"
    assert "peak is at 0" in found(report, "id base")[0][1]
    assert {f.check for f in report.findings} == {"id base"}


@pytest.mark.parametrize("shift", [-3, -1, 1, 2])
def test_a_wrong_id_base_is_an_error(store, tmp_path, shift):
    put(store, tmp_path, shift=shift)
    report = audit_dataset(store, "lab", embedding="net")
    level, message = found(report, "id base")[0]
    assert not report.ok
    assert level == "error"
    assert f"images {shift:+d} places away" in message


def test_without_alignment_ids_cannot_be_confirmed():
    rng = np.random.default_rng(0)
    found = id_shift_scores(rng.standard_normal((60, 5)), IDS, rng.standard_normal((40, 5)), IDS[10:50])
    assert not found.confirmed and not found.wrong
    assert id_shift_scores(np.ones((3, 2)), ["a", "b", "c"], np.ones((3, 2)), ["a", "b", "c"]) is None


def test_constant_neuroids_and_equal_regions(store):
    values = np.random.default_rng(0).normal(size=(6, 4))
    values[:, 2] = 1.5
    rois = pd.DataFrame({"V1": [1, 1, 0, 0], "EVC": [1, 1, 0, 0], "IT": [0, 0, 1, 1]})
    import_responses(store, dataset="lab", subject="s", matrix=values, stimuli=list("abcdef"), rois=rois, averaged=2)
    report = audit_dataset(store, "lab")
    assert found(report, "neuroids") == [("warning", "1 of 4 neuroids never vary; they have no score.")]
    assert found(report, "regions") == [("warning", "'V1' and 'EVC' hold the same neuroids.")]
    assert report.ok


def test_session_effects(store, tmp_path):
    put(store, tmp_path, sessions=[0] * 25 + [1] * 25)
    (level, message) = found(audit_dataset(store, "lab"), "sessions")[0]
    assert level == "warning"
    assert "standardize within sessions" in message


def test_random_sessions_have_no_effect():
    values = np.random.default_rng(0).standard_normal((400, 300))
    share, p = session_effect(values, np.repeat(np.arange(5), 80))
    assert share == pytest.approx(4 / 399, rel=0.25)
    assert p > 0.01
    assert session_effect(values + np.repeat(np.arange(5), 80)[:, None], np.repeat(np.arange(5), 80))[1] < 1e-9


def test_leaks_across_a_split(store, tmp_path):
    folder = put(store, tmp_path)
    with Image.open(folder / f"{IDS[0]}.png") as image:
        pixels = np.asarray(image).astype(int)
    other = open_store(tmp_path / "other")
    Image.fromarray(np.clip(pixels + 2, 0, 255).astype(np.uint8)).save(folder / f"{IDS[59]}.png")
    put(other, tmp_path)
    folds = [(IDS[:30], IDS[29:])]
    report = audit_dataset(other, "lab", folds=folds)
    assert found(report, "splits") == [("error", f"fold 0: 1 stimuli are in train and in test, first {IDS[29]!r}.")]
    assert f"{IDS[59]!r} (test) and {IDS[0]!r} (train)" in found(report, "near-duplicates")[0][1]
    assert not found(audit_dataset(other, "lab", folds=[(IDS[1:30], IDS[30:])]), "near-duplicates")
    assert "2 of 60 have a near-duplicate" in found(audit_dataset(other, "lab"), "near-duplicates")[0][1]


def test_near_duplicates_by_cosine(store, tmp_path):
    put(store, tmp_path)
    X = np.array(store.embeddings("net", stimuli="nsd")["fc"].values)
    X[40] = 3 * X[3]
    store.put_embeddings("twin", "r1", "nsd", {"fc": X}, stimuli=IDS)
    message = [m for _, m in found(audit_dataset(store, "lab", embedding="twin"), "near-duplicates")]
    assert any("cosine" in m and IDS[3] in m and IDS[40] in m for m in message)


def test_images_that_changed(store, tmp_path):
    folder = put(store, tmp_path)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / f"{IDS[7]}.png")
    with Image.open(folder / f"{IDS[8]}.png") as image:
        pixels = np.asarray(image).copy()
    Image.fromarray(pixels).save(folder / f"{IDS[8]}.png", compress_level=0)
    report = audit_dataset(store, "lab")
    assert found(report, "image files")[0] == ("note", "1 files have other bytes but the same picture.")
    assert f"first of {IDS[7]!r}" in found(report, "image files")[1][1]
    assert not report.ok
    (folder / f"{IDS[9]}.png").unlink()
    assert "cannot be read" in found(audit_dataset(store, "lab"), "image files")[0][1]
    assert not found(audit_dataset(store, "lab", images=False), "image files")


def test_pairs_against_all_distances():
    rng = np.random.default_rng(0)
    features = rng.integers(0, 256, (50, 192)).astype(float)
    features[10] = features[20] + 1
    features[30] = np.nan
    every = np.arange(50)
    pairs = similar_pairs(features, [str(i) for i in every], every[:15], every[15:], levels=80.0)
    rms = np.sqrt(((features[:15, None] - features[None, 15:]) ** 2).mean(axis=2))
    rms[:, 15] = np.inf
    expected = {str(i): float(rms[i].min()) for i in range(15) if rms[i].min() <= 80}
    assert {p.first: p.value for p in pairs} == pytest.approx(expected)
    assert (pairs[0].first, pairs[0].second) == ("10", "20")
    with pytest.raises(InputError, match="one of the two"):
        similar_pairs(features, [], every, every)
    with pytest.raises(InputError, match="not hexadecimal"):
        print_matrix(["zz"])


def test_names_that_are_not_there(store, tmp_path):
    put(store, tmp_path)
    with pytest.raises(ChoiceError, match=r"no responses of 'labs'.*'lab'"):
        audit_dataset(store, "labs")
    with pytest.raises(ChoiceError, match="no subject 't'"):
        audit_dataset(store, "lab", subjects=["t"])
    with pytest.raises(ChoiceError, match="no layer 'fd'"):
        audit_dataset(store, "lab", embedding="net", layer="fd")

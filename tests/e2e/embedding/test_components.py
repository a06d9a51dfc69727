"""Principal components fitted in one pass on a declared training set."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import IncrementalPCA

from brainalign.errors import InputError
from brainalign.models import streaming
from brainalign.models.fitting import _Fit
from brainalign.store import open_store
from brainalign.testing.small_network import SMALL, embed_small, image_store, images_of, small_network, values_of


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    image_store(tmp_path, name="train", n=40, seed=7)
    return image_store(tmp_path)


def pca(store, **options):
    return embed_small(store, pooling="pca:6", fit_on="train", **options)


def outputs(store, stimuli):
    files = sorted(images_of(store, stimuli).iterdir())
    with torch.no_grad():
        return small_network().eval().conv(torch.stack([SMALL(Image.open(f)) for f in files])).flatten(1).numpy()


def test_scores_on_components_of_the_training_set(store):
    key = pca(store)
    got = values_of(store, key)["conv|pca:6"]
    train, used = outputs(store, "train"), outputs(store, "set")
    reference = IncrementalPCA(6)
    for block in (train[:12], train[12:24], train[24:]):  # a rest of four is too little for six components
        reference.partial_fit(block)
    expected = reference.transform(used)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    share = store.embeddings(key, stimuli="set")["conv|pca:6"].attrs["fitted_on"]["variance_share"]
    assert share == pytest.approx(reference.explained_variance_ratio_.sum(), rel=1e-4)
    assert got.shape == (21, 6) and got.dtype == np.float32


def test_one_block_is_exact_and_blocks_do_not_depend_on_batches():
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(90, 30)) * np.arange(1, 31) ** -0.5).astype(np.float32)
    whole = _Fit(10, 90, 90)
    whole.add(points)
    _, values, axes = np.linalg.svd(points.astype(float) - points.mean(0, dtype=float), full_matrices=False)
    found = whole.finished()
    np.testing.assert_allclose(np.abs(found.axes @ axes[:10].T), np.eye(10), atol=1e-4)
    assert found.share == pytest.approx((values[:10] ** 2).sum() / (values**2).sum(), rel=1e-5)
    hashes = set()
    for size in (1, 7, 32, 90):
        fit = _Fit(10, 20, 90)
        for start in range(0, 90, size):
            fit.add(points[start : start + size])
        hashes.add(fit.finished().sha256())
    assert len(hashes) == 1


def test_what_is_recorded(store):
    about = store.embeddings(pca(store), stimuli="set")["gain|pca:6"].attrs
    assert about["reduction"] == "pca:6" and about["pooling"] == "flatten" and about["seed"] is None
    fitted = about["fitted_on"]
    assert (fitted["stimuli"], fitted["n_stimuli"]) == ("train", 40)
    assert len(fitted["stimuli_sha256"]) == 12 and len(fitted["components_sha256"]) == 64


def test_interrupted_and_resumed_equals_uninterrupted(store, tmp_path, monkeypatch):
    other = open_store(tmp_path / "other")
    for name in ("set", "train"):
        table = store.stimuli(name)
        other.put_stimuli(name, table, source=table.attrs["source"], kind="folder")
    whole = other.embeddings(pca(other), stimuli="set")
    monkeypatch.setattr(streaming, "_CHUNK_ROWS", 8)
    rows, calls = streaming.Forward.rows, []

    def stops(self, images, batching, ids):
        calls.append(ids)
        if len(calls) == 14:  # ten batches of the training set, then four of the stimuli
            raise KeyboardInterrupt
        return rows(self, images, batching, ids)

    monkeypatch.setattr(streaming.Forward, "rows", stops)
    with pytest.raises(KeyboardInterrupt):
        pca(store)
    monkeypatch.setattr(streaming.Forward, "rows", rows)
    assert store.embeddings(pca(store), stimuli="set").attrs["entry_sha256"] == whole.attrs["entry_sha256"]


def test_other_layers_are_added_with_the_training_set_of_before(store):
    before = values_of(store, pca(store, layers=["conv"]))
    after = values_of(store, embed_small(store, layers=["gain"], pooling="pca:5"))
    assert set(after) == {"conv|pca:6", "gain|pca:5"}
    np.testing.assert_array_equal(after["conv|pca:6"], before["conv|pca:6"])
    with pytest.raises(InputError, match="fitted on 'train', and 'set' was asked for"):
        embed_small(store, layers=["gain"], pooling="pca:4", fit_on="set")


def test_a_training_set_must_be_declared_large_enough_and_other_than_what_is_tested(store, tmp_path):
    with pytest.raises(InputError, match="declare the stimulus set"):
        embed_small(store, pooling="pca:6")
    with pytest.raises(InputError, match="21 of 21 stimuli of 'set' are in the training set 'set'"):
        embed_small(store, pooling="pca:6", fit_on="set")
    table = store.stimuli("set").assign(stimulus=lambda t: "copy" + t["stimulus"])  # other names, the same bytes
    store.put_stimuli("copy", table.head(9), source=table.attrs["source"], kind="folder")
    with pytest.raises(InputError, match="9 of 21 stimuli"):
        embed_small(store, pooling="pca:6", fit_on="copy")
    with pytest.raises(InputError, match="asks for 40 components, and the training set has 40"):
        embed_small(store, pooling="pca:40", fit_on="train")
    with pytest.raises(InputError, match="max_memory"):
        embed_small(store, pooling="pca:6", fit_on="train", max_memory=20_000)
    assert store.models() == []


def test_a_layer_with_fewer_features_is_kept_as_it_is(store):
    key = pca(store, layers=["head"])
    assert "fitted_on" not in store.embeddings(key, stimuli="set")["head|pca:6"].attrs
    plain = values_of(store, embed_small(store, layers=["head"], name="plain"))["head|mean"]
    np.testing.assert_array_equal(values_of(store, key)["head|pca:6"], plain)

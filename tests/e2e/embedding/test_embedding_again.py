"""What an embedding that is there means for the next one."""

import numpy as np
import pytest

from brainalign.errors import (
    InputError,
)
from brainalign.models import extract, streaming
from brainalign.testing.small_network import N_IMAGES, embed_small, image_store, image_table, images_of, values_of


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    return image_store(tmp_path)


def test_an_embedding_that_is_there_returns_at_once(store, monkeypatch):
    key = embed_small(store)
    monkeypatch.setattr(extract, "StimulusReader", pytest.fail)  # not even an image is opened
    assert embed_small(store) == key


def test_layers_that_are_all_there_need_no_pass(store, monkeypatch):
    key = embed_small(store)
    before = store.embeddings(key, stimuli="set").attrs["entry_sha256"]
    monkeypatch.setattr(streaming.Extraction, "write", pytest.fail)
    assert embed_small(store, layers="h*") == key
    assert store.embeddings(key, stimuli="set").attrs["entry_sha256"] == before


def test_other_layers_and_poolings_are_added(store):
    before = values_of(store, embed_small(store, layers=["gain"], batch_size=3))
    after = values_of(store, embed_small(store, layers=["conv"], pooling="flatten", batch_size=None))
    assert set(after) == {"gain|mean", "conv|flatten"}
    np.testing.assert_array_equal(after["gain|mean"], before["gain|mean"])  # made with the batch size of before


def test_a_projection_with_another_seed_is_refused(store):
    embed_small(store, layers=["conv"], pooling="srp:9")
    with pytest.raises(InputError, match="another random projection"):
        embed_small(store, layers=["conv"], pooling="srp:9", seed=1)
    assert "conv|srp:9" in values_of(store, embed_small(store, layers=["gain"], seed=1))


def test_another_dtype_is_refused(store):
    embed_small(store)
    with pytest.raises(InputError, match="stored as float32"):
        embed_small(store, dtype="float16")


def test_other_stimuli_under_the_same_name_are_embedded_anew(store):
    key = embed_small(store)
    folder = images_of(store)
    (folder / "00.png").unlink()
    store.put_stimuli("set", image_table(folder), source=str(folder), kind="folder", replace=True)
    assert embed_small(store) == key
    assert store.embeddings(key, stimuli="set").sizes["stimulus"] == N_IMAGES - 1

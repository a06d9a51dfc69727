"""What an embedding that is there means for the next one."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError
from brainalign.models import embed, extract, streaming
from brainalign.testing.small_network import (
    N_IMAGES,
    SMALL,
    embed_small,
    image_table,
    images_of,
    values_of,
)


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


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_forward_pass_of_sixteen_bits_is_near_and_recorded(store, precision):
    exact = values_of(store, embed_small(store, layers=["conv", "head"]))
    key = embed_small(store, layers=["conv", "head"], precision=precision, name="coarse")
    assert store.embeddings(key, stimuli="set").attrs["extraction"]["precision"] == precision
    for name, values in values_of(store, key).items():
        assert values.dtype == np.float32
        error = np.abs(values - exact[name]).max() / np.abs(exact[name]).max()
        assert 0 < error < 0.02
    with pytest.raises(InputError, match=f"computed in {precision}"):
        embed_small(store, layers=["gain"], name="coarse")


def test_what_autocast_does_not_reach_is_refused(store):
    with pytest.raises(InputError, match="another framework"):
        embed(lambda images: images.mean((2, 3)), "set", store, name="mean", preprocessing=SMALL, precision="bfloat16")


def test_an_unknown_precision_is_refused(store):
    with pytest.raises(ChoiceError, match="bfloat16"):
        embed_small(store, precision="bfloat61")


def test_other_stimuli_under_the_same_name_are_embedded_anew(store):
    key = embed_small(store)
    folder = images_of(store)
    (folder / "00.png").unlink()
    store.put_stimuli("set", image_table(folder), source=str(folder), kind="folder", replace=True)
    assert embed_small(store) == key
    assert store.embeddings(key, stimuli="set").sizes["stimulus"] == N_IMAGES - 1

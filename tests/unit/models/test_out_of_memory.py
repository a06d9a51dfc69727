"""Where memory runs out, the batch is halved and the run goes on."""

import numpy as np
import pytest
import torch

from brainalign.errors import ActivationError
from brainalign.models import streaming
from brainalign.models.out_of_memory import Halving, is_out_of_memory
from brainalign.testing.small_network import embed_small, image_store, values_of


def test_what_counts_as_out_of_memory():
    assert is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_halves_until_it_fits_and_keeps_that_size():
    sizes = []

    def run(images, ids):
        sizes.append(len(ids))
        if len(ids) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return {"a": images.numpy() * 2}

    halving = Halving(run, 12)
    images, ids = torch.arange(20.0)[:, None], [str(i) for i in range(20)]
    with pytest.warns(UserWarning, match=r"out of memory with (12|6) images from '0' on; going on with (6|3)"):
        first = halving.rows(images[:12], ids[:12])
    second = halving.rows(images[12:], ids[12:])
    np.testing.assert_array_equal(np.concatenate([first["a"], second["a"]]), images.numpy() * 2)
    assert sizes == [12, 6, 3, 3, 3, 3, 3, 3, 2]
    assert halving.events == [("0", 6), ("0", 3)]


def test_one_image_that_does_not_fit_is_named_and_other_errors_pass():
    def full(images, ids):
        raise MemoryError

    with pytest.warns(UserWarning), pytest.raises(ActivationError, match="out of memory with one image \\('a'\\)"):
        Halving(full, 2).rows(torch.zeros(2), ["a", "b"])

    def wrong(images, ids):
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        Halving(wrong, 2).rows(torch.zeros(2), ["a", "b"])


def test_an_embedding_goes_on_and_says_so(tmp_path, monkeypatch):
    store = image_store(tmp_path)
    expected = values_of(store, embed_small(store, name="whole", batch_size=8))
    rows = streaming.Forward.rows

    def small_device(self, images, batching, ids):
        if len(ids) > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return rows(self, images, batching, ids)

    monkeypatch.setattr(streaming.Forward, "rows", small_device)
    with pytest.warns(UserWarning, match="going on with 4"):
        key = embed_small(store, batch_size=8)
    for name, values in values_of(store, key).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)
    assert store.embeddings(key, stimuli="set").attrs["provenance"]["out_of_memory"] == [["00", 4]]

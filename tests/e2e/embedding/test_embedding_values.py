"""From images on disk to activations in the store."""

import numpy as np
import torch
from PIL import Image

from brainalign.models import embed
from brainalign.testing.small_network import (
    N_IMAGES,
    SMALL,
    embed_small,
    image_table,
    images_of,
    small_network,
)


def test_values_equal_plain_hooks_and_order_is_that_of_the_set(store):
    key = embed_small(store, pooling="flatten")
    there = store.embeddings(key, stimuli="set")
    module = small_network().eval()
    images = [SMALL(Image.open(images_of(store) / f"{name}.png")) for name in there["stimulus"].values]
    with torch.no_grad():
        conv = module.conv(torch.stack(images))
        gain = torch.relu(module.norm(conv))
        expected = {"conv": conv.flatten(1), "gain": gain.flatten(1), "head": module.head(gain.mean((2, 3)))}
    assert list(there["stimulus"].values) == [f"{i:02d}" for i in range(N_IMAGES)]
    for name, value in expected.items():
        np.testing.assert_allclose(there[f"{name}|flatten"].values, value.numpy(), rtol=1e-6, atol=1e-6)


def test_what_is_recorded(store):
    there = store.embeddings(embed_small(store, pooling="srp:20"), stimuli="set")
    assert there.attrs["attributes"]["n_parameters"] == sum(p.numel() for p in small_network().parameters())
    assert there.attrs["attributes"]["preprocessing"] == SMALL.canonical()
    window = there.attrs["extraction"]["check_image"]["window"]
    assert there.attrs["extraction"] == {
        "batch_size": 4,
        "memory_format": "contiguous",
        "dtype": "float32",
        "fold_norms": False,
        "precision": "float32",
        "check_image": {"size": [12, 12], "order": "RGB", "mean": [0, 0, 0], "std": [1, 1, 1], "window": window},
    }
    np.testing.assert_allclose(window, [1 / 8, 0, 7 / 8, 1], atol=0.01)  # the centre of 4:3
    assert there.attrs["provenance"]["versions"]["torch"]
    conv = there["conv|srp:20"].attrs
    assert (conv["layer"], conv["pooling"], conv["reduction"]) == ("conv", "flatten", "srp:20")
    assert conv["seed"] is not None and conv["seed"] != there["gain|srp:20"].attrs["seed"]
    assert there["head|srp:20"].attrs["seed"] is None  # four features are kept as they are


def test_progress_goes_to_stderr(store, capsys):
    embed_small(store, progress=True)
    captured = capsys.readouterr()
    assert captured.out == "" and "net on set" in captured.err


def test_fewer_stimuli_than_a_batch(store):
    folder = images_of(store)
    store.put_stimuli("one", image_table(folder).head(1), source=str(folder), kind="folder")
    key = embed("pixels", "one", store)
    assert store.embeddings(key, stimuli="one")["pixels|mean"].shape == (1, 3072)

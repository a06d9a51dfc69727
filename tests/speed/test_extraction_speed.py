"""Extraction against a hand-written loop, and one pass against a pass a layer.

``pytest -n0 -s -p no:randomly tests/speed/test_extraction_speed.py`` with one thread; it prints, and asserts that the
numbers are equal, never a time. Processor time is measured, of all threads of the process, which other jobs on the
machine disturb less. BRAINALIGN_SPEED_PAIRS sets the number of pairs (10), BRAINALIGN_SPEED_IMAGES that of images.
"""

import itertools
import os
import time

import numpy as np
import pytest
import torch
from PIL import Image

from brainalign.datasets.images import import_images
from brainalign.models import embed, load_network
from brainalign.models.pooling import parse_pooling
from brainalign.store import open_store

PAIRS = int(os.environ.get("BRAINALIGN_SPEED_PAIRS", "10"))
N = int(os.environ.get("BRAINALIGN_SPEED_IMAGES", "48"))
NETWORKS = ("efficientnet-lite0-random", "open_clip:ViT-B-32/none")
SIZE = 16


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    rng = np.random.default_rng(0)
    for i in range(N):
        smooth = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((341, 256))
        smooth.save(folder / f"{i:04d}.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def table(images, tmp_path_factory):
    return import_images(open_store(tmp_path_factory.mktemp("first")), "set", images)


@pytest.fixture
def fresh(images, table, tmp_path):
    """Make an empty store that knows the images."""
    numbers = itertools.count()

    def make():
        store = open_store(tmp_path / f"store{next(numbers)}")
        store.put_stimuli("set", table, source=str(images), kind="folder")
        return store

    return make


def pooled(output):
    tensor = output[0] if isinstance(output, tuple) else output
    if tensor.ndim == 4:
        return tensor.mean((2, 3))
    return tensor.mean(1) if tensor.ndim == 3 else tensor


def by_hand(network, layers, images, size, file):
    """Decode, forward with hooks, pool, one npy."""
    module, rows = network.module.eval(), {name: [] for name in layers}
    handles = [
        module.get_submodule(name).register_forward_hook(lambda _m, _i, out, n=name: rows[n].append(pooled(out)))
        for name in layers
    ]
    files = sorted(images.iterdir())
    with torch.no_grad():
        for start in range(0, len(files), size):
            batch = [network.preprocess(Image.open(f).convert("RGB")) for f in files[start : start + size]]
            module(torch.stack(batch))
    for handle in handles:
        handle.remove()
    found = {name: torch.cat(parts).numpy() for name, parts in rows.items()}
    np.save(file, np.concatenate(list(found.values()), 1))
    return found


def timed(call):
    start = time.process_time()
    out = call()
    return time.process_time() - start, out


def layers_of(network, n):
    blocks = [name for name in network.layers() if name.split(".")[-1].isdigit() and name.count(".") in (1, 2)]
    blocks = [name for name in blocks if "_blocks" in name or "resblocks" in name]
    return [blocks[round(i * (len(blocks) - 1) / (n - 1))] for i in range(n)]


@pytest.mark.parametrize("spec", NETWORKS)
def test_pooling_and_projection_against_a_loop_by_hand(spec, images, fresh, tmp_path):
    network = load_network(spec)
    seconds, _ = timed(lambda: network.revision)  # once a network, and no matter of the images
    print(f"\n{spec}: hash of the weights {seconds:.2f} s")
    layers = layers_of(network, 6)
    ratios = {"mean": [], "srp:512": [], "srp:512 without drawing": []}
    for i in range(PAIRS):
        hand, expected = timed(lambda: by_hand(network, layers, images, SIZE, tmp_path / "hand.npy"))
        for pooling in ("mean", "srp:512") if i % 3 == 0 else ("mean",):
            store = fresh()
            ours, key = timed(lambda s=store, p=pooling: embedded(network, s, layers, pooling=p))
            ratios[pooling].append(ours / hand)
            there = store.embeddings(key, stimuli="set")
            if pooling == "srp:512":
                shapes = [tuple(there[f"{name}|{pooling}"].attrs["output_shape"]) for name in layers]
                drawing, _ = timed(lambda s=shapes: [drawn(shape) for shape in s])
                ratios["srp:512 without drawing"].append((ours - drawing) / hand)
            elif i == 0:
                for name in layers:
                    np.testing.assert_allclose(there[f"{name}|mean"].values, expected[name], rtol=1e-4, atol=1e-4)
    print(f"drawing the projections, once a run: {drawing:.2f} s; the loop by hand {hand:.2f} s")
    for pooling, found in ratios.items():
        low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
        print(f"{spec}, {N} images, {pooling}: {middle:.3f} of the loop by hand (quartiles {low:.3f}, {high:.3f})")


def drawn(shape):
    return parse_pooling("srp:512").bound("layer", shape, seed=0)._projection


def embedded(network, store, layers, **options):
    return embed(network, "set", store, layers=layers, batch_size=SIZE, **options)


def test_one_pass_against_a_pass_a_layer(fresh):
    network = load_network("efficientnet-lite0-random")
    layers = layers_of(network, 8)
    _ = network.revision
    ratios = []
    for _ in range(max(1, PAIRS // 5)):
        stores = [fresh() for _ in range(9)]
        one, _ = timed(lambda s=stores: embedded(network, s[8], layers))
        each, _ = timed(lambda s=stores: [embedded(network, one, [n]) for one, n in zip(s[:8], layers, strict=True)])
        ratios.append(each / one)
    print(f"\neight layers in one pass: {np.median(ratios):.2f} times as fast as a pass a layer")

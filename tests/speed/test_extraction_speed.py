"""Extraction against a hand-written loop, and one pass against a pass a layer.

``pytest -n0 -s -p no:randomly tests/speed/test_extraction_speed.py`` with one thread; it prints, and asserts that the
numbers are equal, never a time. Two times are measured: that on the clock, and that of the processor, of all threads of
the process, which other jobs on the machine disturb less. BRAINALIGN_SPEED_PAIRS sets the number of pairs (10),
BRAINALIGN_SPEED_IMAGES that of images.
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
from brainalign.models.batching import Batching
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


def by_hand(network, layers, images, batching, file):
    """Decode, forward with hooks, pool, one npy."""
    module, rows = network.module.eval().to(memory_format=batching.layout()), {name: [] for name in layers}
    handles = [
        module.get_submodule(name).register_forward_hook(lambda _m, _i, out, n=name: rows[n].append(pooled(out)))
        for name in layers
    ]
    files = sorted(images.iterdir())
    with torch.no_grad():
        for start in range(0, len(files), batching.size):
            step = files[start : start + batching.size]
            batch = torch.stack([network.preprocess(Image.open(f).convert("RGB")) for f in step])
            module(batch.contiguous(memory_format=batching.layout()))
    for handle in handles:
        handle.remove()
    module.to(memory_format=torch.contiguous_format)
    found = {name: torch.cat(parts).numpy() for name, parts in rows.items()}
    np.save(file, np.concatenate(list(found.values()), 1))
    return found


def timed(call):
    """Seconds on the clock and of the processor, and what was returned."""
    start = np.array([time.perf_counter(), time.process_time()])
    out = call()
    return np.array([time.perf_counter(), time.process_time()]) - start, out


def say(what, ratios):
    for clock, found in zip(("clock", "processor"), np.transpose(ratios), strict=True):
        low, middle, high = np.quantile(found, [0.25, 0.5, 0.75])
        print(f"{what}, {clock}: {middle:.3f} of the loop by hand (quartiles {low:.3f}, {high:.3f})")


def layers_of(network, n):
    blocks = [name for name in network.layers() if name.split(".")[-1].isdigit() and name.count(".") in (1, 2)]
    blocks = [name for name in blocks if "_blocks" in name or "resblocks" in name]
    return [blocks[round(i * (len(blocks) - 1) / (n - 1))] for i in range(n)]


@pytest.mark.parametrize("spec", NETWORKS)
def test_pooling_and_projection_against_a_loop_by_hand(spec, images, fresh, tmp_path):
    network = load_network(spec)
    seconds, _ = timed(lambda: network.revision)  # once a network, and no matter of the images
    print(f"\n{spec}: hash of the weights {seconds[1]:.2f} s")
    layers = layers_of(network, 6)
    ratios = {"mean": [], "srp:512": [], "srp:512 without drawing": []}
    for i in range(PAIRS):
        hand, expected = timed(lambda: by_hand(network, layers, images, Batching(SIZE), tmp_path / "hand.npy"))
        for pooling in ("mean", "srp:512") if i % 3 == 0 else ("mean",):
            store = fresh()
            ours, key = timed(lambda s=store, p=pooling: embedded(network, s, layers, pooling=p, batch_size=SIZE))
            ratios[pooling].append(ours / hand)
            there = store.embeddings(key, stimuli="set")
            if pooling == "srp:512":
                shapes = [tuple(there[f"{name}|{pooling}"].attrs["output_shape"]) for name in layers]
                drawing, _ = timed(lambda s=shapes: [drawn(shape) for shape in s])
                ratios["srp:512 without drawing"].append((ours - drawing) / hand)
            elif i == 0:
                for name in layers:
                    np.testing.assert_allclose(there[f"{name}|mean"].values, expected[name], rtol=1e-4, atol=1e-4)
    print(f"drawing the projections, once a run: {drawing[1]:.2f} s; the loop by hand {hand[1]:.2f} s")
    for pooling, found in ratios.items():
        say(f"{spec}, {N} images, {pooling}", found)


@pytest.mark.parametrize("spec", NETWORKS)
def test_as_called_against_the_best_loop_by_hand(spec, images, fresh, tmp_path, monkeypatch):
    """The loop runs at the best of ten batchings, its search not counted; ours searches anew in each run."""
    network = load_network(spec)
    _ = network.revision
    layers = layers_of(network, 6)
    few = tmp_path / "few"
    few.mkdir()
    for file in sorted(images.iterdir())[:32]:
        (few / file.name).symlink_to(file)
    batchings = [Batching(size, order) for order in ("contiguous", "channels_last") for size in (2, 4, 8, 16, 32)]
    trials = {
        batching: min(
            timed(lambda b=batching: by_hand(network, layers, few, b, tmp_path / "few.npy"))[0][1] for _ in "ab"
        )
        for batching in batchings
    }
    best = min(batchings, key=lambda batching: trials[batching])
    ratios, chosen = [], []
    for i in range(PAIRS):
        monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / f"cache{i}"))
        hand, _ = timed(lambda: by_hand(network, layers, images, best, tmp_path / "hand.npy"))
        store = fresh()
        ours, key = timed(lambda s=store: embedded(network, s, layers))
        ratios.append(ours / hand)
        extraction = store.embeddings(key, stimuli="set").attrs["extraction"]
        chosen.append((extraction["batch_size"], extraction["memory_format"]))
    print(f"\nthe best loop: {best}, {hand[1]:.2f} s; batches chosen: {sorted(set(chosen))}")
    say(f"{spec}, {N} images, as called", ratios)


def drawn(shape):
    return parse_pooling("srp:512").bound("layer", shape, seed=0)._projection


def embedded(network, store, layers, **options):
    return embed(network, "set", store, layers=layers, **options)


def test_one_pass_against_a_pass_a_layer(fresh):
    network = load_network("efficientnet-lite0-random")
    layers = layers_of(network, 8)
    _ = network.revision
    ratios = []
    for _ in range(max(1, PAIRS // 5)):
        stores = [fresh() for _ in range(9)]
        one, _ = timed(lambda s=stores: embedded(network, s[8], layers, batch_size=SIZE))
        each, _ = timed(
            lambda s=stores: [
                embedded(network, one, [name], batch_size=SIZE) for one, name in zip(s[:8], layers, strict=True)
            ]
        )
        ratios.append(each[1] / one[1])
    print(f"\neight layers in one pass: {np.median(ratios):.2f} times as fast as a pass a layer")

"""The same calls on the processor and on an accelerator.

``pytest -n0 tests/speed/test_device_speed.py --benchmark-only``. Data lie where the call computes before the clock
starts. Skipped where there is no CUDA device;
BRAINALIGN_SPEED_SMALL=1 shrinks every size to a tenth, to see that the lines run.
"""

import os
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image

import brainalign
from brainalign.datasets.images import import_images
from brainalign.models import embed
from brainalign.store import open_store

SMALL = 10 if os.environ.get("BRAINALIGN_SPEED_SMALL") else 1
DEVICES = [device for device in ("cpu", "cuda") if device == "cpu" or torch.cuda.is_available()]
on_each = pytest.mark.parametrize("device", DEVICES)
on_each_in_both = pytest.mark.parametrize(("device", "precision"), list(product(DEVICES, ("float32", "float64"))))


def _normal(n, p, seed=0, precision="float64"):
    return np.random.default_rng(seed).normal(size=(n // SMALL, p)).astype(precision)


def _timed(benchmark, device, call, rounds=3):
    def run():
        value = call()
        if device == "cuda":
            torch.cuda.synchronize()
        return value

    benchmark.extra_info["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    benchmark.pedantic(run, rounds=rounds, warmup_rounds=1 if device == "cuda" else 0)
    if device == "cuda":
        benchmark.extra_info["peak_GB"] = torch.cuda.max_memory_allocated() / 1e9


def _on(device, *matrices):
    return [torch.as_tensor(matrix, device=device) for matrix in matrices]


@pytest.mark.benchmark(group="ridge gcv, n=1000 p=2048 15,000 targets, 5 folds")
@on_each_in_both
def test_encode(benchmark, device, precision):
    X = _normal(1000, 2048, precision=precision)
    Y = (X[:, :50] @ np.random.default_rng(1).normal(size=(50, 15_000 // SMALL))).astype(precision)
    x, y = _on(device, X, Y + _normal(1000, Y.shape[1], 2, precision))
    _timed(benchmark, device, lambda: brainalign.encode(x, y, alphas=np.logspace(-1, 8, 15)))


@pytest.mark.benchmark(group="ridge gcv, n=10,000 p=5920 15,000 targets, one split, float32")
@on_each
def test_encode_large(benchmark, device):
    x, y = _on(device, _normal(10_000, 5920, 0, "float32"), _normal(10_000, 15_000 // SMALL, 1, "float32"))
    n = len(x)
    folds = [(np.arange(n * 4 // 5), np.arange(n * 4 // 5, n))]
    _timed(benchmark, device, lambda: brainalign.encode(x, y, folds=folds), rounds=1)


@pytest.mark.benchmark(group="rdm correlation, n=1000 x 5000")
@on_each_in_both
def test_rdm(benchmark, device, precision):
    (x,) = _on(device, _normal(1000, 5000, precision=precision))
    _timed(benchmark, device, lambda: brainalign.rdm(x))


@pytest.mark.benchmark(group="rsa rho-a with its jackknife, n=1000")
@on_each
def test_rsa_interval(benchmark, device):
    x, y = _on(device, _normal(1000, 500), _normal(1000, 500, 1))
    _timed(benchmark, device, lambda: brainalign.resample("rsa.correlation.rho-a", x, y))


@pytest.mark.benchmark(group="debiased cka, z and p in closed form, n=1000")
@on_each_in_both
def test_cka_calibrated(benchmark, device, precision):
    x, y = _on(device, _normal(1000, 2048, 0, precision), _normal(1000, 2048, 1, precision))
    _timed(benchmark, device, lambda: brainalign.calibrate("cka.linear.debiased", x, y))


@pytest.mark.benchmark(group="1000 permutations, n=1000")
@on_each
@pytest.mark.parametrize("metric", ["rsa.correlation.rho-a", "mutual-knn.k10"])
def test_permutations(benchmark, metric, device):
    x, y = _on(device, _normal(1000, 500), _normal(1000, 500, 1))
    _timed(benchmark, device, lambda: brainalign.calibrate(metric, x, y, n_permutations=1000))


@pytest.mark.benchmark(group="half-samples of mutual knn, n=1000")
@on_each
def test_mutual_knn_interval(benchmark, device):
    x, y = _on(device, _normal(1000, 500), _normal(1000, 500, 1))
    _timed(benchmark, device, lambda: brainalign.resample("mutual-knn.k10", x, y))


@pytest.mark.benchmark(group="mutual knn, n=10,000 x 1024")
@on_each
def test_mutual_knn(benchmark, device):
    x, y = _on(device, _normal(10_000, 1024, 0, "float32"), _normal(10_000, 1024, 1, "float32"))
    _timed(benchmark, device, lambda: brainalign.mutual_knn(x, y))


@pytest.mark.benchmark(group="neighbour graph, n=73,000 x 512, k=50")
@on_each_in_both
def test_neighbours(benchmark, device, precision):
    (x,) = _on(device, _normal(73_000, 512, precision=precision))
    _timed(benchmark, device, lambda: brainalign.neighbour_graph(x, k=50), rounds=1)


@pytest.mark.benchmark(group="twonn and mle(20) from one graph, n=10,000 x 512")
@on_each
def test_two_dimensions(benchmark, device):
    (x,) = _on(device, _normal(10_000, 512))

    def both():
        graph = brainalign.neighbour_graph(x, k=20)
        return brainalign.local_dimension(graph, estimator="twonn"), brainalign.local_dimension(graph, k=20)

    _timed(benchmark, device, both)


@pytest.mark.benchmark(group="structure curve, n=2000, 7 scales")
@on_each
def test_structure_curve(benchmark, device):
    (x,) = _on(device, _normal(2000 * SMALL, 64))
    _timed(benchmark, device, lambda: brainalign.structure_curve(x), rounds=1)


@pytest.mark.benchmark(group="embedding, open_clip ViT-B-32, random weights, 1,000 JPEG of 256 px")
@pytest.mark.parametrize(("device", "precision"), [(d, "float32") for d in DEVICES] + [("cuda", "float16")])
def test_embedding(benchmark, device, precision, tmp_path):
    if device not in DEVICES:
        pytest.skip("needs a CUDA device, and there is none")
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(1000 // SMALL):
        Image.fromarray(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)).save(folder / f"i{number:04d}.jpg")
    store = open_store(str(tmp_path / "store"))
    import_images(store, "noise", folder)
    made = iter(range(100))

    def once():
        name = f"vit{next(made)}"
        return embed(
            "open_clip:ViT-B-32", "noise", store, layers="blocks", device=device, precision=precision, name=name
        )

    _timed(benchmark, device, once, rounds=2)

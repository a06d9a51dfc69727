"""Geometry against scikit-dimension and its own graph: ``pytest -n0 tests/speed/test_geometry_speed.py --benchmark-only``.

Compare the minima on a quiet machine (OMP_WAIT_POLICY=PASSIVE). BRAINALIGN_SPEED_POINTS sets the number of points of
the first part, 10,000 unless given.
"""

import os
import resource

import numpy as np
import pytest

from brainalign.geometry import dimension_curve, local_dimension, structure_curve
from brainalign.geometry.references import reference_draws
from brainalign.kernels.neighbours import neighbour_graph

N = int(os.environ.get("BRAINALIGN_SPEED_POINTS", "10000"))
SCALES = (16, 20, 26, 32, 40, 50, 64, 80, 100, 128, 160, 200)
CHEAP = ("mle", "gride", "mom", "mada")


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).normal(size=(N, 512)) * np.arange(1, 513) ** -0.5


@pytest.fixture(scope="module")
def few():
    return np.random.default_rng(0).normal(size=(2000, 512)) * np.arange(1, 513) ** -0.5


def all_cheap_estimators(points):
    graph = neighbour_graph(points, k=max(SCALES))
    local_dimension(graph, estimator="twonn")
    return [[local_dimension(graph, estimator=e, k=k).value for k in SCALES] for e in CHEAP]


def twonn_and_mle(points):
    graph = neighbour_graph(points, k=20)
    return local_dimension(graph, estimator="twonn").value, local_dimension(graph, k=20).value


def test_twonn(benchmark, points):
    benchmark.pedantic(local_dimension, args=(points,), kwargs={"estimator": "twonn"}, rounds=3)


def test_twonn_scikit_dimension(benchmark, points):
    peer = pytest.importorskip("skdim.id").TwoNN
    benchmark.pedantic(lambda: peer().fit(points), rounds=2)


def test_mle(benchmark, points):
    benchmark.pedantic(local_dimension, args=(points,), kwargs={"k": 20}, rounds=3)


def test_mle_scikit_dimension(benchmark, points):
    peer = pytest.importorskip("skdim.id").MLE
    benchmark.pedantic(lambda: peer().fit(points, n_neighbors=20), rounds=2)


def test_twonn_and_mle_from_one_graph(benchmark, points):
    benchmark.pedantic(twonn_and_mle, args=(points,), rounds=3)


def test_graph_alone(benchmark, points):
    benchmark.pedantic(neighbour_graph, args=(points,), kwargs={"k": max(SCALES)}, rounds=3)


def test_five_estimators_at_twelve_scales(benchmark, points):
    benchmark.pedantic(all_cheap_estimators, args=(points,), rounds=3)


@pytest.mark.parametrize("estimator", ["tle", "ess", "lpca", "abide"])
def test_seconds_a_scale(benchmark, few, estimator):
    graph = neighbour_graph(few, k=100)
    benchmark.pedantic(local_dimension, args=(graph,), kwargs={"estimator": estimator, "k": 50}, rounds=2)


@pytest.mark.parametrize("n_starts", [1, 5])
def test_structure_curve(benchmark, few, n_starts):
    scales = np.unique(np.geomspace(64, 1024, 7).round().astype(int)).tolist()
    benchmark.pedantic(structure_curve, args=(few,), kwargs={"scales": scales, "n_starts": n_starts}, rounds=2)


def test_dimension_curve_with_new_references(benchmark, few):
    benchmark.pedantic(dimension_curve, args=(few,), setup=reference_draws.cache_clear, rounds=2)


def test_dimension_curve_with_kept_references(benchmark, few):
    dimension_curve(few)
    benchmark.pedantic(dimension_curve, args=(few,), rounds=2)


@pytest.mark.skipif("BRAINALIGN_SPEED_FULL" not in os.environ, reason="takes minutes; set BRAINALIGN_SPEED_FULL")
def test_all_images_of_natural_scenes(benchmark):
    points = np.random.default_rng(0).normal(size=(73_000, 512)).astype(np.float32)
    benchmark.pedantic(local_dimension, args=(points,), kwargs={"k": 50}, rounds=1)
    benchmark.extra_info["peak GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

"""The neighbour graph against all distances, on clouds that break products."""

import numpy as np
import pytest
import torch

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.kernels import nearest as stages
from brainalign.kernels import screens
from brainalign.kernels.neighbours import neighbour_graph, neighbour_lists, neighbours_of


def all_distances(X, k):
    """Every distance from differences, ties by row."""
    X = np.asarray(X, dtype=np.float64)
    distance = np.sqrt(((X[:, None] - X[None]) ** 2).sum(-1))
    np.fill_diagonal(distance, np.inf)
    index = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distance, index, 1), index


def clouds():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(300, 5))
    return {
        "normal": rng.normal(size=(400, 20)),
        "float32": rng.normal(size=(400, 20)).astype(np.float32),
        "grid with many ties": rng.integers(0, 4, (300, 3)).astype(float),
        "equidistant": np.eye(150),
        "one column": rng.integers(0, 50, (300, 1)),
        "half equal": np.concatenate([normal[:100], np.zeros((100, 5))]),
        "every point twice": np.repeat(normal[:100], 2, axis=0),
        "all equal": np.ones((30, 3)),
        "two clusters far apart": np.concatenate([normal, 1e6 + rng.normal(size=(300, 5))]),
        "offset in float32": (100 + rng.normal(size=(400, 30))).astype(np.float32),
        "ten points": rng.normal(size=(10, 3)),
    }


@pytest.mark.parametrize("small", [stages.SMALL, 0], ids=["float64 rows", "float32 blocks"])
@pytest.mark.parametrize("name", clouds())
def test_equals_all_distances_in_order(name, small, monkeypatch):
    monkeypatch.setattr(stages, "SMALL", small)
    X = clouds()[name]
    for k in (1, 6, len(X) - 1):
        distance, index = all_distances(X, k)
        graph = neighbour_graph(X, k=k)
        np.testing.assert_array_equal(graph.index, index)
        np.testing.assert_allclose(graph.distance, distance, rtol=1e-12)
        np.testing.assert_array_equal(neighbour_lists(X, k=k), index)


@pytest.mark.parametrize("small", [stages.SMALL, 0], ids=["float64 rows", "float32 blocks"])
@pytest.mark.parametrize("name", clouds())
def test_neighbours_in_any_order_are_the_same(name, small, monkeypatch):
    monkeypatch.setattr(stages, "SMALL", small)
    X = clouds()[name]
    for k in (1, 6, len(X) - 1):
        found = neighbour_lists(X, k=k, ordered=False)
        np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(all_distances(X, k)[1], axis=1))


@pytest.mark.parametrize("scale", [2.0**600, 2.0**-600])
def test_scale_neither_overflows_nor_vanishes(scale):
    X = np.random.default_rng(1).normal(size=(50, 4))
    plain, scaled = neighbour_graph(X, k=5), neighbour_graph(X * scale, k=5)
    np.testing.assert_array_equal(plain.index, scaled.index)
    np.testing.assert_array_equal(plain.distance * scale, scaled.distance)


def test_many_blocks_and_crowded_rows(monkeypatch):
    # points in order along a curve: early blocks propose poor neighbours, and whole blocks of better ones follow
    monkeypatch.setattr(stages, "SMALL", 0)
    t = np.linspace(0, 1, 1500)[::-1] ** 2
    X = np.stack([t, t**2, np.sin(3 * t)], axis=1)
    distance, index = all_distances(X, 7)
    graph = neighbour_graph(X, k=7)
    np.testing.assert_array_equal(graph.index, index)
    np.testing.assert_allclose(graph.distance, distance, rtol=1e-12)


@pytest.mark.parametrize("cache", [1 << 12, 1 << 15, 1 << 22])
@pytest.mark.parametrize("block", [300, 40, 7])
@pytest.mark.parametrize("k", [1, 12])
def test_blocks_of_any_shape(k, block, cache, monkeypatch):
    # later points are nearer to all, so that candidates are merged even before every row has seen its first columns
    monkeypatch.setattr(stages, "SMALL", 0)
    monkeypatch.setattr(screens, "BLOCK", block)
    monkeypatch.setattr(screens, "LEAST_BLOCK", 1)
    monkeypatch.setattr(screens, "CACHE_BYTES", cache)
    X = np.random.default_rng(4).normal(size=(501, 6)) * np.geomspace(3, 0.3, 501)[:, None]
    distance, index = all_distances(X, k)
    graph = neighbour_graph(X, k=k)
    np.testing.assert_array_equal(graph.index, index)
    np.testing.assert_allclose(graph.distance, distance, rtol=1e-12)


def test_screen_in_float32_is_not_trusted_beyond_its_precision(monkeypatch):
    # distances differ in the ninth digit of the norm: the product alone would order them by chance
    monkeypatch.setattr(stages, "SMALL", 0)
    X = np.concatenate([np.random.default_rng(2).normal(size=(200, 1)) * 1e-9, [[1.0]], [[-1.0]]])
    np.testing.assert_array_equal(neighbour_graph(X, k=5).index, all_distances(X, 5)[1])


def test_cosine_is_one_minus_cosine_and_ignores_length():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 6))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    graph = neighbour_graph(X * rng.uniform(0.1, 10, (120, 1)), k=9, metric="cosine")
    _, index = all_distances(unit, 9)
    np.testing.assert_array_equal(graph.index, index)
    np.testing.assert_allclose(graph.distance, 1 - np.take_along_axis(unit @ unit.T, index, 1), atol=1e-14)


def test_some_rows_only():
    X = clouds()["grid with many ties"]
    rows = np.array([7, 3, 250])
    np.testing.assert_array_equal(neighbours_of(X, rows, k=4), all_distances(X, 4)[1][rows])


def test_graph_keeps_its_points():
    X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    graph = neighbour_graph(X, k=4)
    assert (graph.n, graph.k, graph.metric) == (20, 4, "euclidean")
    assert torch.equal(graph.points, X)
    assert graph.distance.dtype == np.float64
    assert repr(graph) == "Neighbours(n=20, k=4, metric='euclidean')"


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", True, None])
def test_k_that_is_no_number_of_neighbours(k):
    with pytest.raises(InputError, match="number of neighbours"):
        neighbour_graph(np.eye(5), k=k)


def test_bad_input():
    with pytest.raises(ShapeError, match="at least 6 points"):
        neighbour_graph(np.eye(5), k=5)
    with pytest.raises(ChoiceError, match="'euclidean'"):
        neighbour_graph(np.eye(5), k=2, metric="euclidian")
    with pytest.raises(NonFiniteError):
        neighbour_graph(np.array([[1.0], [np.nan], [2.0]]), k=1)
    with pytest.raises(UndefinedError, match="row 2 holds zeros only"):
        neighbour_graph(np.array([[1.0], [2.0], [0.0]]), k=1, metric="cosine")

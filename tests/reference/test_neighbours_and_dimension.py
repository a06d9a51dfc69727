"""The neighbour graph against scikit-learn, local dimension against scikit-dimension."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from brainalign.geometry import local_dimension
from brainalign.kernels.neighbours import neighbour_graph

skdim_id = pytest.importorskip("skdim.id")


@pytest.fixture(params=[(500, 8), (400, 60)], ids=["few columns", "many columns"])
def points(request):
    return np.random.default_rng(0).normal(size=request.param)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_graph_equals_scikit_learn(points, metric):
    distance, index = NearestNeighbors(n_neighbors=12, algorithm="brute", metric=metric).fit(points).kneighbors()
    graph = neighbour_graph(points, k=12, metric=metric)
    np.testing.assert_array_equal(graph.index, index)
    np.testing.assert_allclose(graph.distance, distance, rtol=1e-9)


@pytest.mark.parametrize(
    ("average", "comb", "unbiased"),
    [("arithmetic", "mean", False), ("harmonic", "mle", False), ("unbiased", "mean", True)],
)
def test_mle_equals_scikit_dimension(points, average, comb, unbiased):
    peer = skdim_id.MLE(unbiased=unbiased).fit(points, n_neighbors=20, comb=comb)
    ours = local_dimension(points, k=20, average=average)
    assert ours.value == pytest.approx(peer.dimension_, rel=1e-6)
    np.testing.assert_allclose(ours.pointwise, peer.dimension_pw_, rtol=1e-6)


def test_twonn_equals_scikit_dimension(points):
    peer = skdim_id.TwoNN().fit(points)
    assert local_dimension(points, estimator="twonn").value == pytest.approx(peer.dimension_, rel=1e-6)

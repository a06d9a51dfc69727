"""The neighbour graph against scikit-learn, local dimension against scikit-dimension."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from brainalign.geometry import global_dimension, local_dimension
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


PEERS = {
    "mom": lambda X, k: skdim_id.MOM().fit(X, n_neighbors=k),
    "mada": lambda X, k: skdim_id.MADA().fit(X, n_neighbors=k),
    "tle": lambda X, k: skdim_id.TLE().fit(X, n_neighbors=k),
    "ess": lambda X, k: skdim_id.ESS(random_state=0).fit(X, n_neighbors=k),
    "lpca": lambda X, k: skdim_id.lPCA(ver="FO").fit_pw(X, n_neighbors=k),
    "lpca-ratio": lambda X, k: skdim_id.lPCA(ver="ratio", alphaRatio=0.95).fit_pw(X, n_neighbors=k),
    "lpca-participation-ratio": lambda X, k: skdim_id.lPCA(ver="participation_ratio").fit_pw(X, n_neighbors=k),
    "lpca-maxgap": lambda X, k: skdim_id.lPCA(ver="maxgap").fit_pw(X, n_neighbors=k),
    "lpca-kaiser": lambda X, k: skdim_id.lPCA(ver="Kaiser").fit_pw(X, n_neighbors=k),
    "lpca-broken-stick": lambda X, k: skdim_id.lPCA(ver="broken_stick").fit_pw(X, n_neighbors=k),
}


@pytest.mark.parametrize("estimator", PEERS)
def test_estimators_equal_scikit_dimension(estimator):
    X = np.random.default_rng(1).normal(size=(200, 8))
    with np.errstate(invalid="ignore", divide="ignore"):  # some of them divide by zero and overwrite the result
        peer = PEERS[estimator](X, 20)
    ours = local_dimension(X, estimator=estimator, k=20)
    np.testing.assert_allclose(ours.pointwise, peer.dimension_pw_, rtol=1e-6)
    assert ours.value == pytest.approx(np.mean(peer.dimension_pw_), rel=1e-6)


def test_correlation_dimension_equals_scikit_dimension(points):
    assert global_dimension(points, estimator="correlation") == pytest.approx(
        skdim_id.CorrInt().fit(points).dimension_, rel=1e-6
    )

"""RDMs and their comparison against SciPy and rsatoolbox."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr

from brainalign.similarity import compare_rdms, rdm, rsa

rsatoolbox = pytest.importorskip("rsatoolbox")


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(40, 5))
    return latent @ rng.normal(size=(5, 60)) + rng.normal(size=(40, 60)), latent + rng.normal(size=(40, 5))


def _peer_rdm(X, method):
    return rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(X), method=method)


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "sqeuclidean", "cosine"])
def test_rdm_as_scipy(pair, distance):
    for X in pair:
        np.testing.assert_allclose(rdm(X, distance=distance), pdist(X, distance), rtol=1e-9, atol=1e-9)


def test_rdm_as_rsatoolbox(pair):
    for X in pair:
        np.testing.assert_allclose(rdm(X), _peer_rdm(X, "correlation").dissimilarities[0], atol=1e-9)
        squared = _peer_rdm(X, "euclidean").dissimilarities[0] * X.shape[1]
        np.testing.assert_allclose(rdm(X, distance="sqeuclidean"), squared, rtol=1e-9)


@pytest.mark.parametrize(
    ("compare", "method"), [("rho-a", "rho-a"), ("spearman", "spearman"), ("pearson", "corr"), ("cosine", "cosine")]
)
def test_comparison_as_rsatoolbox(pair, compare, method):
    X, Y = pair
    a, b = _peer_rdm(X, "correlation"), _peer_rdm(Y, "correlation")
    assert rsa(X, Y, compare=compare) == pytest.approx(rsatoolbox.rdm.compare(a, b, method=method).item(), abs=1e-9)


@pytest.mark.parametrize(("compare", "method"), [("rho-a", "rho-a"), ("spearman", "spearman")])
def test_ties_as_rsatoolbox(compare, method):
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 4, 45).astype(float), rng.integers(0, 9, 45).astype(float)
    peers = [rsatoolbox.rdm.RDMs(v[None]) for v in (a, b)]
    expected = rsatoolbox.rdm.compare(*peers, method=method).item()
    assert compare_rdms(a, b, compare=compare) == pytest.approx(expected, abs=1e-9)


def test_comparison_as_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 190))
    assert compare_rdms(a, b, compare="pearson") == pytest.approx(pearsonr(a, b).statistic, abs=1e-12)
    assert compare_rdms(a, b, compare="spearman") == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)

"""RDMs and their comparison against SciPy and rsatoolbox."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, pearsonr, spearmanr

from brainalign.similarity import compare_rdms, crossnobis, rdm, rsa

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
    ("compare", "method"),
    [
        ("rho-a", "rho-a"),
        ("spearman", "spearman"),
        ("pearson", "corr"),
        ("cosine", "cosine"),
        ("tau-a", "tau-a"),
        ("tau-b", "tau-b"),
        ("whitened-cosine", "cosine_cov"),
        ("whitened-pearson", "corr_cov"),
    ],
)
def test_comparison_as_rsatoolbox(pair, compare, method):
    X, Y = pair
    a, b = _peer_rdm(X, "correlation"), _peer_rdm(Y, "correlation")
    assert rsa(X, Y, compare=compare) == pytest.approx(rsatoolbox.rdm.compare(a, b, method=method).item(), abs=1e-9)


@pytest.mark.parametrize("method", ["rho-a", "spearman", "tau-a", "tau-b"])
def test_ties_as_rsatoolbox(method):
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 4, 45).astype(float), rng.integers(0, 9, 45).astype(float)
    peers = [rsatoolbox.rdm.RDMs(v[None]) for v in (a, b)]
    expected = rsatoolbox.rdm.compare(*peers, method=method).item()
    assert compare_rdms(a, b, compare=method) == pytest.approx(expected, abs=1e-9)


def test_comparison_as_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 190))
    assert compare_rdms(a, b, compare="pearson") == pytest.approx(pearsonr(a, b).statistic, abs=1e-12)
    assert compare_rdms(a, b, compare="spearman") == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert compare_rdms(a, b, compare="tau-b") == pytest.approx(kendalltau(a, b).statistic, abs=1e-12)


def test_whitening_is_by_the_inverse_covariance_of_dissimilarities():
    n = 9
    rng = np.random.default_rng(3)
    a, b = rng.random(size=(2, n * (n - 1) // 2))
    contrasts = np.array([np.eye(n)[i] - np.eye(n)[j] for i in range(n) for j in range(i + 1, n)])
    inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)

    def cosine(u, v):
        return u @ inverse @ v / np.sqrt((u @ inverse @ u) * (v @ inverse @ v))

    assert compare_rdms(a, b, compare="whitened-cosine") == pytest.approx(cosine(a, b), abs=1e-12)
    u, v = a - a.mean(), b - b.mean()
    assert compare_rdms(a, b, compare="whitened-pearson") == pytest.approx(cosine(u, v), abs=1e-12)


def test_mahalanobis_as_scipy_and_rsatoolbox(pair):
    X = pair[1]
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(50, 5)) @ rng.normal(size=(5, 5))
    cov = noise.T @ noise / 50
    found = rdm(X, distance="mahalanobis", noise_cov=cov)
    np.testing.assert_allclose(found, pdist(X, "mahalanobis", VI=np.linalg.inv(cov)), rtol=1e-9)
    peer = rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(X), method="mahalanobis", noise=np.linalg.inv(cov))
    np.testing.assert_allclose(found**2, 5 * peer.dissimilarities[0], rtol=1e-9)
    variances = np.diag(cov)
    diagonal = rdm(X, distance="mahalanobis", noise_cov=variances)
    np.testing.assert_allclose(diagonal, pdist(X / np.sqrt(variances)), rtol=1e-9)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # the peer's own
@pytest.mark.parametrize("whiten", [False, True])
def test_crossnobis_as_rsatoolbox(whiten):
    rng = np.random.default_rng(5)
    labels, folds = np.tile(np.arange(7), 4), np.repeat(np.arange(4), 7)
    X = rng.normal(size=(7, 6))[labels] + rng.normal(size=(28, 6))
    noise = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6))
    cov = noise.T @ noise / 50 if whiten else None
    data = rsatoolbox.data.Dataset(X, obs_descriptors={"stimulus": labels, "run": folds})
    peer = rsatoolbox.rdm.calc_rdm(
        data,
        method="crossnobis",
        descriptor="stimulus",
        cv_descriptor="run",
        noise=None if cov is None else np.linalg.inv(cov),
    )
    np.testing.assert_allclose(crossnobis(X, labels, folds, noise_cov=cov), 6 * peer.dissimilarities[0], atol=1e-9)

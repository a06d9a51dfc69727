"""Measures against slow and obvious computations, scikit-learn, SciPy and POT."""

import itertools

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from brainalign.similarity import (
    cca,
    cka,
    cknna,
    gromov_wasserstein,
    gromov_wasserstein_bound,
    information_imbalance,
    neighbourhood_jaccard,
    procrustes,
    soft_matching,
)

ot = pytest.importorskip("ot")


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    return X, X @ rng.normal(size=(6, 4)) + rng.normal(size=(60, 4)) + 2


@pytest.mark.parametrize("k", [1, 5, 59])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_jaccard_as_sets_from_scikit_learn(pair, k, metric):
    near = [NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(Z).kneighbors()[1] for Z in pair]
    expected = np.mean([len({*a} & {*b}) / len({*a} | {*b}) for a, b in zip(*near, strict=True)])
    assert neighbourhood_jaccard(*pair, k=k, metric=metric) == pytest.approx(expected, abs=1e-14)


def _published_cknna(X, Y, k):
    """As in the published code of Huh et al. 2024, on rows of unit norm, without its additive constant."""
    K, L = (Z @ Z.T for Z in (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (X, Y)))
    n = len(K)

    def mask(G):
        G = G.copy()
        np.fill_diagonal(G, -np.inf)
        out = np.zeros((n, n))
        for i in range(n):
            out[i, np.argsort(-G[i])[:k]] = 1
        return out

    def hsic(A, B):
        total = np.sum(A * B.T) + A.sum() * B.sum() / ((n - 1) * (n - 2)) - 2 * (A @ B).sum() / (n - 2)
        return total / (n * (n - 3))

    def aligned(A, B):
        both = mask(A) * mask(B)
        return hsic(both * A, both * B)

    return aligned(K, L) / np.sqrt(aligned(K, K) * aligned(L, L))


@pytest.mark.parametrize("k", [2, 10, 40])
def test_cknna_as_published(pair, k):
    assert cknna(*pair, k=k) == pytest.approx(_published_cknna(*pair, k), abs=1e-12)


def test_cknna_of_all_neighbours_is_debiased_cka_of_unit_rows(pair):
    unit = [Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in pair]
    # the debiased form is the same for kernels before and after centring
    assert cknna(*pair, k=59) == pytest.approx(cka(*unit), abs=1e-10)


@pytest.mark.parametrize("k", [1, 3])
def test_information_imbalance_by_ranks(pair, k):
    ranks = [np.argsort(np.argsort(cdist(Z, Z), axis=1), axis=1) for Z in pair]
    conditional = [[ranks[1][i, j] for j in range(60) if 1 <= ranks[0][i, j] <= k] for i in range(60)]
    assert information_imbalance(*pair, k=k) == pytest.approx(np.mean(conditional) * 2 / 60, abs=1e-12)


def test_information_imbalance_tells_what_holds_more():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 2))
    assert information_imbalance(X, X[:, :1]) < 0.1
    assert information_imbalance(X[:, :1], X) > 0.3


def test_procrustes_as_scipy(pair):
    X, Y = (Z - Z.mean(axis=0) for Z in pair)
    X, Y = X / np.linalg.norm(X), np.pad(Y, ((0, 0), (0, 2))) / np.linalg.norm(Y)
    rotation, scale = orthogonal_procrustes(X, Y)
    assert procrustes(*pair) == pytest.approx(scale, abs=1e-12)
    residual = np.linalg.norm(X @ rotation - Y)
    assert procrustes(*pair, form="angular") == pytest.approx(np.arccos(1 - residual**2 / 2), abs=1e-12)


def test_angles_obey_the_triangle_inequality_and_are_exact_near_zero():
    rng = np.random.default_rng(2)
    for _ in range(20):
        X, Y, Z = (rng.normal(size=(8, p)) for p in (3, 5, 12))
        xy, yz, xz = (procrustes(*s, form="angular") for s in ((X, Y), (Y, Z), (X, Z)))
        assert xz <= xy + yz + 1e-12
    X = rng.normal(size=(30, 4))
    X -= X.mean(axis=0)
    step = rng.normal(size=X.shape)
    step -= step.mean(axis=0)
    tiny = 1e-9 * step / np.linalg.norm(step) * np.linalg.norm(X)
    assert 1e-10 < procrustes(X, X + tiny, form="angular") < 1e-9


def test_mean_cca_as_scikit_learn_and_principal_angles(pair):
    X, Y = pair
    a, b = CCA(n_components=4, scale=False, max_iter=5000, tol=1e-12).fit_transform(X, Y)
    by_sklearn = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(4)]
    assert cca(X, Y, variant="mean") == pytest.approx(np.mean(by_sklearn), abs=1e-6)
    angles = subspace_angles(X - X.mean(axis=0), Y - Y.mean(axis=0))
    assert cca(X, Y, variant="mean") == pytest.approx(np.cos(angles).mean(), abs=1e-12)


@pytest.mark.parametrize("variance", [0.6, 0.9, 0.99])
def test_svcca_is_cca_of_principal_components(pair, variance):
    kept = [PCA(n_components=variance, svd_solver="full").fit_transform(Z) for Z in pair]
    assert cca(*pair, variance=variance) == pytest.approx(cca(*kept, variant="mean"), abs=1e-10)


def test_pwcca_weighs_directions_by_what_they_account_for(pair):
    X, Y = (Z - Z.mean(axis=0) for Z in pair)
    (Qx, _), (Qy, _) = np.linalg.qr(X), np.linalg.qr(Y)
    U, correlation, _ = np.linalg.svd(Qx.T @ Qy, full_matrices=False)
    directions = Qx @ U
    weight = [sum(abs(directions[:, i] @ X[:, j]) for j in range(6)) for i in range(4)]
    expected = np.average(correlation, weights=weight)
    assert cca(*pair, variant="pwcca") == pytest.approx(expected, abs=1e-12)


def test_soft_matching_of_as_many_units_is_the_best_pairing():
    rng = np.random.default_rng(3)
    X, Y = rng.normal(size=(2, 40, 7))
    correlation = np.corrcoef(X.T, Y.T)[:7, 7:]
    rows, columns = linear_sum_assignment(-correlation)
    assert soft_matching(X, Y) == pytest.approx(correlation[rows, columns].mean(), abs=1e-12)


def test_soft_matching_is_a_linear_programme(pair):
    X, Y = pair
    correlation = np.corrcoef(X.T, Y.T)[:6, 6:]
    each_x = np.kron(np.eye(6), np.ones(4))
    each_y = np.kron(np.ones(6), np.eye(4))
    solved = linprog(-correlation.ravel(), A_eq=np.vstack([each_x, each_y]), b_eq=[1 / 6] * 6 + [1 / 4] * 4)
    assert soft_matching(X, Y) == pytest.approx(-solved.fun, abs=1e-10)


def _tables(X, Y):
    return [squareform(d / d.mean()) for d in (pdist(X), pdist(Y))]


def test_gromov_wasserstein_as_pot_and_all_pairings():
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(6, 2)), rng.normal(size=(6, 3))
    C, D = _tables(X, Y)
    by_pot = ot.gromov.gromov_wasserstein2(C, D, np.full(6, 1 / 6), np.full(6, 1 / 6), "square_loss")
    assert gromov_wasserstein(X, Y, n_starts=1) == pytest.approx(by_pot, abs=1e-9)
    pairings = [((C - D[np.ix_(p, p)]) ** 2).mean() for p in map(list, itertools.permutations(range(6)))]
    assert gromov_wasserstein(X, Y, n_starts=40) <= min(pairings) + 1e-12
    assert gromov_wasserstein(X, Y) <= by_pot + 1e-12


def test_gromov_wasserstein_is_never_below_its_bounds():
    rng = np.random.default_rng(5)
    for _ in range(20):
        X, Y = rng.normal(size=(12, 2)), rng.normal(size=(12, 4)) ** 3
        C, D = _tables(X, Y)
        second = np.mean((np.sort(C.ravel()) - np.sort(D.ravel())) ** 2)
        first = np.mean((np.sort((C**2).mean(axis=1) ** 0.5) - np.sort((D**2).mean(axis=1) ** 0.5)) ** 2)
        third = gromov_wasserstein_bound(X, Y)
        assert first <= third + 1e-12
        assert second <= third + 1e-12
        assert third <= gromov_wasserstein(X, Y) + 1e-12


def test_gromov_wasserstein_does_not_know_which_stimulus_is_which(pair):
    X, Y = pair
    order = np.random.default_rng(6).permutation(60)
    assert gromov_wasserstein(X, X[order] * 3 + 1) < 1e-8
    assert gromov_wasserstein(X, Y[order]) == pytest.approx(gromov_wasserstein(X, Y), rel=0.02)

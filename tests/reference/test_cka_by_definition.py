"""Debiased CKA against the U-statistic of HSIC by its definition (Song et al. 2012): sums over distinct stimuli."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from brainalign.similarity import cka


def _hsic_over_tuples(K, L):
    n = len(K)
    pairs = list(itertools.permutations(range(n), 2))
    triples = list(itertools.permutations(range(n), 3))
    quadruples = list(itertools.permutations(range(n), 4))
    return (
        np.mean([K[i, j] * L[i, j] for i, j in pairs])
        + np.mean([K[i, j] * L[q, r] for i, j, q, r in quadruples])
        - 2 * np.mean([K[i, j] * L[i, q] for i, j, q in triples])
    )


@pytest.mark.parametrize(("n", "p", "q"), [(4, 3, 5), (7, 2, 30), (8, 20, 20)])
def test_debiased(n, p, q):
    rng = np.random.default_rng(n)
    X, Y = rng.normal(size=(n, p)) + 1, rng.normal(size=(n, q)) * 3
    K, L = X @ X.T, Y @ Y.T
    expected = _hsic_over_tuples(K, L) / np.sqrt(_hsic_over_tuples(K, K) * _hsic_over_tuples(L, L))
    assert cka(X, Y) == pytest.approx(expected, abs=1e-10)


def test_biased():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(15, 6)) + 1, rng.normal(size=(15, 9)) * 3
    A, B = X - X.mean(axis=0), Y - Y.mean(axis=0)
    expected = np.linalg.norm(B.T @ A) ** 2 / (np.linalg.norm(A.T @ A) * np.linalg.norm(B.T @ B))
    assert cka(X, Y, estimator="biased") == pytest.approx(expected, abs=1e-12)


def _rbf(X, bandwidth):
    squared = pdist(X, "sqeuclidean")
    middle = np.sort(squared)[(len(squared) - 1) // 2]
    return np.exp(-squareform(squared) / (2 * bandwidth**2 * middle))


@pytest.mark.parametrize("bandwidth", [0.4, 1.0, 2.5])
def test_rbf(bandwidth):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(8, 6))
    Y = X[:, :3] ** 2 + rng.normal(size=(8, 3))
    K, L = _rbf(X, bandwidth), _rbf(Y, bandwidth)
    expected = _hsic_over_tuples(K, L) / np.sqrt(_hsic_over_tuples(K, K) * _hsic_over_tuples(L, L))
    assert cka(X, Y, kernel="rbf", bandwidth=bandwidth) == pytest.approx(expected, abs=1e-10)
    H = np.eye(8) - 1 / 8
    expected = np.sum((H @ K @ H) * L) / np.sqrt(np.sum((H @ K @ H) * K) * np.sum((H @ L @ H) * L))
    found = cka(X, Y, kernel="rbf", estimator="biased", bandwidth=bandwidth)
    assert found == pytest.approx(expected, abs=1e-10)

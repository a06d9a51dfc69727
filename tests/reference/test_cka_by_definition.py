"""Debiased CKA against the U-statistic of HSIC by its definition (Song et al. 2012): sums over distinct stimuli."""

import itertools

import numpy as np
import pytest

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

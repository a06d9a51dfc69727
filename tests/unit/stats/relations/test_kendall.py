"""Kendall's tau against SciPy, its null by listing all orders, its interval by drawing units."""

import itertools

import numpy as np
import pytest
from scipy.stats import kendalltau

from brainalign.errors import UndefinedError
from brainalign.stats.bootstrap import draw_counts
from brainalign.stats.relations import relation_of
from brainalign.stats.relations.kendall import kendall_tau, tau_null, tau_samples


def tied(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(n) % max(2, n // 3)).astype(float)


@pytest.mark.parametrize("n", [4, 9, 40])
@pytest.mark.parametrize("make", [tied, lambda n, rng: rng.normal(size=n)], ids=["ties", "no ties"])
def test_tau_is_that_of_scipy(n, make):
    rng = np.random.default_rng(n)
    x, y = make(n, rng), make(n, rng)
    assert kendall_tau(x, y) == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
    many = np.stack([rng.permutation(y) for _ in range(7)])
    np.testing.assert_allclose(tau_null(x, many), [kendalltau(x, row).statistic for row in many], atol=1e-12)


def test_the_null_of_many_units_with_rounding_of_family_means():
    """More signs than fit a byte, rows that differ by rounding alone, and rows without order."""
    rng = np.random.default_rng(3)
    x, y = tied(300, rng), np.repeat(rng.normal(size=100), 3)
    many = np.stack([rng.permutation(y) for _ in range(3)])
    expected = [kendalltau(x, row).statistic for row in many]
    wobbly = many * (1 + 1e-15 * rng.normal(size=many.shape))
    np.testing.assert_allclose(tau_null(x, wobbly), expected, atol=1e-12)
    ordered = np.arange(300.0)
    assert tau_null(ordered, np.stack([ordered, -ordered, np.ones(300)])).tolist() == pytest.approx([1, -1, 0])


def test_bootstrap_samples_are_those_of_repeated_units():
    rng = np.random.default_rng(0)
    x, y = tied(12, rng), tied(12, rng)
    counts = draw_counts(12, 20, groups=None, seed=0)
    expected = [kendalltau(np.repeat(x, c.astype(int)), np.repeat(y, c.astype(int))).statistic for c in counts]
    np.testing.assert_allclose(tau_samples(x, y, counts), expected, atol=1e-12)


def test_p_of_few_units_is_exact():
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 3, 2, 5, 4])
    found = relation_of(x, y)
    all_tau = [kendalltau(x, order).statistic for order in itertools.permutations(y)]
    assert found.tau_p == pytest.approx(np.mean(np.abs(all_tau) >= abs(found.tau) - 1e-12))
    assert found.tau_interval.low <= found.tau <= found.tau_interval.high


def test_families_are_exchanged_as_wholes():
    """A relation between two families of ten is no evidence of twenty units."""
    groups = ["a"] * 10 + ["b"] * 10
    rng = np.random.default_rng(0)
    x, y = (np.concatenate([rng.normal(size=10), rng.normal(size=10) + 50]) for _ in range(2))
    assert relation_of(x, y, n_permutations=2000).tau_p < 0.02
    assert relation_of(x, y, groups=groups, n_permutations=2000).tau_p > 0.05


def test_a_constant_has_no_order():
    with pytest.raises(UndefinedError):
        kendall_tau(np.ones(5), np.arange(5.0))

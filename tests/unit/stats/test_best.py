"""The best of several scores against the best of the same permutations."""

import numpy as np
import pytest

from brainalign.errors import UndefinedError
from brainalign.stats.best import best_of


def test_the_best_is_placed_among_the_best_of_the_same_permutations() -> None:
    rng = np.random.default_rng(0)
    null = rng.standard_normal((4, 99))
    scores = np.array([0.1, 2.0, -0.3, 1.0])
    result = best_of(list("abcd"), scores, null, standardize=False)
    assert (result.best, result.score) == ("b", 2.0)
    largest = null.max(axis=0)
    assert result.null_mean == pytest.approx(largest.mean())
    assert result.p == result.p_each[1] == pytest.approx((1 + (largest >= 2.0).sum()) / 100)
    assert result.p_each[3] == pytest.approx((1 + (largest >= 1.0).sum()) / 100)
    assert result.scores.tolist() == scores.tolist()


def test_metrics_of_other_scales_are_compared_by_their_own_nulls() -> None:
    rng = np.random.default_rng(1)
    null = rng.standard_normal((2, 199)) * [[1.0], [100.0]] + [[0.0], [500.0]]
    assert best_of(["small", "large"], [4.0, 550.0], null, standardize=True).best == "small"
    assert best_of(["small", "large"], [4.0, 550.0], null, standardize=False).best == "large"
    with pytest.raises(UndefinedError, match="null of 'large' has no spread"):
        best_of(["small", "large"], [4.0, 1.0], np.stack([null[0], np.ones(199)]), standardize=True)


@pytest.mark.parametrize("standardize", [True, False])
def test_the_best_of_many_keeps_the_nominal_rate(standardize: bool) -> None:
    rng = np.random.default_rng(2)
    p = [
        best_of(range(10), values[:, 0], values[:, 1:], standardize=standardize).p
        for values in rng.standard_normal((2000, 10, 40))
    ]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.015)  # 3 standard errors


@pytest.mark.parametrize("standardize", [True, False])
def test_lower_is_the_mirror_image(standardize: bool) -> None:
    rng = np.random.default_rng(3)
    scores, null = rng.standard_normal(5), rng.standard_normal((5, 60))
    upper = best_of(range(5), scores, null, standardize=standardize)
    lower = best_of(range(5), -scores, -null, standardize=standardize, lower=True)
    assert (lower.best, lower.p) == (upper.best, upper.p)
    assert (lower.score, lower.null_mean, lower.z) == pytest.approx((-upper.score, -upper.null_mean, -upper.z))
    np.testing.assert_array_equal(lower.p_each, upper.p_each)


def test_a_null_that_rounding_spreads_is_no_null() -> None:
    null = np.stack([np.random.default_rng(0).standard_normal(50), 1 + 1e-16 * np.arange(50)])
    with pytest.raises(UndefinedError, match="null of 'flat' has no spread"):
        best_of(["real", "flat"], [1.0, 1.0], null, standardize=True)

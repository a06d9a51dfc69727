"""The whole range of scales: correlations one by one, and the search paid for by the largest of all."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from brainalign.errors import ShapeError, UndefinedError
from brainalign.stats.relations import relation_curve, relation_of


def test_each_scale_is_the_plain_correlation() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(24)
    values = np.column_stack([y * w + rng.standard_normal(24) for w in (0, 0.5, 2.0)])
    values = np.column_stack([values, np.full(24, 3.0), np.where(np.arange(24) == 5, np.nan, y)])
    curve = relation_curve(values, y, (8, 16, 32, 64, 128), n_permutations=999)
    expected = [scipy_stats.pearsonr(values[:, i], y).statistic for i in range(3)]
    np.testing.assert_allclose(curve.r[:3], expected, atol=1e-12)
    assert np.isnan(curve.r[3:]).all() and np.isnan(curve.p_each[3:]).all()
    assert curve.best_scale == 32 and curve.best_r == pytest.approx(expected[2])
    assert curve.p == np.nanmin(curve.p_each) == pytest.approx(1 / 1000)
    assert (curve.null_low[:3] < 0).all() and (curve.null_high[:3] > 0).all()
    assert curve.null_max > curve.null_high[:3].max()


def test_one_scale_alone_is_the_relation() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(6), 4)
    x, y, z = rng.standard_normal((3, 24))
    alone = relation_curve(x[:, None], y, (50,), groups=groups, covariates=z, n_permutations=500, seed=3)
    found = relation_of(x, y, groups=groups, covariates=z, n_permutations=500, seed=3)
    assert alone.best_r == pytest.approx(found.partial, abs=1e-12)
    assert alone.p == found.partial_p


def test_the_search_is_paid_for() -> None:
    """Of many unrelated scales the best looks significant on its own far more often than the curve says."""
    rng, alone, paid = np.random.default_rng(2), [], []
    for i in range(80):
        y, values = rng.standard_normal(16), rng.standard_normal((16, 10))
        curve = relation_curve(values, y, np.arange(10), n_permutations=199, seed=i)
        best = int(np.argmax(np.abs(curve.r)))
        alone.append(scipy_stats.pearsonr(values[:, best], y).pvalue <= 0.05)
        paid.append(curve.p <= 0.05)
    assert np.mean(alone) > 0.25
    assert np.mean(paid) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 80)


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="2 scales"):
        relation_curve(np.ones((5, 3)), np.arange(5.0), (1, 2))
    with pytest.raises(UndefinedError, match="at no scale"):
        relation_curve(np.ones((5, 2)), np.arange(5.0), (1, 2))

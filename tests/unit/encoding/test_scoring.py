"""Scores of columns against NumPy and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from brainalign.encoding.scoring import column_scores, scores_from_sums


def both_ways(p, y):
    """Scores by the one-pass form and from sums."""
    p, y = torch.as_tensor(p), torch.as_tensor(y)
    shift = p.mean(dim=0)
    scale = (y - y.mean(dim=0)).square().sum(dim=0) + 1
    yield column_scores(p - shift, shift.double(), y, scale.double())
    c, y = (p - shift).double(), y.double()
    yield scores_from_sums(len(p), c.sum(0), (c * c).sum(0), y.sum(0), (y * y).sum(0), (c * y).sum(0), shift.double())


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_r_and_r2_are_those_of_numpy_and_scikit_learn(dtype, tolerance):
    rng = np.random.default_rng(0)
    y = rng.standard_normal((30, 4)).astype(dtype)
    p = (0.5 * y + rng.standard_normal((30, 4)) + [0, 1, -2, 3]).astype(dtype)
    for r, r2 in both_ways(p, y):
        expected = [np.corrcoef(p[:, v], y[:, v])[0, 1] for v in range(4)]
        np.testing.assert_allclose(r, expected, rtol=tolerance)
        np.testing.assert_allclose(r2, r2_score(y, p, multioutput="raw_values"), rtol=tolerance)


def test_negative_scores_stay_negative():
    y = np.linspace(0, 1, 20)[:, None]
    for r, r2 in both_ways(-y, y):
        assert float(r) == pytest.approx(-1)
        assert float(r2) < -1


def test_no_value_where_responses_do_not_vary_and_r_of_zero_where_predictions_do_not():
    rng = np.random.default_rng(0)
    y = np.stack([np.full(20, 0.1), rng.standard_normal(20)], axis=1)
    p = np.stack([rng.standard_normal(20), np.full(20, 3.3)], axis=1)
    for r, r2 in both_ways(p, y):
        assert r[0].isnan()
        assert r[1] == 0
        assert r2[0].isnan()
        assert float(r2[1]) == pytest.approx(r2_score(y[:, 1], p[:, 1]))

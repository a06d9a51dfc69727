"""Closed forms of the null against sampled permutations; directions; arguments."""

import numpy as np
import pytest

from brainalign.errors import UndefinedError
from brainalign.metrics import METRICS, calibrate
from brainalign.stats.permutation import calibrated_by_moments

CLOSED = ["cka.linear.debiased", "cka.rbf.biased", "rsa.correlation.rho-a", "rsa.euclidean.whitened-cosine"]


def _pair(seed, n=40, weight=0.35):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [4, 1, 1, 1]
    return X, weight * X + rng.normal(size=X.shape) * [4, 1, 1, 1]


@pytest.mark.parametrize("name", CLOSED)
def test_the_closed_p_is_that_of_many_permutations(name):
    for seed in range(4):
        X, Y = _pair(seed, weight=0.25)
        closed = calibrate(name, X, Y)
        sampled = calibrate(name, X, Y, n_permutations=4000)
        assert (closed.n_permutations, sampled.n_permutations) == (0, 4000)
        assert (closed.z, closed.null_mean, closed.null_sd) == (sampled.z, sampled.null_mean, sampled.null_sd)
        error = np.sqrt(sampled.p * (1 - sampled.p) / 4000)
        assert closed.p == pytest.approx(sampled.p, abs=4 * error + 0.15 * sampled.p)


def test_false_positives_are_nominal():
    hits = {name: [calibrate(name, *_pair(seed, 20, weight=0)).p < 0.05 for seed in range(300)] for name in CLOSED[:2]}
    for name, found in hits.items():
        assert 0.02 <= np.mean(found) <= 0.09, name


@pytest.mark.study
@pytest.mark.parametrize("n", [12, 40])
@pytest.mark.parametrize("name", CLOSED)
def test_false_positives_of_closed_forms_in_two_thousand_simulations(name, n, record_property):
    p = np.array([calibrate(name, *_pair(seed, n, weight=0)).p for seed in range(2000)])
    record_property("rejected at 5 %", float(np.mean(p < 0.05)))
    record_property("rejected at 1 %", float(np.mean(p < 0.01)))
    assert 0.04 <= np.mean(p < 0.05) <= (0.06 if n >= 40 else 0.07)
    assert 0.005 <= np.mean(p < 0.01) <= 0.02


def test_p_is_never_zero():
    X, _ = _pair(0, n=12)
    assert calibrate("cka.linear.debiased", X, X).p > 1e-10
    assert calibrated_by_moments(-9.0, (0.0, 1.0), 3.0, 8, lower=True).p == pytest.approx(1 / 40320)
    X, _ = _pair(0, n=300)
    assert calibrate("cka.linear.debiased", X, X).p > 0


def test_a_null_of_rounding_alone_is_no_null():
    with pytest.raises(UndefinedError, match="no spread"):
        calibrated_by_moments(1.0, (1.0, 1e-16), 0.0, 10)


def test_groups_take_sampled_permutations():
    X, Y = _pair(1)
    placed = calibrate("cka.linear.debiased", X, Y, groups=np.arange(40) // 10)
    assert placed.n_permutations == 1000
    assert placed.moments == "sampled"


def test_measures_that_are_evaluated_anew_take_fewer():
    X, Y = _pair(2, n=15)
    assert calibrate("rsa.correlation.tau-a", X, Y).n_permutations == 200
    assert calibrate("mutual-knn.k5", X, Y).n_permutations == 1000
    assert METRICS["rsa.correlation.tau-a"].form.recomputed

import itertools

import numpy as np
import pytest

from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.similarity import crossnobis, rdm


def test_stimuli_that_evoke_the_same_response_are_zero_apart_on_average():
    rng = np.random.default_rng(0)
    labels, folds = np.tile(np.arange(10), 4), np.repeat(np.arange(4), 10)
    noise = rng.normal(size=(40, 200))
    assert abs(crossnobis(noise, labels, folds).mean()) < 3 * 200**0.5
    assert rdm(noise, distance="sqeuclidean").mean() > 380  # twice the noise variance of every unit


def test_unbalanced_folds_average_over_the_folds_that_hold_both():
    rng = np.random.default_rng(1)
    labels = np.array(list("abcabcababa"))
    folds = np.array([0] * 3 + [1] * 3 + [2] * 2 + [3] * 3)
    X = rng.normal(size=(11, 5))
    by_fold = {(s, f): X[(labels == s) & (folds == f)].mean(axis=0) for s, f in set(zip(labels, folds, strict=True))}
    expected = []
    for s, t in itertools.combinations("abc", 2):
        difference = [by_fold[s, f] - by_fold[t, f] for f in range(4) if (s, f) in by_fold and (t, f) in by_fold]
        expected.append(np.mean([u @ v for u, v in itertools.combinations(difference, 2)]))
    np.testing.assert_allclose(crossnobis(X, labels, folds), expected, atol=1e-12)


def test_what_cannot_be_computed_is_named():
    X = np.random.default_rng(2).normal(size=(6, 4))
    with pytest.raises(UndefinedError, match="fewer than two folds"):
        crossnobis(X, list("abcabc"), [0, 0, 0, 1, 1, 2])
    with pytest.raises(ShapeError, match="5 values for 6"):
        crossnobis(X, list("abcab"), [0, 0, 0, 1, 1, 1])
    with pytest.raises(ShapeError, match="one stimulus"):
        crossnobis(X, ["a"] * 6, [0, 0, 0, 1, 1, 1])
    with pytest.raises(UndefinedError, match="positive definite"):
        crossnobis(X, list("abcabc"), [0, 0, 0, 1, 1, 1], noise_cov=np.ones((4, 4)))


def test_mahalanobis_distance_needs_a_covariance_that_fits():
    X = np.random.default_rng(3).normal(size=(6, 4))
    with pytest.raises(InputError, match="needs noise_cov"):
        rdm(X, distance="mahalanobis")
    with pytest.raises(InputError, match="goes with"):
        rdm(X, noise_cov=np.eye(4))
    with pytest.raises(ShapeError, match="4 units"):
        rdm(X, distance="mahalanobis", noise_cov=np.eye(3))
    with pytest.raises(UndefinedError, match="not positive"):
        rdm(X, distance="mahalanobis", noise_cov=[1.0, 1.0, 0.0, 1.0])
    with pytest.raises(UndefinedError, match="symmetric"):
        rdm(X, distance="mahalanobis", noise_cov=np.eye(4) + np.triu(np.ones((4, 4)), 1) / 9)

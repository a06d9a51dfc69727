"""Jaccard, CKNNA and information imbalance: chance, null moments, refusals, scale."""

import itertools

import numpy as np
import pytest

from brainalign.errors import InputError, PairingError, ShapeError, UndefinedError
from brainalign.kernels.pair_sums import directed_permutation_moments
from brainalign.metrics import calibrate
from brainalign.similarity import JaccardForm, cknna, information_imbalance, jaccard_chance, neighbourhood_jaccard


def test_chance_of_jaccard_is_the_mean_over_all_permutations():
    rng = np.random.default_rng(0)
    form = JaccardForm(k=3)
    a, b = (form.prepare(rng.normal(size=(7, 4))) for _ in range(2))
    null = form.permuted([a], b, np.array(list(itertools.permutations(range(7)))))[0]
    assert null.mean() == pytest.approx(jaccard_chance(7, 3), abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_directed_moments_are_those_of_all_permutations(n):
    rng = np.random.default_rng(1)
    A, B = rng.normal(size=(2, n, n)) + 1
    off = ~np.eye(n, dtype=bool)
    values = [(A * B[np.ix_(p, p)])[off].sum() for p in map(list, itertools.permutations(range(n)))]
    assert directed_permutation_moments(A, B) == pytest.approx((np.mean(values), np.std(values)), abs=1e-10)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e12])
def test_no_absolute_constant_hides_in_cknna(scale):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 6))
    Y = X + rng.normal(size=X.shape)
    assert cknna(X * scale, Y / scale) == pytest.approx(cknna(X, Y), abs=1e-12)


def test_information_imbalance_is_calibrated_downwards():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 4))
    for name in ("information-imbalance.x-to-y", "information-imbalance.y-to-x"):
        placed = calibrate(name, X, X + 0.3 * rng.normal(size=X.shape), n_permutations=199)
        assert placed.null_mean == pytest.approx(1.0)
        assert placed.z < -3
        assert placed.p == 1 / 200


def test_what_cannot_be_computed_is_named():
    X = np.random.default_rng(4).normal(size=(12, 3))
    for measure in (neighbourhood_jaccard, cknna, information_imbalance):
        with pytest.raises(ShapeError, match="k=12"):
            measure(X, X, k=12)
        with pytest.raises(PairingError):
            measure(X, X[:6], k=3)
    with pytest.raises(InputError, match="at least 2"):
        cknna(X, X, k=1)
    zero = X.copy()
    zero[4] = 0
    with pytest.raises(UndefinedError, match="row 4"):
        cknna(zero, X, k=3)

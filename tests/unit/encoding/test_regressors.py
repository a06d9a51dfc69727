"""Any scikit-learn regressor, with our folds and scores."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from brainalign.encoding import BandedRidgeCV, RidgeCV, encode, encode_with
from brainalign.errors import InputError, UndefinedError
from brainalign.stats import Ceiling


def problem(n=70, p=12, v=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.geomspace(1, 9, p) + 4
    return X, X @ rng.standard_normal((p, v)) + 9 * rng.standard_normal((n, v))


def test_ridge_gives_what_encode_gives():
    X, Y = problem()
    ours, direct = encode_with(RidgeCV(), X, Y, predictions=True), encode(X, Y, predictions=True)
    for name in ("r", "r2", "alpha", "inner_r2", "predictions"):
        np.testing.assert_allclose(getattr(ours, name), getattr(direct, name), rtol=1e-8)


def test_a_target_that_does_not_vary_in_training_has_no_r_and_one_that_nothing_predicts_has_zero():
    X, Y = problem()
    halves = [(np.arange(35), np.arange(35, 70))]
    Y[:35, 0] = 2.0
    ours, direct = encode_with(RidgeCV(), X, Y, folds=halves), encode(X, Y, folds=halves)
    assert np.isnan(ours.r[0])
    np.testing.assert_allclose(ours.r, direct.r, rtol=1e-8)
    constant = encode_with(DummyRegressor(), X, Y, folds=halves).r
    assert np.isnan(constant[0])
    np.testing.assert_array_equal(constant[1:], 0)


def test_partial_least_squares_is_fitted_in_the_fold():
    X, Y = problem()
    result = encode_with(PLSRegression(5, scale=False), X, Y, predictions=True)
    assert np.isnan(result.alpha).all()
    for fold, (train, test) in enumerate(result.folds):
        scaler = StandardScaler().fit(X[train])
        model = PLSRegression(5, scale=False).fit(scaler.transform(X[train]), Y[train])
        predicted = model.predict(scaler.transform(X[test]))
        np.testing.assert_allclose(result.predictions[test], predicted, rtol=1e-8)
        np.testing.assert_allclose(result.fold_r2[fold], r2_score(Y[test], predicted, multioutput="raw_values"))


def test_one_target_and_a_ceiling():
    X, Y = problem()
    result = encode_with(
        BandedRidgeCV(spaces=[0] * 6 + [1] * 6, n_samples=4),
        X,
        Y[:, :1],
        ceiling=Ceiling("variance", np.array([0.5]), 2, "ncsnr"),
    )
    assert result.normalised == pytest.approx(result.r[0] / 0.5**0.5)
    assert result.normalised_r2 == pytest.approx(result.r2[0] / 0.5)
    assert result.alpha.shape == (5, 1)


def test_unusable_arguments_are_refused():
    X, Y = problem()
    with pytest.raises(InputError, match="not a scikit-learn regressor"):
        encode_with("pls", X, Y)
    with pytest.raises(UndefinedError, match="fold 0"):
        encode_with(LinearRegression(), np.ones_like(X), Y)

    class Wrong(LinearRegression):
        def predict(self, X):
            return super().predict(X)[:, :2]

    with pytest.raises(InputError, match=r"Wrong predicts shape \(14, 2\); expected \(14, 4\)"):
        encode_with(Wrong(), X, Y)

"""The estimator: habits of scikit-learn, an alpha for each target."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainalign.encoding import RidgeCV
from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError


def problem(n=50, p=9, v=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 3
    noise = np.geomspace(0.5, 20, v)
    return X, X @ rng.standard_normal((p, v)) + noise * rng.standard_normal((n, v)) + 5


@pytest.mark.parametrize("p", [9, 120])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_each_target_is_a_ridge_of_its_own_alpha(selection, fit_intercept, p):
    X, Y = problem(p=p)
    model = RidgeCV(alphas=np.logspace(-2, 8, 21), selection=selection, fit_intercept=fit_intercept).fit(X, Y)
    assert model.alpha_.shape == (4,)
    for v in range(4):
        one = Ridge(alpha=model.alpha_[v], fit_intercept=fit_intercept, solver="svd").fit(X, Y[:, v])
        np.testing.assert_allclose(model.coef_[v], one.coef_, atol=1e-8)
        np.testing.assert_allclose(model.predict(X)[:, v], one.predict(X), atol=1e-8)


def test_one_target_gives_numbers_without_a_target_axis():
    X, Y = problem()
    model, many = RidgeCV().fit(X, Y[:, 0]), RidgeCV().fit(X, Y)
    assert model.coef_.shape == (9,)
    assert model.predict(X).shape == (50,)
    assert model.alpha_ == many.alpha_[0]
    np.testing.assert_allclose(model.predict(X), many.predict(X)[:, 0])


def test_it_goes_through_pipelines_clones_and_cross_validation():
    X, Y = problem()
    pipeline = make_pipeline(StandardScaler(), RidgeCV(selection="loo"))
    assert cross_val_score(pipeline, X, Y[:, 0], cv=3).mean() > 0.7
    assert clone(pipeline[-1]).get_params()["selection"] == "loo"


def test_targets_are_solved_in_blocks_as_at_once(monkeypatch):
    X, Y = problem(v=70)
    whole = RidgeCV().fit(X, Y)
    monkeypatch.setattr("brainalign.encoding.ridge.BLOCK_BYTES", 1)
    parts = RidgeCV().fit(X, Y)
    np.testing.assert_array_equal(parts.alpha_, whole.alpha_)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-10)


def test_a_constant_target_is_predicted_by_itself():
    X, Y = problem()
    Y[:, 1] = 0.3
    model = RidgeCV().fit(X, Y)
    np.testing.assert_allclose(model.predict(X)[:, 1], 0.3, rtol=1e-12)
    assert np.isnan(model.inner_r2_[1])
    assert np.isfinite(np.delete(model.inner_r2_, 1)).all()


def test_groups_stay_whole_in_kfold():
    rng = np.random.default_rng(0)
    stimulus = np.repeat(np.arange(40), 3)
    X = rng.standard_normal((40, 200))[stimulus]
    y = rng.standard_normal((40, 30))[stimulus] + 0.3 * rng.standard_normal((120, 30))
    leaking = RidgeCV(selection="kfold").fit(X, y)
    grouped = RidgeCV(selection="kfold").fit(X, y, groups=stimulus)
    assert np.median(leaking.inner_r2_) > 0.4
    assert np.median(grouped.inner_r2_) < 0.1


def test_a_grid_that_ends_too_soon_warns():
    X, Y = problem()
    with pytest.warns(UserWarning, match="widen it with alphas="):
        model = RidgeCV(alphas=[1e4, 1e5]).fit(X, Y[:, :2])
    assert model.edge_share_ == 1.0


def test_unusable_arguments_are_refused():
    X, Y = problem()
    with pytest.raises(InputError, match="positive finite"):
        RidgeCV(alphas=[-1]).fit(X, Y)
    with pytest.raises(ChoiceError, match="selection='aic'"):
        RidgeCV(selection="aic").fit(X, Y)
    with pytest.raises(ShapeError, match="at least three rows"):
        RidgeCV().fit(X[:2], Y[:2])
    with pytest.raises(UndefinedError, match="none of the 9 features"):
        RidgeCV().fit(np.ones_like(X), Y)
    with pytest.raises(InputError, match="60 folds of 50 stimuli"):
        RidgeCV(selection="kfold", folds=60).fit(X, Y)
    X[4, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        RidgeCV().fit(X, Y)

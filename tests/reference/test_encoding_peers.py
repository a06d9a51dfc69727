"""Encoding against scikit-learn and himalaya."""

import warnings

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainalign.encoding import BandedRidgeCV, EncodingPlan, RidgeCV, encode, make_folds

ALPHAS = np.logspace(-1, 6, 15)


def simulated(n, p, v, seed=0, decay=0.5):
    """Features with a decaying spectrum, targets of many signal-to-noise ratios."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -decay
    signal = X @ rng.standard_normal((p, v))
    noise = np.geomspace(0.3, 10, v) * signal.std(axis=0)
    return X, signal + noise * rng.standard_normal((n, v))


@parametrize_with_checks(
    [
        RidgeCV(folds=2),
        RidgeCV(selection="loo"),
        RidgeCV(selection="kfold", folds=2),
        BandedRidgeCV(n_samples=2),
    ]
)
def test_the_estimator_keeps_the_rules_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        # the checks fit noise-free data and are right to meet the warning about the end of the grid
        warnings.filterwarnings("ignore", message=".*of the alphas of predictable targets", category=UserWarning)
        check(estimator)


@pytest.mark.parametrize("p", [30, 300])
@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_predictions_are_those_of_ridge_at_each_targets_alpha(selection, p):
    X, Y = simulated(120, p, 15)
    result = encode(X, Y, folds=4, alphas=ALPHAS, selection=selection, predictions=True)
    for fold, (train, test) in enumerate(result.folds):
        scaler = StandardScaler().fit(X[train])
        model = linear_model.Ridge(alpha=result.alpha[fold]).fit(scaler.transform(X[train]), Y[train])
        predicted = model.predict(scaler.transform(X[test]))
        np.testing.assert_allclose(result.predictions[test], predicted, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(
            result.fold_r2[fold], r2_score(Y[test], predicted, multioutput="raw_values"), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("p", [30, 300])
def test_weights_are_those_of_ridge(p):
    X, Y = simulated(120, p, 15)
    model = RidgeCV(alphas=ALPHAS).fit(X, Y)
    peer = linear_model.Ridge(alpha=model.alpha_).fit(X, Y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("p", [30, 300])
def test_leave_one_out_chooses_the_alphas_of_scikit_learn(p):
    X, Y = simulated(100, p, 40)
    ours = RidgeCV(alphas=ALPHAS, selection="loo").fit(X, Y)
    peer = linear_model.RidgeCV(alphas=ALPHAS, alpha_per_target=True).fit(X, Y)
    np.testing.assert_array_equal(ours.alpha_, peer.alpha_)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-6, atol=1e-6)
    null = ((Y - Y.mean(axis=0)) ** 2).mean(axis=0) * (100 / 99) ** 2
    np.testing.assert_allclose(ours.inner_r2_, 1 + peer.best_score_ / null, rtol=1e-6)


def test_a_permutation_with_refit_is_brute_force_by_scikit_learn():
    X, Y = simulated(60, 90, 8)
    plan = EncodingPlan(X, folds=3, alphas=ALPHAS, selection="loo")
    orders = np.stack([np.random.default_rng(s).permutation(60) for s in range(3)])
    values = plan.permuted(Y, orders)
    for order, value in zip(orders, values, strict=True):
        for fold, (train, test) in enumerate(plan.folds):
            scaler = StandardScaler().fit(X[train])
            peer = linear_model.RidgeCV(alphas=ALPHAS, alpha_per_target=True)
            peer.fit(scaler.transform(X[train]), Y[order][train])
            predicted = peer.predict(scaler.transform(X[test]))
            expected = [np.corrcoef(predicted[:, v], Y[order][test, v])[0, 1] for v in range(8)]
            np.testing.assert_allclose(value[fold], expected, atol=1e-6)


@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_held_out_r2_is_that_of_himalaya(selection):
    from himalaya.kernel_ridge import KernelRidgeCV

    X, Y = simulated(300, 600, 200)
    folds = make_folds(300, 5, seed=1)
    ours = encode(X, Y, folds=folds, alphas=ALPHAS, selection=selection, standardize=False)
    theirs = np.empty((5, 200))
    for fold, (train, test) in enumerate(folds):
        mean_x, mean_y = X[train].mean(axis=0), Y[train].mean(axis=0)
        model = KernelRidgeCV(alphas=ALPHAS, cv=5).fit(X[train] - mean_x, Y[train] - mean_y)
        theirs[fold] = r2_score(Y[test] - mean_y, model.predict(X[test] - mean_x), multioutput="raw_values")
    assert ours.r2.mean() == pytest.approx(theirs.mean(), abs=0.002)


@pytest.mark.parametrize("sizes", [(20, 30), (150, 250)], ids=["primal", "dual"])
def test_banded_ridge_is_that_of_himalaya(sizes):
    from himalaya.ridge import GroupRidgeCV

    X, Y = simulated(200, sum(sizes), 30)
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    spaces = np.repeat([0, 1], sizes)
    weights = np.random.default_rng(0).dirichlet([1.0, 1.0], 12)
    folds = [(np.setdiff1d(np.arange(200), test), test) for test in np.array_split(np.arange(200), 5)]
    ours = BandedRidgeCV(
        spaces=spaces, alphas=ALPHAS, weights=weights, selection="kfold", folds=folds, fit_intercept=False
    ).fit(X, Y)
    options = {"n_iter": weights, "alphas": ALPHAS, "progress_bar": False, "warn": False}
    theirs = GroupRidgeCV(groups=spaces, solver_params=options, cv=folds, random_state=0).fit(X, Y)
    # himalaya chooses by the mean of r2 over folds, we by the error over all held-out rows: near ties may differ
    same = np.isclose(np.exp(-theirs.deltas_).T, (ours.alpha_[:, None] / ours.gamma_), rtol=1e-6).all(axis=1)
    assert same.mean() > 0.6
    coef = np.asarray(theirs.coef_).T
    np.testing.assert_allclose(ours.coef_[same], coef[same], atol=1e-6)
    np.testing.assert_allclose(ours.predict(X).std(axis=0), theirs.predict(X).std(axis=0), rtol=0.05)


def test_float32_scores_agree_with_float64():
    X, Y = simulated(200, 500, 100)
    double, single = encode(X, Y), encode(X.astype(np.float32), Y.astype(np.float32))
    assert (single.alpha == double.alpha).mean() > 0.99
    same = (single.alpha == double.alpha).all(axis=0)
    np.testing.assert_allclose(single.r[same], double.r[same], atol=2e-5)
    np.testing.assert_allclose(single.r.mean(), double.r.mean(), atol=1e-4)

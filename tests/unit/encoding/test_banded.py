"""Banded ridge: the same as ridge on scaled columns, weights chosen by cross-validation."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from brainalign.encoding import BandedRidgeCV, RidgeCV
from brainalign.encoding.bands import draw_weights
from brainalign.errors import InputError, ShapeError, UndefinedError

ALPHAS = np.logspace(-1, 4, 11)


def problem(n=60, sizes=(5, 7), v=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, sum(sizes))) + 1
    first = X[:, : sizes[0]] @ rng.standard_normal((sizes[0], v))
    return X, first + np.geomspace(0.5, 8, v) * rng.standard_normal((n, v)) + 3, np.repeat([0, 1], sizes)


@pytest.mark.parametrize("sizes", [(5, 7), (40, 60)], ids=["primal", "dual"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_each_target_is_a_ridge_on_columns_scaled_by_its_weights(selection, fit_intercept, sizes):
    X, Y, spaces = problem(sizes=sizes)
    model = BandedRidgeCV(
        spaces=spaces, alphas=ALPHAS, n_samples=8, selection=selection, fit_intercept=fit_intercept
    ).fit(X, Y)
    assert model.gamma_.shape == (6, 2)
    np.testing.assert_allclose(model.gamma_.sum(axis=1), 1)
    for v in range(6):
        scale = np.sqrt(model.gamma_[v])[spaces]
        one = Ridge(alpha=model.alpha_[v], fit_intercept=fit_intercept, solver="svd").fit(X * scale, Y[:, v])
        np.testing.assert_allclose(model.coef_[v], one.coef_ * scale, atol=1e-8)
        np.testing.assert_allclose(model.predict(X)[:, v], one.predict(X * scale), atol=1e-8)


@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_the_choice_is_the_best_of_ridge_on_every_candidate(selection):
    X, Y, spaces = problem(sizes=(30, 50))
    weights = draw_weights(2, 7, seed=3)
    model = BandedRidgeCV(spaces=spaces, alphas=ALPHAS, weights=weights, selection=selection).fit(X, Y)
    singles = [RidgeCV(alphas=ALPHAS, selection=selection).fit(X * np.sqrt(w)[spaces], Y) for w in weights]
    inner = np.stack([single.inner_r2_ for single in singles])
    np.testing.assert_allclose(model.inner_r2_, inner.max(axis=0), rtol=1e-9)
    np.testing.assert_allclose(model.gamma_, weights[inner.argmax(axis=0)])
    alphas = np.stack([single.alpha_ for single in singles])
    np.testing.assert_array_equal(model.alpha_, np.take_along_axis(alphas, inner.argmax(axis=0)[None], axis=0)[0])


def test_one_space_is_ordinary_ridge():
    X, Y, _ = problem()
    banded, ridge = BandedRidgeCV(alphas=ALPHAS).fit(X, Y), RidgeCV(alphas=ALPHAS).fit(X, Y)
    np.testing.assert_allclose(banded.coef_, ridge.coef_, rtol=1e-9)
    np.testing.assert_array_equal(banded.alpha_, ridge.alpha_)


def test_an_irrelevant_space_is_shut_out():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 220))
    y = X[:, :20] @ rng.standard_normal((20, 8)) + 2 * rng.standard_normal((100, 8))
    labels = np.repeat(["signal", "noise"], [20, 200])
    model = BandedRidgeCV(spaces=labels).fit(X, y)
    assert model.spaces_.tolist() == ["noise", "signal"]
    assert model.gamma_[:, 1].min() > 0.8
    held = rng.standard_normal((500, 220))
    truth = held[:, :20] @ np.linalg.lstsq(X[:, :20], y, rcond=None)[0]
    ridge = RidgeCV().fit(X, y)
    assert np.square(model.predict(held) - truth).mean() < 0.5 * np.square(ridge.predict(held) - truth).mean()


def test_one_target_gives_numbers_without_a_target_axis():
    X, Y, spaces = problem()
    one = BandedRidgeCV(spaces=spaces, n_samples=5).fit(X, Y[:, 0])
    many = BandedRidgeCV(spaces=spaces, n_samples=5).fit(X, Y)
    assert one.coef_.shape == (12,)
    assert one.gamma_.shape == (2,)
    np.testing.assert_allclose(one.predict(X), many.predict(X)[:, 0])


def test_targets_are_solved_in_blocks_as_at_once(monkeypatch):
    X, Y, spaces = problem(v=40)
    whole = BandedRidgeCV(spaces=spaces, n_samples=6).fit(X, Y)
    monkeypatch.setattr("brainalign.encoding.bands.BLOCK_BYTES", 1)
    np.testing.assert_allclose(BandedRidgeCV(spaces=spaces, n_samples=6).fit(X, Y).coef_, whole.coef_, rtol=1e-10)


def test_a_constant_target_is_predicted_by_itself():
    X, Y, spaces = problem()
    Y[:, 1] = 0.3
    model = BandedRidgeCV(spaces=spaces, n_samples=4).fit(X, Y)
    np.testing.assert_allclose(model.predict(X)[:, 1], 0.3, rtol=1e-12)
    assert np.isnan(model.inner_r2_[1])


def test_candidates_begin_with_equal_weights_and_each_space_alone():
    weights = draw_weights(3, 10, seed=0)
    np.testing.assert_allclose(weights[:4], [[1 / 3] * 3, [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert draw_weights(3, 2, seed=0).shape == (2, 3)
    np.testing.assert_array_equal(draw_weights(3, 10, seed=0), weights)


def test_unusable_arguments_are_refused():
    X, Y, spaces = problem()
    with pytest.raises(ShapeError, match=r"spaces has shape \(3,\) for 12 features"):
        BandedRidgeCV(spaces=[0, 1, 1]).fit(X, Y)
    with pytest.raises(ShapeError, match=r"expected \(candidates, 2\)"):
        BandedRidgeCV(spaces=spaces, weights=[[1.0, 0.0, 0.0]]).fit(X, Y)
    with pytest.raises(InputError, match="not negative"):
        BandedRidgeCV(spaces=spaces, weights=[[1.0, -0.1]]).fit(X, Y)
    with pytest.raises(InputError, match="at least one set of weights"):
        BandedRidgeCV(spaces=spaces, n_samples=0).fit(X, Y)
    X[:, spaces == 1] = 2.0
    with pytest.raises(UndefinedError, match="X, feature space 1"):
        BandedRidgeCV(spaces=spaces).fit(X, Y)


@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
@pytest.mark.parametrize("shape", [(60, 20), (40, 70)], ids=["primal", "dual"])
def test_panels_inside_the_budget_change_nothing(selection, shape):
    rng = np.random.default_rng(3)
    n, p = shape
    X, Y = rng.standard_normal(shape), rng.standard_normal((n, 3000))
    options = {"spaces": np.arange(p) % 2, "n_samples": 4, "selection": selection}
    free = BandedRidgeCV(**options).fit(X, Y)
    model = BandedRidgeCV(**options, max_memory="6MB")
    panel, _ = model._planned(torch.as_tensor(X), 3000, 2, 19)
    assert panel < 3000
    model.fit(X, Y)
    for name in ("coef_", "intercept_", "alpha_", "gamma_", "inner_r2_"):
        np.testing.assert_allclose(getattr(model, name), getattr(free, name), rtol=1e-7, atol=1e-10)


def test_a_budget_that_is_too_small_is_refused_before_work_starts():
    X = np.random.default_rng(0).standard_normal((50, 200))
    with pytest.raises(InputError, match=r"max_memory of 0\.1 MB is too small"):
        BandedRidgeCV(spaces=np.arange(200) % 2, max_memory=100_000).fit(X, X[:, :3])


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1200, 400), (600, 1500)], ids=["primal", "dual"])
@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_measured_memory_stays_under_the_limit(selection, shape):
    """In a process of its own: the peak of the resident set beyond what was there before."""
    command = [sys.executable, "-c", MEASURE, selection, *map(str, shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, limit = map(int, done.stdout.split())
    assert grown < limit


MEASURE = """
import resource, sys, warnings
import numpy as np, torch
from brainalign.encoding import BandedRidgeCV
warnings.simplefilter("ignore")
torch.set_num_threads(1)
selection, n, p = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
X = np.random.default_rng(0).standard_normal((n, p), dtype="f4")
Y = np.random.default_rng(1).standard_normal((n, 12_000), dtype="f4")
options = dict(spaces=np.arange(p) % 2, n_samples=2, selection=selection, alphas=np.logspace(0, 5, 6))
BandedRidgeCV(spaces=np.arange(50) % 2, n_samples=2, selection=selection).fit(X[:100, :50], Y[:100, :300])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
limit = 400_000_000
BandedRidgeCV(**options, max_memory=limit).fit(X, Y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, limit)
"""

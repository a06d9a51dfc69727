"""Cross-validation errors against explicit loops and formulas."""

import numpy as np
import pytest
import torch

from brainalign.encoding import make_folds
from brainalign.encoding.selection import AlphaSearch, alpha_grid, check_selection, share_at_edge
from brainalign.encoding.system import decompose
from brainalign.errors import ChoiceError, InputError

ALPHAS = np.array([0.05, 1.0, 30.0, 1000.0])


def search(X, y, selection, intercept=True, **options):
    rows = torch.arange(len(X))
    system = decompose(torch.as_tensor(X), rows, rows[:0], standardize=False, intercept=intercept)
    made = AlphaSearch(system, torch.as_tensor(ALPHAS), selection, torch.float64, **options)
    errors, null = made.errors(system.basis.T @ torch.as_tensor(y), torch.as_tensor(y))
    return errors.numpy(), null.numpy()


def hat(X, alpha, intercept):
    """Hat matrix of ridge with an unpenalised intercept."""
    n = len(X)
    level = np.full((n, n), 1 / n) if intercept else np.zeros((n, n))
    z = X - level @ X
    return level + z @ np.linalg.solve(z.T @ z + alpha * np.eye(X.shape[1]), z.T)


@pytest.fixture(params=[(25, 6), (25, 24), (25, 60)], ids=["primal", "square", "dual"])
def problem(request):
    n, p = request.param
    rng = np.random.default_rng(p)
    X = rng.standard_normal((n, p)) + 2
    return X, X @ rng.standard_normal((p, 3)) + 4 * rng.standard_normal((n, 3)) + 7


@pytest.mark.parametrize("intercept", [True, False])
def test_gcv_is_the_formula_without_the_direction_of_the_intercept(problem, intercept):
    X, y = problem
    n = len(X)
    errors, null = search(X, y, "gcv", intercept)
    freedom = n - int(intercept)
    for alpha, error in zip(ALPHAS, errors, strict=True):
        residual = y - hat(X, alpha, intercept) @ y
        left = np.trace(np.eye(n) - hat(X, alpha, intercept))
        np.testing.assert_allclose(error, (residual**2).sum(axis=0) / freedom / (left / freedom) ** 2, rtol=1e-8)
    np.testing.assert_allclose(null, ((y - y.mean(axis=0) * intercept) ** 2).sum(axis=0) / freedom, rtol=1e-12)


@pytest.mark.parametrize("intercept", [True, False])
def test_loo_is_a_loop_over_stimuli(problem, intercept):
    X, y = problem
    errors, null = search(X, y, "loo", intercept)
    for alpha, error in zip(ALPHAS, errors, strict=True):
        residuals = []
        for i in range(len(X)):
            keep = np.arange(len(X)) != i
            mean, level = (X[keep].mean(axis=0), y[keep].mean(axis=0)) if intercept else (0.0, 0.0)
            z = X[keep] - mean
            w = np.linalg.solve(z.T @ z + alpha * np.eye(X.shape[1]), z.T @ (y[keep] - level))
            residuals.append(y[i] - level - (X[i] - mean) @ w)
        np.testing.assert_allclose(error, np.mean(np.square(residuals), axis=0), rtol=1e-7)
    if intercept:
        means = np.stack([y[np.arange(len(y)) != i].mean(axis=0) for i in range(len(y))])
        np.testing.assert_allclose(null, ((y - means) ** 2).mean(axis=0), rtol=1e-10)


def test_kfold_is_a_loop_over_inner_folds_that_keep_groups(problem):
    X, y = problem
    groups = np.arange(len(X)) // 3
    errors, null = search(X, y, "kfold", groups=groups, folds=4, seed=2)
    expected, expected_null = np.zeros_like(errors), np.zeros_like(null)
    for train, test in make_folds(len(X), 4, groups, 2):
        mean, level = X[train].mean(axis=0), y[train].mean(axis=0)
        z = X[train] - mean
        for a, alpha in enumerate(ALPHAS):
            w = np.linalg.solve(z.T @ z + alpha * np.eye(X.shape[1]), z.T @ (y[train] - level))
            expected[a] += ((y[test] - level - (X[test] - mean) @ w) ** 2).sum(axis=0)
        expected_null += ((y[test] - level) ** 2).sum(axis=0)
    np.testing.assert_allclose(errors, expected / len(X), rtol=1e-7)
    np.testing.assert_allclose(null, expected_null / len(X), rtol=1e-10)


def test_gcv_does_not_fall_to_the_smallest_alpha_where_features_exceed_stimuli():
    # with the intercept's direction counted, alpha -> 0 would win for every target
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 200))
    y = X @ rng.standard_normal((200, 40)) * 0.05 + rng.standard_normal((60, 40))
    rows = torch.arange(60)
    system = decompose(torch.as_tensor(X), rows, rows[:0], standardize=False)
    grid = torch.as_tensor(np.logspace(-8, 6, 15))
    errors, _ = AlphaSearch(system, grid, "gcv", torch.float64).errors(
        system.basis.T @ torch.as_tensor(y), torch.as_tensor(y)
    )
    assert float((errors.argmin(dim=0) > 0).double().mean()) > 0.7


def test_the_grid_is_sorted_and_positive():
    np.testing.assert_allclose(alpha_grid(None), np.logspace(-1, 8, 19))
    assert alpha_grid([10, 1, 10]).tolist() == [1.0, 10.0]
    assert alpha_grid(3.0).tolist() == [3.0]
    for bad in ([0.0, 1.0], [-1.0], [np.nan], [np.inf], []):
        with pytest.raises(InputError, match="positive finite"):
            alpha_grid(bad)


def test_an_unknown_selection_offers_near_names():
    with pytest.raises(ChoiceError, match="Did you mean 'gcv'"):
        check_selection("gvc")


def test_share_at_edge_counts_both_ends_among_those_asked_for():
    index = np.array([[0, 1, 2], [3, 3, -1]])
    assert share_at_edge(index, 4, index >= 0) == pytest.approx(3 / 5)
    assert share_at_edge(index, 1, index >= 0) == 0.0
    assert share_at_edge(index, 4, index > 10) == 0.0
    assert share_at_edge(index, 4, index >= 0, np.array([[False], [True]])) == pytest.approx(2 / 5)


@pytest.mark.parametrize(("n", "p"), [(150, 400), (150, 140), (150, 20)])
def test_mixing_few_products_leaves_the_choice_among_many_alphas_as_it_is(n, p):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5
    y = X @ rng.standard_normal((p, 400))
    y = y / y.std(axis=0) * np.geomspace(0.2, 3, 400) + rng.standard_normal((n, 400))
    grid = torch.as_tensor(np.logspace(-1, 8, 19))
    rows = torch.arange(n)
    system = decompose(torch.as_tensor(X), rows, rows[:0], standardize=False)
    made = {t: AlphaSearch(system, grid, "kfold", t) for t in (torch.float32, torch.float64)}
    errors = {t: made[t].errors(torch.zeros(0), torch.as_tensor(y).to(t))[0].numpy() for t in made}
    ranks = {t: max(len(fold.mixing.T) for fold in made[t]._inner) for t in made}
    assert ranks[torch.float32] < ranks[torch.float64] < 19
    expected = np.zeros((19, 400))
    for train, test in make_folds(n, 5, None, 0):
        z, level = X[train] - X[train].mean(axis=0), y[train].mean(axis=0)
        u, s, vt = np.linalg.svd(z, full_matrices=False)
        b = u.T @ (y[train] - level)
        for a, alpha in enumerate(grid.numpy()):
            weights = (X[test] - X[train].mean(axis=0)) @ vt.T * (s / (s**2 + alpha))
            expected[a] += ((y[test] - level - weights @ b) ** 2).sum(axis=0) / n
    np.testing.assert_allclose(errors[torch.float64], expected, rtol=1e-8)
    assert (errors[torch.float64].argmin(axis=0) == expected.argmin(axis=0)).all()
    np.testing.assert_allclose(errors[torch.float32], expected, rtol=2e-4)
    # alphas may differ where the curve is flat, and cost nothing there
    choice = errors[torch.float32].argmin(axis=0)
    assert (choice == expected.argmin(axis=0)).mean() >= 0.98
    np.testing.assert_allclose(np.take_along_axis(expected, choice[None], axis=0)[0], expected.min(axis=0), rtol=5e-5)

"""The decomposition of one training set against the normal equations."""

import numpy as np
import pytest
import torch

from brainalign.encoding.system import decompose
from brainalign.errors import UndefinedError


def explicit(X, train, test, alpha, standardize, intercept, y):
    """Prediction at the test rows from the normal equations."""
    mean = X[train].mean(axis=0) if intercept else 0.0
    scale = X[train].std(axis=0) if standardize else 1.0
    z, z_test = (X[train] - mean) / scale, (X[test] - mean) / scale
    level = y.mean(axis=0) if intercept else 0.0
    weights = np.linalg.solve(z.T @ z + alpha * np.eye(z.shape[1]), z.T @ (y - level))
    return level + z_test @ weights


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("p", [7, 40])
def test_predictions_solve_the_normal_equations(p, standardize, intercept):
    rng = np.random.default_rng(p)
    X, y = rng.standard_normal((36, p)) * 3 + 1, rng.standard_normal((30, 4)) + 2
    train, test = np.arange(30), np.arange(30, 36)
    system = decompose(
        torch.as_tensor(X), torch.as_tensor(train), torch.as_tensor(test), standardize=standardize, intercept=intercept
    )
    b = system.basis.T @ torch.as_tensor(y)
    level = y.mean(axis=0) if intercept else 0.0
    predicted = level + (system.test_basis @ (b / (system.eigenvalues + 2.5)[:, None])).numpy()
    np.testing.assert_allclose(predicted, explicit(X, train, test, 2.5, standardize, intercept, y), rtol=1e-9)


@pytest.mark.parametrize(("p", "complete"), [(7, False), (19, False), (20, True), (40, True)])
def test_a_basis_is_complete_when_it_spans_all_that_targets_can_do(p, complete):
    X = torch.as_tensor(np.random.default_rng(0).standard_normal((20, p)))
    system = decompose(X, torch.arange(20), torch.arange(0), standardize=False)
    assert system.freedom == 19
    assert system.complete is (complete or p == 19)
    assert torch.allclose(system.basis.T @ system.basis, torch.eye(min(p, 19), dtype=torch.float64), atol=1e-10)
    assert float(system.basis.sum(dim=0).abs().max()) < 1e-12


def test_duplicated_stimuli_lower_the_rank_and_leave_no_negative_eigenvalue():
    X = np.random.default_rng(0).standard_normal((10, 50)).astype(np.float32)
    system = decompose(torch.as_tensor(np.repeat(X, 3, axis=0)), torch.arange(30), torch.arange(0), standardize=True)
    assert len(system.eigenvalues) == 9
    assert float(system.eigenvalues.min()) > 0


def test_components_are_those_of_an_explicit_decomposition():
    rng = np.random.default_rng(1)
    for p in (12, 60):
        X = rng.standard_normal((40, p)) * np.geomspace(3, 0.1, p)
        rows, held = np.arange(30), np.arange(30, 40)
        system = decompose(
            torch.as_tensor(X), torch.as_tensor(rows), torch.as_tensor(held), standardize=False, components=5
        )
        z = X - X[rows].mean(axis=0)
        axes = np.linalg.svd(z[rows], full_matrices=False)[2][:5].T
        gram = (z[held] @ axes) @ (z[rows] @ axes).T
        np.testing.assert_allclose((system.test_basis @ system.basis.T).numpy(), gram, atol=1e-10)


def test_a_column_that_varies_by_rounding_only_is_left_out_when_standardised():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((30, 6))
    noise = 1000 * (1 + 1e-16 * rng.standard_normal((30, 1)))
    rows = torch.arange(30), torch.arange(0)
    with_noise = decompose(torch.as_tensor(np.hstack([X, noise])), *rows, standardize=True)
    without = decompose(torch.as_tensor(X), *rows, standardize=True)
    np.testing.assert_allclose(with_noise.eigenvalues, without.eigenvalues, rtol=1e-12)


@pytest.mark.parametrize("p", [3, 50])
def test_features_that_do_not_vary_are_refused(p):
    X = torch.full((20, p), 0.1, dtype=torch.float32)
    with pytest.raises(UndefinedError, match=f"none of the {p} features varies over the 15 stimuli of fold 3"):
        decompose(X, torch.arange(15), torch.arange(15, 20), standardize=True, where="fold 3")

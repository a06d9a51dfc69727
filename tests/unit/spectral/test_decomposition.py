"""Leading singular directions against NumPy's decomposition, and low-rank factors whatever their gauge."""

import numpy as np
import pytest
import torch

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError
from brainalign.spectral import leading_directions, low_rank_directions, principal_angles, subspace_overlap
from brainalign.spectral.decomposition import singular_values, trailing_directions

RNG = np.random.default_rng(0)


def decaying(rows, columns, seed=0):
    """A matrix with known singular vectors and values 1, 1/2, 1/3, …"""
    rng = np.random.default_rng(seed)
    k = min(rows, columns)
    U, V = (np.linalg.qr(rng.normal(size=(d, k)))[0] for d in (rows, columns))
    values = 1 / np.arange(1, k + 1)
    return torch.from_numpy((U * values) @ V.T), U, values, V


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (30, 30), (150, 140)])
@pytest.mark.parametrize("method", ["exact", "randomised"])
def test_directions_are_those_that_were_put_in(shape, method):
    W, U, values, V = decaying(*shape)
    found = leading_directions(W, 5, method=method)
    np.testing.assert_allclose(found.values, values[:5], rtol=1e-9)
    np.testing.assert_allclose(np.abs((U[:, :5] * found.left.numpy()).sum(0)), 1, atol=1e-8)
    np.testing.assert_allclose(np.abs((V[:, :5] * found.right.numpy()).sum(0)), 1, atol=1e-8)
    rebuilt = (found.left * found.values) @ found.right.T
    assert torch.linalg.matrix_norm(W - rebuilt, 2) == pytest.approx(values[5], rel=1e-6)  # Eckart-Young
    assert found.error < 1e-6 and found.rank == 5
    assert found.method == (method if min(shape) > 105 else "exact")
    assert bool((found.left.gather(0, found.left.abs().argmax(0, keepdim=True)) > 0).all())


def test_the_randomised_form_states_its_error():
    W = torch.from_numpy(RNG.normal(size=(300, 400)))  # a flat spectrum: the hard case
    exact, quick = (leading_directions(W, 12, method=method) for method in ("exact", "randomised"))
    assert exact.error < 1e-12
    assert quick.error > 1e-8
    # Weyl: a residual of relative size e moves a singular value by no more
    assert float((exact.values - quick.values).abs().max()) <= quick.error * float(exact.values[0])


def test_rank_counts_what_rounding_does_not_explain():
    one = torch.outer(torch.arange(1.0, 5), torch.arange(1.0, 4))
    assert leading_directions(one, 3).rank == 1
    zero = leading_directions(torch.zeros(4, 3), 2)
    assert zero.rank == 0 and zero.error == 0 and bool((zero.values == 0).all())
    torch.testing.assert_close(zero.left.T @ zero.left, torch.eye(2))
    torch.testing.assert_close(zero.right.T @ zero.right, torch.eye(2))


@pytest.mark.parametrize("shape", [(20, 30), (30, 20)])
def test_trailing_directions(shape):
    W, U, _, V = decaying(*shape)
    left, right = trailing_directions(W, 4)
    np.testing.assert_allclose(np.abs((U[:, -4:] * left.numpy()).sum(0)), 1, atol=1e-8)
    np.testing.assert_allclose(np.abs((V[:, -4:] * right.numpy()).sum(0)), 1, atol=1e-8)
    assert (left.T @ W @ right).diagonal().tolist() == pytest.approx([1 / 17, 1 / 18, 1 / 19, 1 / 20])
    one = torch.outer(torch.arange(1.0, 5), torch.arange(1.0, 4))
    left, right = trailing_directions(one, 2)
    assert float((left.T @ one).abs().max()) < 1e-5 and float((one @ right).abs().max()) < 1e-5


def test_all_singular_values():
    W = torch.from_numpy(RNG.normal(size=(7, 4)))
    np.testing.assert_allclose(singular_values(W), np.linalg.svd(W.numpy(), compute_uv=False), rtol=1e-10)


@pytest.mark.parametrize("condition", [1.0, 1e3])
def test_no_number_depends_on_the_gauge_of_factors(condition):
    B, A = (torch.from_numpy(RNG.normal(size=s)) for s in ((50, 4), (4, 30)))
    left, right = (torch.linalg.qr(torch.from_numpy(RNG.normal(size=(4, 4))))[0] for _ in range(2))
    G = left @ torch.diag(torch.logspace(0, float(np.log10(condition)), 4, dtype=torch.float64)) @ right
    one, two = low_rank_directions(B, A), low_rank_directions(B @ G, torch.linalg.solve(G, A))
    np.testing.assert_allclose(one.values, two.values, rtol=1e-9)
    for side in ("left", "right"):
        assert subspace_overlap(getattr(one, side), getattr(two, side)) == pytest.approx(1, abs=1e-9)
        assert float(principal_angles(getattr(one, side), getattr(two, side)).max()) < 1e-6
    np.testing.assert_allclose(one.values, np.linalg.svd((B @ A).numpy(), compute_uv=False)[:4], rtol=1e-9)
    # the control: the factors themselves do change
    assert not torch.allclose(B, B @ G)


def test_bad_matrices():
    with pytest.raises(ShapeError, match="5 singular directions of q, whose sides are 4 and 9"):
        leading_directions(torch.ones(4, 9), 5, name="q")
    with pytest.raises(ShapeError, match="must be a matrix"):
        leading_directions(torch.ones(4), 1)
    with pytest.raises(NonFiniteError, match="1 values"):
        leading_directions(torch.tensor([[1.0, float("nan")]]), 1)
    with pytest.raises(InputError, match="int8"):
        leading_directions(torch.ones(2, 2, dtype=torch.int8), 1)
    with pytest.raises(ChoiceError, match="'exact'"):
        leading_directions(torch.ones(2, 2), 1, method="lanczos")
    with pytest.raises(ShapeError, match="factors"):
        low_rank_directions(torch.ones(3, 2), torch.ones(3, 4))

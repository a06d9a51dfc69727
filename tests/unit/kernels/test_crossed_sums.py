"""Products of permuted matrices against a plain loop."""

import numpy as np
import pytest
import torch

from brainalign.kernels import crossed_sums
from brainalign.kernels.crossed_sums import MOST_ROWS, _gather, _take, crossed_products


def _symmetric(n, seed):
    A = np.random.default_rng(seed).normal(size=(n, n))
    return torch.tensor(A + A.T)


def _orders(n, count, seed):
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(n) for _ in range(count)])


def _problem(n, seed=0):
    return [_symmetric(n, seed), _symmetric(n, 1)], [_symmetric(n, 2 + k) for k in range(3)], _orders(n, 4, 8)


def _loop(many_a, many_b, left, right):
    values = [
        float((a[s][:, s] * b[t][:, t]).sum())
        for a in many_a
        for s in torch.tensor(left)
        for b in many_b
        for t in torch.tensor(right)
    ]
    return np.reshape(values, (len(many_a), len(left), len(many_b), len(right)))


@pytest.mark.parametrize("n", [1, 2, 5, MOST_ROWS, 2 * MOST_ROWS + 7])
def test_products_are_those_of_permuted_matrices(n):
    many_a, many_b, left = _problem(n)
    right = _orders(n, 5, 9)
    found = crossed_products(many_a, many_b, left, right).numpy()
    np.testing.assert_allclose(found, _loop(many_a, many_b, left, right), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("held", "most_bytes"), [(2, 1), (3, 3000), (7, 10_000), (24, 1), (1024, 20_000)])
def test_little_memory_gives_the_same(held, most_bytes, monkeypatch):
    many_a, many_b, left = _problem(21)
    right = _orders(21, 5, 9)
    expected = crossed_products(many_a, many_b, left, right)
    monkeypatch.setattr(crossed_sums, "MOST_HELD", held)
    monkeypatch.setattr(crossed_sums, "MOST_BYTES", most_bytes)
    found = crossed_products(many_a, many_b, left, right)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_either_side_may_have_one_permutation():
    many_a, many_b, left = _problem(30)
    unmoved = np.arange(30)[None]
    found = crossed_products(many_a, many_b, left, unmoved)
    mirrored = crossed_products(many_b, many_a, unmoved, left)
    torch.testing.assert_close(found, mirrored.permute(2, 3, 0, 1))
    np.testing.assert_allclose(found.numpy(), _loop(many_a, many_b, left, unmoved), rtol=1e-10)


def test_accelerators_gather_what_processors_take():
    A, orders = _symmetric(9, 0), torch.tensor(_orders(9, 3, 1))
    i, taken = slice(2, 6), torch.empty((4, 9), dtype=torch.float64)
    found, expected = torch.empty((2, 3, 4, 7), dtype=torch.float64)
    _gather(A, orders, i, found, taken)
    _take(A, orders, i, expected, taken)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(found, torch.stack([A[p][:, p][2:6, 2:] for p in orders]), rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_products_on_a_cuda_device():
    many_a, many_b, left = _problem(70)
    on_device = ([M.cuda() for M in many] for many in (many_a, many_b))
    found = crossed_products(*on_device, left, left).cpu()
    torch.testing.assert_close(found, crossed_products(many_a, many_b, left, left))

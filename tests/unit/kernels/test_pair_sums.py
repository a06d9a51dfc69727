import itertools

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.kernels.pair_sums import (
    CHUNK_ROWS,
    LeftOut,
    _gathered_on_device,
    _taken,
    permutation_moments,
    permuted_products,
)
from brainalign.kernels.third_moment import permutation_skewness


def _symmetric(n, seed, offset=0.0):
    A = np.random.default_rng(seed).normal(size=(n, n)) + offset
    return torch.tensor(A + A.T)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_moments_are_those_of_all_permutations(n):
    A, B = _symmetric(n, 0, 1.0), _symmetric(n, 1, -0.5)
    everything = np.array(list(itertools.permutations(range(n))))
    values = [float((A * B[p][:, p]).sum()) for p in torch.tensor(everything)]
    mean, sd = permutation_moments(A, B)
    assert mean == pytest.approx(np.mean(values), rel=1e-12)
    assert sd == pytest.approx(np.std(values), rel=1e-12)


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("n", [3, 4, 5, 6, 7])
def test_skewness_is_that_of_all_permutations(n, diagonal):
    A, B = _symmetric(n, 0, 1.0) ** 2, _symmetric(n, 1, -0.5) ** 3
    if not diagonal:
        A.fill_diagonal_(0.0)
        B.fill_diagonal_(0.0)
    everything = np.array(list(itertools.permutations(range(n))))
    values = permuted_products([A], B, everything)[0].numpy()
    expected = np.mean(((values - values.mean()) / values.std()) ** 3)
    assert permutation_skewness(A, B, permutation_moments(A, B)[1]) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("n", [5, CHUNK_ROWS, 2 * CHUNK_ROWS + 7])
def test_permuted_products_are_those_of_permuted_matrices(n):
    many = [_symmetric(n, seed) for seed in (0, 1, 2)]
    B = _symmetric(n, 3)
    rng = np.random.default_rng(4)
    permutations = np.stack([rng.permutation(n) for _ in range(5)])
    expected = [[float((A * B[p][:, p]).sum()) for p in torch.tensor(permutations)] for A in many]
    np.testing.assert_allclose(permuted_products(many, B, permutations).numpy(), expected, rtol=1e-10)


def test_accelerators_gather_what_processors_take():
    B = _symmetric(9, 0)
    rng = np.random.default_rng(1)
    orders = torch.tensor(np.stack([rng.permutation(9) for _ in range(3)]))
    found = _gathered_on_device(B, orders, 2, 6)
    torch.testing.assert_close(found, _taken(B, orders, 2, 6), rtol=0, atol=0)
    expected = torch.stack([B[p][:, p][2:6, 2:].flatten() for p in orders])
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_permuted_products_on_a_cuda_device():
    A, B = _symmetric(70, 0), _symmetric(70, 1)
    permutations = np.stack([np.random.default_rng(2).permutation(70) for _ in range(4)])
    found = permuted_products([A.cuda()], B.cuda(), permutations).cpu()
    torch.testing.assert_close(found, permuted_products([A], B, permutations))


def test_what_remains_without_each_block():
    n = 9
    A, B = _symmetric(n, 0), _symmetric(n, 1)
    blocks = [np.array([0]), np.array([3, 1, 8]), np.array([], dtype=int), np.array([1, 2])]
    left = LeftOut.of(blocks, n, A.device)
    for i, block in enumerate(blocks):
        keep = torch.tensor(np.setdiff1d(np.arange(n), block))
        a, b = A[keep][:, keep], B[keep][:, keep]
        assert left.kept[i] == len(keep)
        torch.testing.assert_close(left.remaining(A)[i], a.sum())
        torch.testing.assert_close(left.remaining(A, B)[i], (a * b).sum())
        torch.testing.assert_close(left.rows(A)[i], A.sum(dim=0) - A[keep].sum(dim=0))
        torch.testing.assert_close(left.over_kept(A.sum(dim=1).expand(len(blocks), -1))[i], A[keep].sum())


def test_rows_beyond_the_stimuli_are_refused():
    with pytest.raises(InputError, match="block 1"):
        LeftOut.of([np.array([0]), np.array([4])], 4, torch.device("cpu"))

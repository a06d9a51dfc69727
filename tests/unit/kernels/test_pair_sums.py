import itertools

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.kernels.crossed_sums import crossed_products
from brainalign.kernels.pair_sums import LeftOut, permutation_moments
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
    values = crossed_products([A], [B], everything[:1], everything).flatten().numpy()
    expected = np.mean(((values - values.mean()) / values.std()) ** 3)
    assert permutation_skewness(A, B, permutation_moments(A, B)[1]) == pytest.approx(expected, rel=1e-9, abs=1e-9)


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

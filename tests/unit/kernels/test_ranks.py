import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from brainalign.kernels import average_ranks


@pytest.mark.parametrize("distinct", [1, 3, 50, 10_000])
def test_as_scipy(distinct):
    v = np.random.default_rng(0).integers(0, distinct, 500).astype(float)
    np.testing.assert_array_equal(average_ranks(v), rankdata(v))
    np.testing.assert_array_equal(average_ranks(torch.tensor(v)).numpy(), rankdata(v))


def test_values_equal_but_for_rounding_are_ties_only_when_told():
    v = np.array([0.1 + 0.2, 0.3, 1.0])
    assert average_ranks(v).tolist() == [2.0, 1.0, 3.0]
    assert average_ranks(v, resolution=1e-15).tolist() == [1.5, 1.5, 3.0]


def test_the_input_stays():
    v = np.array([3.0, 1.0, 2.0])
    average_ranks(v)
    assert v.tolist() == [3.0, 1.0, 2.0]

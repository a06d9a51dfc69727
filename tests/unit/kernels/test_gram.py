import numpy as np
import torch

from brainalign.kernels import centred_gram
from brainalign.kernels.gram import centred, double_centred, power_of_two


def test_gram_of_centred_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 7)) + 3
    C = X - X.mean(axis=0)
    np.testing.assert_allclose(centred_gram(torch.tensor(X)).numpy(), C @ C.T, atol=1e-12)


def test_an_offset_costs_no_digits_in_float32():
    rng = np.random.default_rng(1)
    X = rng.integers(-8, 8, size=(30, 50)).astype(np.float32)
    shifted = centred_gram(torch.tensor(X + 4096)).numpy()
    np.testing.assert_allclose(shifted, centred_gram(torch.tensor(X)).numpy(), rtol=1e-4, atol=1e-2)


def test_magnitudes_neither_overflow_nor_underflow():
    rng = np.random.default_rng(2)
    X = torch.tensor(rng.normal(size=(10, 5)), dtype=torch.float32)
    plain, _ = centred(X)
    for scale in (2.0**100, 2.0**-100):
        scaled, _ = centred(X * scale)
        torch.testing.assert_close(scaled, plain, rtol=0, atol=0)


def test_constant_columns_are_exactly_zero():
    X = torch.tensor([[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]], dtype=torch.float64)
    assert centred(X)[0][:, 0].tolist() == [0.0, 0.0, 0.0]


def test_double_centring_is_the_projection():
    rng = np.random.default_rng(3)
    K = rng.normal(size=(6, 6))
    K += K.T
    H = np.eye(6) - 1 / 6
    np.testing.assert_allclose(double_centred(torch.tensor(K)).numpy(), H @ K @ H, atol=1e-13)


def test_power_of_two():
    assert [power_of_two(x) for x in (1.0, 3.9, 4.0, 0.3, 0.0)] == [1.0, 2.0, 4.0, 0.25, 1.0]

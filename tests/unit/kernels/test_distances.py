import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform

from brainalign.errors import UndefinedError
from brainalign.kernels.distances import BLOCK_ROWS, condensed_distances, sq_distances, to_condensed, to_square

DISTANCES = ["correlation", "cosine", "euclidean", "sqeuclidean"]


@pytest.mark.parametrize("distance", DISTANCES)
def test_as_scipy_over_several_blocks(distance):
    X = np.random.default_rng(0).normal(size=(BLOCK_ROWS + 30, 8)) + 2
    found = condensed_distances(torch.tensor(X), distance).numpy()
    np.testing.assert_allclose(found, pdist(X, distance), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("distance", DISTANCES)
def test_identical_rows_are_exactly_zero_apart_and_near_ones_keep_their_digits(distance):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 40)) + 5
    X[7] = X[3]
    X[8] = X[3] + 1e-5 * rng.normal(size=40)
    found = to_square(condensed_distances(torch.tensor(X), distance), 30).numpy()
    assert found[3, 7] == 0.0
    assert found.min() == 0.0
    rows = X[[3, 8]].astype(np.longdouble)
    if distance == "correlation":
        rows -= rows.mean(axis=1, keepdims=True)
    if distance in ("correlation", "cosine"):
        rows /= np.sqrt((rows**2).sum(axis=1, keepdims=True))
    squared = ((rows[0] - rows[1]) ** 2).sum()
    expected = {"euclidean": np.sqrt(squared), "sqeuclidean": squared}.get(distance, squared / 2)
    np.testing.assert_allclose(found[3, 8], float(expected), rtol=1e-8)


@pytest.mark.parametrize("distance", DISTANCES)
def test_float32_keeps_its_digits_under_an_offset(distance):
    X = np.random.default_rng(2).normal(size=(40, 60)).astype(np.float32) + np.float32(100)
    found = condensed_distances(torch.tensor(X), distance).numpy()
    np.testing.assert_allclose(
        found, pdist(X.astype(np.float64), distance), rtol=2e-3 if distance == "cosine" else 2e-5
    )


def test_half_precision_magnitudes_do_not_overflow_single_precision():
    X = np.random.default_rng(3).normal(size=(10, 4)).astype(np.float32)
    big = condensed_distances(torch.tensor(X * np.float32(2.0**100)), "euclidean").numpy()
    np.testing.assert_allclose(big, 2.0**100 * pdist(X), rtol=1e-5)


@pytest.mark.parametrize(
    ("X", "distance", "message"),
    [
        ([[1.0], [2.0]], "correlation", "two units"),
        ([[1.0, 2.0], [0.1, 0.1], [3.0, 3.0]], "correlation", r"row 1 \(and 1 more rows\) is constant"),
        ([[1.0, 2.0], [0.0, 0.0]], "cosine", "row 1 is zero"),
    ],
)
def test_rows_without_a_direction_are_refused(X, distance, message):
    with pytest.raises(UndefinedError, match=message):
        condensed_distances(torch.tensor(X, dtype=torch.float64), distance)


def test_square_and_condensed_are_inverse_in_scipy_order():
    v = torch.arange(10, dtype=torch.float64)
    square = to_square(v, 5)
    np.testing.assert_array_equal(square.numpy(), squareform(v.numpy()))
    assert to_condensed(square).tolist() == v.tolist()


def test_squared_distances_between_two_sets():
    rng = np.random.default_rng(4)
    A, B = torch.tensor(rng.normal(size=(5, 3))), torch.tensor(rng.normal(size=(7, 3)))
    torch.testing.assert_close(sq_distances(A, B), torch.cdist(A, B) ** 2)

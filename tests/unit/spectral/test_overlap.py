"""Agreement of bases on cases with known answers."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from brainalign.errors import ShapeError, UndefinedError
from brainalign.spectral import (
    best_cosines,
    captured_energy,
    diagonal_share,
    index_cosines,
    intruder_dimensions,
    principal_angles,
    subspace_overlap,
    update_in_basis,
)

RNG = np.random.default_rng(1)


def basis(d, k):
    return torch.linalg.qr(torch.from_numpy(RNG.normal(size=(d, k))))[0]


def plane(degrees):
    """Two planes of four-space whose principal angles are 0 and ``degrees``."""
    a = math.radians(degrees)
    one = torch.eye(4, dtype=torch.float64)[:, :2]
    two = torch.tensor([[1, 0], [0, math.cos(a)], [0, math.sin(a)], [0, 0]], dtype=torch.float64)
    return one, two


@pytest.mark.parametrize("degrees", [1e-4, 30, 60, 90])
def test_angle_and_overlap_of_two_planes(degrees):
    one, two = plane(degrees)
    assert principal_angles(one, two).tolist() == pytest.approx([0, degrees], abs=1e-9)
    assert subspace_overlap(one, two) == pytest.approx((1 + math.cos(math.radians(degrees)) ** 2) / 2)


def test_angles_equal_scipy():
    one, two = basis(20, 6), basis(20, 6)
    expected = np.sort(np.degrees(scipy.linalg.subspace_angles(one.numpy(), two.numpy())))
    np.testing.assert_allclose(principal_angles(one, two), expected, atol=1e-7)


def test_subspaces_are_blind_to_rotation_and_single_vectors_are_not():
    one = basis(30, 5)
    turned = one @ basis(5, 5)
    assert subspace_overlap(one, turned) == pytest.approx(1)
    assert float(principal_angles(one, turned).max()) < 1e-5
    assert float(index_cosines(one, turned).mean()) < 0.95
    swapped = one[:, [1, 0, 2, 3, 4]]
    assert index_cosines(one, swapped).tolist() == pytest.approx([0, 0, 1, 1, 1], abs=1e-12)
    assert best_cosines(one, -swapped).tolist() == pytest.approx([1] * 5)


def test_chance_is_k_over_d():
    drawn = [subspace_overlap(basis(40, 8), basis(40, 8)) for _ in range(300)]
    assert np.mean(drawn) == pytest.approx(8 / 40, abs=4 * np.std(drawn) / math.sqrt(300))


def test_energy_and_diagonal_share():
    U, V = basis(12, 12), basis(9, 9)
    C = torch.zeros(12, 9, dtype=torch.float64)
    C[0, 0], C[1, 0], C[5, 5] = 1, 2, 2
    D = U @ C @ V.T
    inside = update_in_basis(U[:, :4], D, V[:, :4])
    norm = float(torch.linalg.vector_norm(D))
    assert norm == pytest.approx(3)
    assert captured_energy(inside, norm, 4) == pytest.approx(5 / 9)
    assert captured_energy(inside, norm, 1) == pytest.approx(1 / 9)
    assert diagonal_share(inside, norm, 4) == pytest.approx(1 / 9)
    with pytest.raises(UndefinedError, match="zero"):
        captured_energy(inside, 0.0, 4)
    with pytest.raises(UndefinedError, match="zero"):
        diagonal_share(inside, 0.0, 4)


def test_chance_of_energy_of_random_updates():
    U, V = basis(20, 5), basis(30, 5)
    shares = []
    for _ in range(200):
        D = torch.from_numpy(RNG.normal(size=(20, 30)))
        shares.append(captured_energy(update_in_basis(U, D, V), float(torch.linalg.vector_norm(D)), 5))
    assert np.mean(shares) == pytest.approx(25 / 600, abs=4 * np.std(shares) / math.sqrt(200))


def test_an_intruder_is_found():
    whole = basis(25, 25)
    before, after = whole[:, :12], torch.cat([whole[:, 20:21], whole[:, :11]], dim=1)
    assert intruder_dimensions(before, before) == 0
    assert intruder_dimensions(before, after) == 1
    assert intruder_dimensions(before, after, k=12, threshold=1.1) == 12


def test_bases_of_other_shapes_are_refused():
    with pytest.raises(ShapeError, match="one shape"):
        subspace_overlap(basis(5, 2), basis(5, 3))

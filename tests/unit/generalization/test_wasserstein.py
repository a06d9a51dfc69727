"""Rates and distances against closed forms, brute force and the recorded calibration."""

import itertools
import time

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr, wasserstein_distance

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.generalization import wasserstein_rate, wasserstein_split
from brainalign.kernels.transport import diameter, exact_transport, sinkhorn_divergence, sliced_transport

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_draws_in_any_order():
    global RNG
    RNG = np.random.default_rng(0)


# recorded slopes of an independent implementation: uniform cubes, the last three of n = 50, 100, ..., 800
RECORDED = {2: -0.46, 3: -0.327, 4: -0.292, 6: -0.187, 8: -0.145}


def tensors(*shapes: tuple[int, int], seed: int = 0) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("p", [1, 2])
def test_exact_transport_is_the_best_pairing(p):
    A, B = tensors((6, 3), (6, 3))
    cost = cdist(A, B) ** p
    best = min(np.mean([cost[i, j] for i, j in enumerate(order)]) for order in itertools.permutations(range(6)))
    assert exact_transport(A, B, p=p) == pytest.approx(best ** (1 / p), rel=1e-12)


def test_exact_transport_equals_assignment_and_the_line():
    A, B = tensors((90, 5), (90, 5))
    cost = cdist(A, B)
    assert exact_transport(A, B) == pytest.approx(cost[linear_sum_assignment(cost)].mean(), rel=1e-12)
    a, b = tensors((40, 1), (70, 1))
    assert exact_transport(a, b) == pytest.approx(wasserstein_distance(a[:, 0], b[:, 0]), rel=1e-10)


def test_a_shift_costs_its_length_by_every_method():
    (A,) = tensors((50, 4))
    shift = torch.tensor([3.0, 0, 0, 0], dtype=torch.float64)
    assert exact_transport(A, A + shift, p=2) == pytest.approx(3, rel=1e-12)
    assert sinkhorn_divergence(A, A + shift, p=2) == pytest.approx(3, rel=1e-3)  # the debiased form keeps shifts
    along = torch.eye(4, dtype=torch.float64)
    assert sliced_transport(A, A + shift, along, p=2) == pytest.approx(3 / 2, rel=1e-12)  # one of four axes


def test_cheap_forms_are_zero_for_equal_clouds_and_below_the_exact_one():
    A, B = tensors((80, 4), (80, 4))
    directions = torch.nn.functional.normalize(tensors((4, 50))[0], dim=0)
    assert sinkhorn_divergence(A, A) == pytest.approx(0, abs=1e-9)
    assert sliced_transport(A, A, directions) == 0
    exact = exact_transport(A, B)
    assert 0 < sinkhorn_divergence(A, B) < exact
    assert 0 < sliced_transport(A, B, directions) < exact


def test_diameter_is_the_largest_distance():
    (A,) = tensors((70, 3))
    assert diameter(A) == pytest.approx(cdist(A, A).max(), rel=1e-12)
    assert diameter(torch.ones(5, 2, dtype=torch.float64)) == 0


def test_samples_of_a_rate_are_disjoint():
    """Of 2 n points, both samples of n are all points: then the distance is that of some split, never zero."""
    X = np.arange(8.0)[:, None]
    rate = wasserstein_rate(X, sizes=(2, 4), n_draws=30)
    splits = {
        round(float(wasserstein_distance(X[list(rows), 0], np.delete(X[:, 0], rows))), 12)
        for rows in itertools.combinations(range(8), 4)
    }
    assert {round(float(d), 12) for d in rate.per_draw[:, 1]} <= splits
    assert 0 not in splits


def test_interval_and_slopes_follow_from_the_draws():
    rate = wasserstein_rate(RNG.random((400, 2)), sizes=(25, 50, 100, 200), n_draws=6)
    np.testing.assert_allclose(rate.distance, rate.per_draw.mean(0))
    half = 2.5705818366147395 * rate.per_draw.std(0, ddof=1) / 6**0.5
    np.testing.assert_allclose(rate.interval[:, 1] - rate.distance, half)
    np.testing.assert_allclose(rate.local_slopes, np.diff(np.log2(rate.distance)))
    assert rate.slope == pytest.approx(np.polyfit(np.log([50, 100, 200]), np.log(rate.distance[1:]), 1)[0])
    assert rate.dimension == pytest.approx(-1 / rate.slope)


def test_slope_error_is_the_spread_over_laws():
    made = [wasserstein_rate(np.random.default_rng(s).random((1600, 3)), sizes=(25, 50, 100)) for s in range(24)]
    spread = np.std([rate.slope for rate in made], ddof=1)
    assert 0.6 < np.mean([rate.slope_error for rate in made]) / spread < 1.6


def test_scale_changes_no_slope_and_rotation_no_distance():
    X = RNG.random((200, 3))
    Q = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    plain = wasserstein_rate(X, n_draws=2)
    assert wasserstein_rate(1e6 * X, n_draws=2).slope == pytest.approx(plain.slope, rel=1e-9)
    np.testing.assert_allclose(wasserstein_rate(X @ Q, n_draws=2).distance, plain.distance, rtol=1e-9)


def test_default_sizes_double_and_fit():
    assert wasserstein_rate(RNG.random((401, 2)), n_draws=1).sizes.tolist() == [25, 50, 100, 200]
    assert len(wasserstein_rate(RNG.random((16, 2)), n_draws=1).sizes) >= 2
    with pytest.raises(ShapeError, match="at least 16"):
        wasserstein_rate(RNG.random((4, 2)))


def test_sliced_rates_tell_no_dimension():
    for d in (2, 8):
        rate = wasserstein_rate(RNG.random((1600, d)), method="sliced", n_draws=4)
        assert rate.slope == pytest.approx(-0.5, abs=0.12)
        assert np.isnan(rate.dimension)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sizes": (50, 20)}, InputError, "ascending"),
        ({"sizes": (50,)}, InputError, "at least two"),
        ({"sizes": (10, 60)}, ShapeError, "need 120"),
        ({"p": 0.5}, InputError, "at least 1"),
        ({"n_draws": 0}, InputError, "n_draws=0"),
        ({"method": "exakt"}, ChoiceError, "exact"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(options, error, words):
    with pytest.raises(error, match=words):
        wasserstein_rate(RNG.random((100, 2)), **options)


def test_degenerate_points_are_refused():
    with pytest.raises(UndefinedError, match="coincide"):
        wasserstein_rate(np.ones((50, 2)))
    with pytest.raises(UndefinedError, match="coincide"):
        wasserstein_split(np.ones((5, 2)), np.ones((5, 2)))
    with pytest.raises(NonFiniteError):
        wasserstein_rate(np.full((50, 2), np.nan))
    with pytest.raises(ShapeError, match="columns"):
        wasserstein_split(np.ones((5, 2)), np.ones((5, 3)))


def test_split_is_the_distance_in_diameters():
    A, B = RNG.normal(size=(50, 3)), RNG.normal(size=(50, 3)) + 1
    split = wasserstein_split(A, B)
    pooled = np.vstack([A, B])
    across = cdist(pooled, pooled).max()
    assert split.diameter == pytest.approx(across)
    assert split.scaled == pytest.approx(exact_transport(torch.from_numpy(A), torch.from_numpy(B)) / across)
    assert split.n == 50
    assert split.z > 3 and split.p == pytest.approx(1 / 21)
    scaled = wasserstein_split(1e-3 * A, 1e-3 * B)
    assert scaled.scaled == pytest.approx(split.scaled, rel=1e-9)


def test_split_of_one_law_has_uniform_p():
    p = [
        wasserstein_split(*np.random.default_rng(s).normal(size=(2, 24, 2)), n_permutations=19, seed=s).p
        for s in range(60)
    ]
    assert 0.35 < np.mean(p) < 0.68
    assert np.mean(np.array(p) <= 0.1) < 0.25


def test_unequal_sides_are_drawn_to_one_size():
    split = wasserstein_split(RNG.normal(size=(200, 2)), RNG.normal(size=(30, 2)))
    assert split.n == 30 and split.p > 0.02


def test_eight_hundred_points_take_less_than_a_second_or_two():
    """The time itself is recorded in the documentation; here only that nothing cubic in Python slipped in."""
    A, B = tensors((800, 8), (800, 8))
    start = time.perf_counter()
    exact_transport(A, B)
    assert time.perf_counter() - start < 20


@pytest.mark.study
def test_cubes_of_known_dimension(capsys):
    """Fifty draws from uniform cubes: slope of the last three sizes against the recorded one, dimensions in order."""
    found = {}
    with capsys.disabled():
        for d in range(2, 9):
            X = np.random.default_rng(d).random((80_000, d))
            start = time.perf_counter()
            rate = wasserstein_rate(X, sizes=(50, 100, 200, 400, 800), n_draws=50)
            found[d] = rate
            print(
                f"\nd={d} slope {rate.slope:+.3f} ± {rate.slope_error:.3f} (recorded {RECORDED.get(d)}), "
                f"dimension {rate.dimension:.2f}, octaves {rate.local_slopes.round(3).tolist()}, "
                f"{time.perf_counter() - start:.1f} s"
            )
    for d, slope in RECORDED.items():
        assert found[d].slope == pytest.approx(slope, abs=0.05)
    assert spearmanr(list(found), [rate.dimension for rate in found.values()]).statistic == 1

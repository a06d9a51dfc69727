"""Local dimension: calibration on balls of known dimension, the shared graph, equal points, bad input."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.geometry import local_dimension
from brainalign.kernels.neighbours import neighbour_graph

CHOICES = [("twonn", "arithmetic"), ("mle", "arithmetic"), ("mle", "harmonic"), ("mle", "unbiased")]


def ball(n, d, ambient, seed):
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(n, d))
    radius = rng.random((n, 1)) ** (1 / d)
    points = radius * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return points @ np.linalg.qr(rng.normal(size=(ambient, d)))[0].T


@pytest.mark.parametrize(
    ("d", "twonn", "mle", "harmonic"), [(2, 1.96, 2.06, 1.95), (5, 4.84, 4.86, 4.61), (10, 9.02, 8.99, 8.54)]
)
def test_calibration_on_balls(d, twonn, mle, harmonic):
    """Recorded means of uniform balls of 2,000 points in 300 columns."""
    graphs = [neighbour_graph(ball(2000, d, 300, seed), k=20) for seed in range(3)]

    def mean(**options):
        return np.mean([local_dimension(graph, **options).value for graph in graphs])

    assert mean(estimator="twonn") == pytest.approx(twonn, rel=0.05)
    assert mean(k=20) == pytest.approx(mle, rel=0.05)
    assert mean(k=20, average="harmonic") == pytest.approx(harmonic, rel=0.05)
    assert mean(k=20, average="unbiased") == pytest.approx(mean(k=20) * 18 / 19, rel=1e-12)


def test_averages_by_hand():
    X = np.array([[0.0], [1.0], [3.0], [7.0]])
    inverse = np.log([3, 2, 1.5, 1.5])
    result = local_dimension(X, k=2)
    np.testing.assert_allclose(result.pointwise, 1 / inverse, rtol=1e-12)
    assert result.value == pytest.approx(np.mean(1 / inverse))
    assert local_dimension(X, k=2, average="harmonic").value == pytest.approx(1 / inverse.mean())
    x = np.sort(np.log([3, 2, 1.5, 1.5]))[:3]
    y = -np.log(1 - np.array([0.25, 0.5, 0.75]))
    assert local_dimension(X, estimator="twonn").value == pytest.approx(x @ y / (x @ x))
    assert (result.k, result.n, result.dropped, result.rows.tolist()) == (2, 4, 0, [0, 1, 2, 3])


@pytest.mark.parametrize(("estimator", "average"), CHOICES)
def test_graph_gives_the_same_as_points(estimator, average):
    X = ball(300, 3, 10, 0)
    options = {"estimator": estimator, "average": average, "k": 10}
    direct = local_dimension(X, **options)
    shared = local_dimension(neighbour_graph(X, k=40), **options)
    assert shared.value == direct.value
    assert (direct.pointwise is None) == (estimator == "twonn")


@pytest.mark.parametrize(("estimator", "average"), CHOICES)
def test_offset_in_float32_does_not_move_the_result(estimator, average):
    # multiples of 2^-14 below 8: adding 100 loses no bit, so any change would come from the computation
    X = np.round(ball(1000, 5, 50, 1) * 2**14).astype(np.float32) / np.float32(2**14)
    options = {"estimator": estimator, "average": average, "k": 20}
    plain, shifted = local_dimension(X, **options), local_dimension(X + np.float32(100), **options)
    assert shifted.value == plain.value
    assert shifted.dropped == 0


def test_equal_points_are_dropped_and_counted():
    X = ball(200, 3, 5, 2)
    twice = np.concatenate([X, X[:50], X[:50]])
    order = np.random.default_rng(0).permutation(300)
    for estimator, average in CHOICES:
        clean = local_dimension(X, estimator=estimator, average=average, k=10)
        for given in (twice, neighbour_graph(twice, k=60), neighbour_graph(twice, k=10)):
            result = local_dimension(given, estimator=estimator, average=average, k=10)
            assert result.value == clean.value
            assert (result.n, result.dropped) == (200, 100)
            assert result.rows.tolist() == list(range(200))
        shuffled = local_dimension(twice[order], estimator=estimator, average=average, k=10)
        assert shuffled.value == pytest.approx(clean.value, rel=1e-12)


def test_half_the_points_equal():
    X = np.concatenate([ball(200, 2, 3, 3), np.zeros((200, 3))])
    result = local_dimension(X, k=20)
    assert (result.n, result.dropped) == (201, 199)
    assert result.value == pytest.approx(2, rel=0.15)


def test_cosine_graph_measures_on_the_sphere():
    X = np.random.default_rng(4).normal(size=(2000, 4))
    on_sphere = X / np.linalg.norm(X, axis=1, keepdims=True)
    graph = neighbour_graph(X, k=20, metric="cosine")
    assert local_dimension(graph, k=20).value == pytest.approx(local_dimension(on_sphere, k=20).value, rel=1e-9)


def test_one_column_and_ten_points():
    X = np.random.default_rng(5).random((1000, 1))
    assert local_dimension(X, k=20, average="harmonic").value == pytest.approx(1, rel=0.05)
    result = local_dimension(X[:10], k=9)
    assert np.isfinite(result.value)
    assert result.n == 10


def test_infinite_dimension_is_not_a_number_of_dimensions():
    corners = np.eye(30)
    for options in ({"k": 5}, {"k": 5, "average": "harmonic"}, {"estimator": "twonn"}):
        with pytest.raises(UndefinedError, match=r"equally far for|equally far, so"):
            local_dimension(corners, **options)
    mixed = np.concatenate([np.eye(3), 5 + np.random.default_rng(6).random((40, 3))])
    with pytest.raises(UndefinedError, match="around 3 of 43 points"):
        local_dimension(mixed, k=2)
    assert np.isinf(local_dimension(mixed, k=2, average="harmonic").pointwise).sum() == 3


def test_bad_input():
    X = np.random.default_rng(7).normal(size=(50, 3))
    with pytest.raises(ShapeError, match="k=50 needs at least 51"):
        local_dimension(X)
    with pytest.raises(ShapeError, match="the graph holds 5"):
        local_dimension(neighbour_graph(X, k=5), k=6)
    with pytest.raises(UndefinedError, match="only 1 of 50 points"):
        local_dimension(np.ones((50, 3)), k=5)
    with pytest.raises(UndefinedError, match="only 1 of 50 points"):
        local_dimension(np.ones((50, 3)), estimator="twonn")
    with pytest.raises(NonFiniteError):
        local_dimension(np.full((50, 3), np.nan), k=5)
    with pytest.raises(ChoiceError, match="'twonn'"):
        local_dimension(X, estimator="2nn", k=5)
    with pytest.raises(ChoiceError, match="'harmonic'"):
        local_dimension(X, average="harmonc", k=5)
    for k, average in ((1, "arithmetic"), (2, "unbiased"), (0, "harmonic")):
        with pytest.raises(InputError):
            local_dimension(X, k=k, average=average)

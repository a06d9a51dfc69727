"""Local dimension: calibration on balls of known dimension, the shared graph, equal points, bad input."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.geometry import local_dimension
from brainalign.geometry.local_dimension import ESTIMATORS
from brainalign.kernels.neighbours import neighbour_graph
from brainalign.testing.clouds import ball, gaussian, rotated

CHOICES = [
    *((estimator, "arithmetic") for estimator in ESTIMATORS),
    ("mle", "harmonic"),
    ("mle", "unbiased"),
    ("tle", "harmonic"),
]
WITHOUT_POINTS = ("twonn", "twonn-ml", "gride", "abide")


M0 = {
    # twonn, twonn-ml, gride k=16, mle k=10, 20, 50, 100, 1000, harmonic k=20, 50, unbiased k=20, mom k=20, mada k=20
    "ball 2": (1.96, 1.94, 1.95, 2.22, 2.06, 1.98, 1.94, 1.69, 1.95, 1.94, 1.95, 2.19, 2.08),
    "ball 5": (4.84, 4.82, 4.58, 5.23, 4.86, 4.60, 4.45, 3.57, 4.61, 4.51, 4.61, 5.13, 4.92),
    "ball 10": (9.02, 9.10, 8.53, 9.81, 8.99, 8.36, 7.98, 5.89, 8.54, 8.21, 8.51, 9.45, 9.00),
    "ball 20": (16.2, 16.3, 14.8, 17.2, 15.7, 14.5, 13.6, 9.2, 14.9, 14.2, 14.9, 16.5, 15.7),
    "ball 30": (22.2, 22.4, 19.9, 23.1, 21.1, 19.4, 18.1, 11.8),
    "ball 50": (32.6, 32.8, 28.5, 33.9, 30.5, 27.6, 25.6, 15.9),
    "gaussian 10": (9.76, 9.82, 9.08, 10.57, 9.68, 8.95, 8.47, 5.64),
}
M0_COLUMNS = (
    *({"estimator": e} for e in ("twonn", "twonn-ml")),
    {"estimator": "gride", "k": 16},
    *({"k": k} for k in (10, 20, 50, 100, 1000)),
    *({"k": k, "average": "harmonic"} for k in (20, 50)),
    {"k": 20, "average": "unbiased"},
    *({"estimator": e, "k": 20} for e in ("mom", "mada")),
)


def calibration(name, n_seeds, largest):
    kind, d = name.split()
    draw = {"ball": ball, "gaussian": gaussian}[kind]
    graphs = [neighbour_graph(draw(2000, int(d), seed), k=largest) for seed in range(n_seeds)]
    columns = [c for c in M0_COLUMNS[: len(M0[name])] if c.get("k", 2) <= largest]
    expected = [v for c, v in zip(M0_COLUMNS, M0[name], strict=False) if c in columns]
    return [np.mean([local_dimension(g, **c).value for g in graphs]) for c in columns], expected


@pytest.mark.parametrize("name", ["ball 2", "ball 10"])
def test_calibration(name):
    """Recorded means of three clouds of 2,000 points each, whatever the estimator."""
    measured, expected = calibration(name, n_seeds=6, largest=100)
    np.testing.assert_allclose(measured, expected, rtol=0.05)


@pytest.mark.study
@pytest.mark.parametrize("name", M0)
def test_whole_calibration_table(name):
    measured, expected = calibration(name, n_seeds=10, largest=1000)
    print(name, np.round(measured, 2).tolist())
    np.testing.assert_allclose(measured, expected, rtol=0.05)


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
    X = rotated(ball(300, 3), 10)
    options = {"estimator": estimator, "average": average, "k": 10}
    direct = local_dimension(X, **options)
    shared = local_dimension(neighbour_graph(X, k=40), **options)
    assert shared.value == direct.value
    assert (direct.pointwise is None) == (estimator in WITHOUT_POINTS)


@pytest.mark.parametrize(("estimator", "average"), CHOICES)
def test_offset_in_float32_does_not_move_the_result(estimator, average):
    # multiples of 2^-14 below 8: adding 100 loses no bit, so any change would come from the computation
    X = np.round(rotated(ball(300, 5, 1), 50) * 2**14).astype(np.float32) / np.float32(2**14)
    options = {"estimator": estimator, "average": average, "k": 20}
    plain, shifted = local_dimension(X, **options), local_dimension(X + np.float32(100), **options)
    assert shifted.value == plain.value
    assert shifted.dropped == 0


def test_equal_points_are_dropped_and_counted():
    X = rotated(ball(120, 3, 2), 5)
    twice = np.concatenate([X, X[:30], X[:30]])
    order = np.random.default_rng(0).permutation(180)
    clean_graph, shuffled_graph = neighbour_graph(X, k=20), neighbour_graph(twice[order], k=20)
    graphs = [neighbour_graph(twice, k=60), neighbour_graph(twice, k=10)]
    for estimator, average in CHOICES:
        options = {"estimator": estimator, "average": average, "k": 10}
        clean = local_dimension(clean_graph, **options)
        for graph in graphs:
            result = local_dimension(graph, **options)
            assert result.value == clean.value
            assert (result.n, result.dropped, result.nearly_equal) == (120, 60, 0)
            assert result.rows.tolist() == list(range(120))
        assert local_dimension(shuffled_graph, **options).value == pytest.approx(clean.value, rel=1e-9)
    assert local_dimension(twice, k=10).value == local_dimension(X, k=10).value


@pytest.mark.parametrize("gap", [0.0, 1e-7, 1e-3])
def test_twonn_of_points_is_that_of_their_ten_neighbours(gap):
    # two neighbours are looked for where no point can be nearly equal to another, which takes ten to say
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 6))
    X = np.concatenate([X, X[:40] + gap * rng.normal(size=(40, 6))])
    alone, shared = (local_dimension(x, estimator="twonn") for x in (X, neighbour_graph(X, k=10)))
    assert alone.n == shared.n == (340 if gap == 1e-3 else 300)
    assert (alone.value, alone.error, alone.dropped) == (shared.value, shared.error, shared.dropped)
    np.testing.assert_array_equal(alone.rows, shared.rows)


def test_half_the_points_equal():
    X = np.concatenate([rotated(ball(200, 2, 3), 3), np.zeros((200, 3))])
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


@pytest.mark.parametrize("estimator", ESTIMATORS)
class TestEveryEstimator:
    """What all estimators do with points that are few, equal, far apart, or on a line."""

    def test_two_clusters_far_apart(self, estimator):
        far = np.concatenate([ball(100, 3, 0), ball(100, 3, 1) + 1e4])
        one = local_dimension(ball(100, 3, 0), estimator=estimator, k=20).value
        assert local_dimension(far, estimator=estimator, k=20).value == pytest.approx(one, rel=0.25)

    def test_one_column(self, estimator):
        line = np.random.default_rng(5).random((400, 1))
        value = local_dimension(line, estimator=estimator, k=20).value
        if estimator in ("lpca-broken-stick", "lpca-kaiser"):
            assert value == 0  # the only eigenvalue does not lie above the mean of all, nor above the whole stick
        else:
            assert value == pytest.approx(1, rel=0.15)

    def test_ten_points(self, estimator):
        result = local_dimension(ball(10, 2), estimator=estimator, k=9)
        assert np.isfinite(result.value)
        assert result.n == 10

    def test_points_that_do_not_differ(self, estimator):
        for X in (np.ones((50, 3)), np.repeat(ball(2, 3), 10, axis=0)):
            with pytest.raises(UndefinedError, match=r"only (1|2) of"):
                local_dimension(X, estimator=estimator, k=6)
        half = np.concatenate([ball(100, 3), np.zeros((100, 3))])
        result = local_dimension(half, estimator=estimator, k=20)
        assert (result.n, result.dropped) == (101, 99)
        assert np.isfinite(result.value)

    def test_not_finite_or_too_few(self, estimator):
        with pytest.raises(NonFiniteError):
            local_dimension(np.full((50, 3), np.nan), estimator=estimator, k=6)
        with pytest.raises(ShapeError):
            local_dimension(ball(2, 3), estimator=estimator, k=6)

    def test_scale_and_rotation_do_not_move_the_result(self, estimator):
        X = ball(100, 4, 3)
        value = local_dimension(X, estimator=estimator, k=12).value
        # three variants of lpca count columns that hold nothing, by definition
        wide = 4 if estimator in ("lpca-maxgap", "lpca-kaiser", "lpca-broken-stick") else 30
        for moved in (X * 1e-150, X * 1e150, rotated(X, wide) + 7):
            assert local_dimension(moved, estimator=estimator, k=12).value == pytest.approx(value, rel=1e-6)


def test_corners_of_a_simplex_and_zeros_in_the_average():
    for estimator in ("tle", "mom", "mada", "gride", "twonn-ml", "abide"):
        with pytest.raises(UndefinedError):
            local_dimension(np.eye(30), estimator=estimator, k=8)
    zeros = local_dimension(np.random.default_rng(5).random((50, 1)), estimator="lpca-kaiser", k=8, average="harmonic")
    assert zeros.value == 0
    assert np.isnan(zeros.error)


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
    with pytest.raises(ChoiceError, match="belongs to estimator='mle'"):
        local_dimension(X, estimator="tle", average="unbiased", k=5)
    with pytest.raises(InputError, match="at least 6"):
        local_dimension(X, estimator="abide", k=5)


def test_few_points_of_many_dimensions_have_fewer():
    """515 points of 768 dimensions seem to have 100, and fewer points fewer: values of different n do not compare."""
    points = np.random.default_rng(0).normal(size=(515, 768))
    all_of_them, some = local_dimension(points, k=20), local_dimension(points[:64], k=20)
    assert all_of_them.value < 0.2 * 768
    assert some.value < 0.8 * all_of_them.value
    assert (all_of_them.n, some.n) == (515, 64)

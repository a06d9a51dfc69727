"""Dimension over scales: recorded curves, excess over references, extremes, bad input."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.geometry import decimation_curve, dimension_curve, local_dimension
from brainalign.geometry.dimension_curve import default_scales
from brainalign.geometry.references import GRID, matched_reference, reference_draws
from brainalign.kernels.neighbours import neighbour_graph
from brainalign.testing.clouds import ball, cantor, clusters, gaussian, power_law, rotated, sierpinski, with_noise

M1 = {  # harmonic mle at k = 16, 32, …, 1024 and at all neighbours of 2,000 points
    2: (2.0, 1.9, 1.9, 1.9, 1.8, 1.8, 1.7, 1.3),
    5: (4.6, 4.5, 4.5, 4.3, 4.2, 4.0, 3.6, 2.1),
    10: (8.5, 8.3, 8.1, 7.8, 7.3, 6.8, 5.8, 2.7),
    20: (15.1, 14.6, 13.9, 13.2, 12.2, 11.0, 9.2, 3.5),
}
SCALES = (16, 32, 64, 128, 256)


def values_and_extreme(X):
    curve = dimension_curve(X, reference=None)
    return [*curve.values, curve.extreme_value]


@pytest.mark.parametrize("d", [2, 20])
def test_recorded_curves_of_balls(d):
    """Values are recorded to one decimal."""
    np.testing.assert_allclose(values_and_extreme(ball(2000, d)), M1[d], rtol=0.05, atol=0.05)


@pytest.mark.study
@pytest.mark.parametrize("d", M1)
def test_recorded_curves_of_all_balls(d):
    measured = np.mean([values_and_extreme(ball(2000, d, seed)) for seed in range(5)], axis=0)
    print(f"ball {d}", measured.round(2).tolist())
    np.testing.assert_allclose(measured, M1[d], rtol=0.05, atol=0.05)


def test_curve_equals_local_dimension_at_each_scale():
    X = rotated(gaussian(200, 4), 30)
    for estimator, average in (("mle", "harmonic"), ("mle", "unbiased"), ("gride", "harmonic"), ("mom", "arithmetic"),
                               ("mada", "arithmetic"), ("tle", "arithmetic"), ("abide", "harmonic")):  # fmt: skip
        curve = dimension_curve(X, scales=(8, 20, 60), estimator=estimator, average=average, reference=None)
        graph = neighbour_graph(X, k=60)
        expected = [local_dimension(graph, estimator=estimator, average=average, k=k).value for k in (8, 20, 60)]
        np.testing.assert_allclose(curve.values, expected, rtol=1e-9)
        shared = dimension_curve(graph, scales=(8, 20, 60), estimator=estimator, average=average, reference=None)
        np.testing.assert_allclose(shared.values, expected, rtol=1e-12)
        assert shared.extreme_scale is None


def test_slopes_by_hand():
    curve = dimension_curve(gaussian(200, 3), scales=(16, 32, 64))
    x, y = np.log(curve.scales), np.log(curve.values)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert curve.loglog_slope == pytest.approx(slope)
    assert curve.slope == pytest.approx(np.polyfit(np.log10(curve.scales), curve.values, 1)[0])
    assert curve.cv == pytest.approx(curve.values.std() / curve.values.mean())
    reference = curve.references["ball"].values
    assert reference[0] == pytest.approx(curve.values[0], rel=1e-12)
    assert curve.excess_slope == pytest.approx(slope - np.polyfit(x, np.log(reference[:3]), 1)[0])
    last = curve.slopes(drop_last=1)
    assert last.loglog_slope == pytest.approx(np.log(curve.values[1] / curve.values[0]) / np.log(2))
    assert curve.slopes(extremes=True).loglog_slope < curve.loglog_slope
    with pytest.raises(UndefinedError, match="at least two"):
        curve.slopes(drop_last=2)


@pytest.mark.parametrize("d", [2, 8, 20])
def test_excess_slope_takes_dimension_out(d):
    curve = dimension_curve(ball(1000, d, seed=100), scales=SCALES)
    assert abs(curve.excess_slope) < 0.02
    if d > 2:
        assert abs(curve.loglog_slope) > 0.02


@pytest.mark.study
def test_excess_slopes_of_balls_of_many_dimensions():
    dimensions = (2, 3, 4, 5, 7, 10, 14, 20)
    curves = [[dimension_curve(ball(2000, d, seed)) for seed in range(5)] for d in dimensions]
    excess = np.array([[c.excess_slope for c in row] for row in curves])
    raw = np.array([np.mean([c.loglog_slope for c in row]) for row in curves])
    print("raw", raw.round(3).tolist(), "largest excess", np.abs(excess).max(1).round(4).tolist())
    assert np.abs(excess).max() < 0.02
    assert np.all(np.diff(raw) < 0)
    assert np.all(np.abs(raw[3:]) > 0.02)


def test_fractals_lie_in_their_bands():
    sierpinski_values = dimension_curve(sierpinski(2000), scales=(16, 64, 256, 512), reference=None).values
    assert np.all(np.abs(sierpinski_values - np.log(3) / np.log(2)) < 0.15)
    cantor_values = dimension_curve(cantor(2000), scales=(16, 64, 256, 512), reference=None).values
    assert np.all(np.abs(cantor_values - 4 * np.log(2) / np.log(3)) < 0.35)


def test_structure_is_claimed_outside_the_references_only():
    kinds = ("ball", "gaussian", "sphere")
    inside = dimension_curve(gaussian(400, 6, 1), scales=SCALES[:4], reference=kinds)
    assert set(inside.excess_slopes) == set(kinds)
    assert inside.outside_references is False
    steep = dimension_curve(power_law(400, 1.5), scales=SCALES[:4], reference=kinds)
    assert steep.outside_references is True
    assert max(steep.excess_slopes.values()) < 0
    assert dimension_curve(gaussian(100, 2), scales=(4, 8)).outside_references is None


def test_noise_steepens_the_curve_and_repeats_flatten_it():
    X = ball(600, 5)
    slopes = [
        dimension_curve(with_noise(X, size), scales=SCALES, reference=None).loglog_slope for size in (0, 0.1, 0.5)
    ]
    assert slopes[0] > slopes[1] > slopes[2]
    rng = np.random.default_rng(3)
    placed = rotated(X, 300)
    repeats = [placed + 0.5 / 300**0.5 * rng.normal(size=placed.shape) for _ in range(3)]
    averaged = dimension_curve(np.mean(repeats, axis=0), scales=SCALES, reference=None).loglog_slope
    assert slopes[2] < averaged < slopes[0]


def test_clusters_dip_at_their_size():
    curve = dimension_curve(clusters(1000, 25), scales=(16, 32, 64, 128, 256), reference=None)
    assert np.argmin(curve.values) == 2


def test_references_are_kept():
    before = reference_draws.cache_info()
    scales = (4, 8, 16)
    first = matched_reference("ball", 2.3, 90, scales, "mle", "harmonic")
    middle = reference_draws.cache_info()
    again = matched_reference("ball", 2.3, 90, scales, "mle", "harmonic")
    after = reference_draws.cache_info()
    np.testing.assert_array_equal(first.values, again.values)
    assert middle.misses > before.misses
    assert after.misses == middle.misses


def test_references_at_the_ends_of_the_grid():
    scales = (4, 8, 16)
    low = matched_reference("ball", 0.4, 60, scales, "mle", "harmonic").values
    one = reference_draws("ball", 1, 60, scales, "mle", "harmonic").mean(0)
    np.testing.assert_allclose(low / low[0], one / one[0])
    largest = reference_draws("ball", GRID[-1], 60, scales, "mle", "harmonic")[:, 0].mean()
    assert np.isnan(matched_reference("ball", 2 * largest, 60, scales, "mle", "harmonic").values).all()


def test_default_scales():
    assert default_scales(2000) == (16, 32, 64, 128, 256, 512, 1024)
    assert default_scales(10) == (2, 4)
    assert default_scales(64)[-1] == 32
    assert all(max(default_scales(n)) < n - 1 for n in range(6, 200))


def test_equal_points_and_small_clouds():
    X = gaussian(80, 3)
    clean = dimension_curve(X, reference=None)
    doubled = dimension_curve(np.concatenate([X, X]), reference=None)
    np.testing.assert_allclose(doubled.values, clean.values, rtol=1e-12)
    assert (doubled.n, doubled.dropped) == (80, 80)
    ten = dimension_curve(gaussian(10, 2))
    assert ten.scales.tolist() == [2, 4]
    assert np.isfinite(ten.excess_slope)
    line = dimension_curve(np.random.default_rng(0).random((200, 1)))
    np.testing.assert_allclose(line.values[:2], 1, rtol=0.1)


def test_bad_input():
    X = gaussian(50, 3)
    with pytest.raises(ShapeError, match="49 neighbours"):
        dimension_curve(X, scales=(16, 50))
    with pytest.raises(ShapeError, match="the largest scale is 20"):
        dimension_curve(neighbour_graph(X, k=10), scales=(5, 20))
    for scales in ((16,), (32, 16), (0, 16), (16, 16)):
        with pytest.raises(InputError):
            dimension_curve(X, scales=scales)
    with pytest.raises(ChoiceError, match="decimation_curve"):
        dimension_curve(X, estimator="twonn", scales=(4, 8))
    with pytest.raises(ChoiceError, match="'ball'"):
        dimension_curve(X, reference="bal", scales=(4, 8))
    with pytest.raises(NonFiniteError):
        dimension_curve(np.full((50, 3), np.nan))
    with pytest.raises(UndefinedError, match="only 1 of 50"):
        dimension_curve(np.ones((50, 3)), scales=(4, 8))
    with pytest.raises(UndefinedError, match="only 25 points differ"):
        dimension_curve(np.concatenate([X[:25], X[:25]]), scales=(4, 30))


def test_decimation():
    X = ball(400, 3)
    curve = decimation_curve(X, sizes=(400, 100), seed=1)
    assert curve.values[0] == pytest.approx(local_dimension(X, estimator="twonn").value, rel=1e-12)
    order = np.random.default_rng(1).permutation(400)
    parts = [local_dimension(X[order[i : i + 100]], estimator="twonn").value for i in range(0, 400, 100)]
    assert curve.values[1] == pytest.approx(np.mean(parts))
    assert curve.errors[1] == pytest.approx(np.std(parts, ddof=1) / 2)
    assert np.isnan(curve.errors[0])
    assert curve.distance[1] > curve.distance[0]
    noisy = decimation_curve(with_noise(ball(2000, 2), 0.1, ambient=50))
    assert noisy.values[0] > 2 * noisy.values[-1]
    with pytest.raises(InputError, match="sizes"):
        decimation_curve(X, sizes=(500,))

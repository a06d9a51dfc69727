"""Shapes of neighbourhoods: Gromov-Wasserstein and its bounds, the debiased curve, patterns over scales."""

import numpy as np
import ot
import pytest
from scipy.spatial.distance import pdist, squareform

from brainalign.errors import ChoiceError, InputError, NonFiniteError, PairingError, ShapeError, UndefinedError
from brainalign.geometry import (
    concentration,
    dimension_curve,
    scale_pattern_similarity,
    spectrum_exponent,
    structure_curve,
)
from brainalign.geometry.shape_distance import first_lower_bound, second_lower_bound, shape_distance, shape_of
from brainalign.kernels.gromov import third_lower_bound
from brainalign.kernels.neighbours import neighbour_graph
from brainalign.testing.clouds import ball, branching_tree, cantor, clusters, gaussian, power_law, rotated, sierpinski


def random_shape(seed, n=15):
    return shape_of(gaussian(n, 2 + seed % 7, seed) * np.linspace(1, 0.2, 2 + seed % 7))


def test_shape_has_mean_one():
    X = gaussian(12, 3)
    expected = squareform(pdist(X)) / pdist(X).mean()
    np.testing.assert_allclose(shape_of(X), expected, rtol=1e-12)
    np.testing.assert_allclose(shape_of(7 * rotated(X, 9) + 3), expected, rtol=1e-9)
    with pytest.raises(UndefinedError, match="no shape"):
        shape_of(np.ones((5, 2)))


def test_lower_bounds_bound_on_forty_pairs():
    for seed in range(40):
        C, D = random_shape(seed), random_shape(100 + seed)
        gw = shape_distance(C, D, n_starts=3)
        third = third_lower_bound(C, D)[0]
        assert gw >= third * (1 - 1e-9)
        assert third >= second_lower_bound(C, D) * (1 - 1e-9)
        assert third >= first_lower_bound(C, D) * (1 - 1e-9)


def test_agrees_with_pot():
    C, D = random_shape(1), random_shape(2)
    uniform = np.full(15, 1 / 15)
    expected = ot.gromov_wasserstein2(C, D, uniform, uniform, "square_loss", symmetric=True)
    assert shape_distance(C, D) == pytest.approx(expected, rel=1e-9)


def test_a_permuted_shape_is_the_same():
    C = random_shape(3)
    order = np.random.default_rng(0).permutation(15)
    assert shape_distance(C, C[np.ix_(order, order)], n_starts=5) < 1e-8
    # more starts never make it worse
    D = random_shape(4)
    assert shape_distance(C, D, n_starts=6) <= shape_distance(C, D, n_starts=2) <= shape_distance(C, D)


def test_curve_by_definition():
    X = gaussian(150, 4)
    curve = structure_curve(X, scales=(20, 40, 80), n_points=10, n_references=3, method="slb", seed=5)
    rng = np.random.default_rng(5)
    centres = np.sort(rng.choice(150, 3, replace=False))
    order = np.argsort(squareform(pdist(X)), axis=1)[:, 1:]
    consecutive, floor = [], []
    for centre in centres:
        draws = [
            [shape_of(X[rng.choice(order[centre, :k], 10, replace=False)]) for _ in range(2)] for k in (20, 40, 80)
        ]
        consecutive.append([second_lower_bound(draws[i][0], draws[i + 1][0]) for i in range(2)])
        floor.append([second_lower_bound(*pair) for pair in draws])
    debiased = np.array(consecutive) - (np.array(floor)[:, 1:] + np.array(floor)[:, :-1]) / 2
    np.testing.assert_allclose(curve.raw_consecutive, np.mean(consecutive, axis=0), rtol=1e-9)
    np.testing.assert_allclose(curve.floor, np.mean(floor, axis=0), rtol=1e-9)
    np.testing.assert_allclose(curve.consecutive, debiased.mean(0), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(curve.consecutive_error, debiased.std(0, ddof=1) / np.sqrt(3), rtol=1e-6)
    assert curve.to_largest[-1] == curve.consecutive[-1]
    assert curve.mean == pytest.approx(curve.consecutive.mean())
    assert curve.slope == pytest.approx((curve.consecutive[1] - curve.consecutive[0]) / np.log10(2))
    raw = structure_curve(X, scales=(20, 40, 80), n_points=10, n_references=3, method="slb", seed=5, debiased=False)
    np.testing.assert_array_equal(raw.consecutive, curve.raw_consecutive)


def test_graph_gives_the_same_as_points():
    X = gaussian(200, 3)
    options = {"scales": (20, 60), "n_points": 12, "n_references": 4}
    direct = structure_curve(X, **options)
    shared = structure_curve(neighbour_graph(X, k=60), **options)
    np.testing.assert_allclose(shared.consecutive, direct.consecutive, rtol=1e-9)
    default = structure_curve(neighbour_graph(X, k=70), n_points=12, n_references=2, method="slb")
    assert default.scales.tolist() == [16, 32, 64]


def test_clusters_stand_out_of_clouds_without_structure():
    found = {}
    for name, X in {"ball": ball(600, 10), "gaussian": gaussian(600, 20), "clusters": clusters(600, 15)}.items():
        found[name] = structure_curve(X, scales=(64, 256), n_references=10)
    cluster = found.pop("clusters")
    assert cluster.consecutive[0] > 0.2
    for curve in found.values():
        assert curve.consecutive[0] < 3 * curve.consecutive_error[0] + 0.002
        error = np.hypot(cluster.consecutive_error[0], curve.consecutive_error[0])
        assert cluster.consecutive[0] - curve.consecutive[0] > 10 * error
        # the raw distance is nearly all floor
        assert curve.raw_consecutive[0] < 1.1 * curve.floor.mean()


@pytest.mark.study
def test_debiased_structure_of_all_sets():
    sets = {
        "ball 2": ball(2000, 2), "ball 5": ball(2000, 5), "ball 10": ball(2000, 10), "ball 20": ball(2000, 20),
        "gaussian 20": gaussian(2000, 20), "power law 1": power_law(2000, 1), "power law 2": power_law(2000, 2),
        "sierpinski": sierpinski(2000), "cantor": cantor(2000),
    }  # fmt: skip
    cluster = structure_curve(clusters(2000), scales=(64, 256, 1024), n_references=30)
    print("clusters", (1e3 * cluster.consecutive).round(1), (1e3 * cluster.consecutive_error).round(1))
    assert cluster.consecutive[0] > 0.2
    for name, X in sets.items():
        curve = structure_curve(X, scales=(64, 256, 1024), n_references=30)
        print(name, (1e3 * curve.consecutive).round(1), (1e3 * curve.consecutive_error).round(1), "raw distance",
              np.sqrt(curve.raw_consecutive).round(3), "floor", np.sqrt(curve.floor).round(3))  # fmt: skip
        error = np.hypot(cluster.consecutive_error[0], curve.consecutive_error[0])
        assert cluster.consecutive[0] - curve.consecutive[0] > 10 * error, name
        if name in ("ball 10", "ball 20"):
            assert np.all(curve.consecutive < 3 * curve.consecutive_error + 0.002), name


def features(X):
    curve = dimension_curve(X, scales=(16, 32, 64, 128, 256))
    structure = structure_curve(X, scales=(64, 256), n_references=12)
    return [curve.excess_slope, structure.consecutive[0], spectrum_exponent(X, fit=(2, 12)).exponent]


@pytest.mark.study
def test_three_measures_tell_kinds_of_clouds_apart():
    """Each cloud goes to the kind whose other clouds are nearest on average, in units of the spread within kinds."""
    kinds = {
        "uniform": lambda s: rotated(ball(1000, 12, s), 60),
        "gaussian": lambda s: rotated(gaussian(1000, 12, s), 60),
        "power law": lambda s: power_law(1000, 1.0, 100, s),
        "sierpinski": lambda s: np.hstack([sierpinski(1000, s + 100 * i) for i in range(3)]),
        "cantor": lambda s: cantor(1000, 4, s),
        "tree": lambda s: branching_tree(1000, seed=s),
        "clusters": lambda s: clusters(1000, 25, seed=s),
    }
    measured = np.array([[features(draw(seed)) for seed in range(10)] for draw in kinds.values()])
    for name, rows in zip(kinds, measured, strict=True):
        print(name, rows.mean(0).round(3), rows.std(0).round(3))
    spread = measured.std(axis=1).mean(0)
    right = 0
    for kind in range(len(kinds)):
        for seed in range(10):
            centroids = measured.mean(1)
            centroids[kind] = np.delete(measured[kind], seed, axis=0).mean(0)
            right += np.argmin((((measured[kind, seed] - centroids) / spread) ** 2).sum(1)) == kind
    print(f"{right} of {10 * len(kinds)} clouds go to their kind")
    assert right >= 0.9 * 10 * len(kinds)


def test_bad_input():
    X = gaussian(120, 3)
    with pytest.raises(ShapeError, match="smaller n_points"):
        structure_curve(X)
    with pytest.raises(ShapeError, match="n_points"):
        structure_curve(gaussian(10, 2))
    for scales in ((30, 60), (60,), (100, 60)):
        with pytest.raises(InputError, match="above n_points=48"):
            structure_curve(X, scales=scales)
    with pytest.raises(UndefinedError, match="only 120 points differ"):
        structure_curve(X, scales=(60, 120))
    with pytest.raises(UndefinedError, match="only 60 points differ"):
        structure_curve(np.concatenate([X[:60], X[:60]]), scales=(50, 70))
    with pytest.raises(UndefinedError, match="only 1 of 120"):
        structure_curve(np.ones((120, 3)), scales=(50, 70))
    with pytest.raises(ChoiceError, match="'tlb'"):
        structure_curve(X, method="tlbb")
    with pytest.raises(NonFiniteError):
        structure_curve(np.full((120, 3), np.nan), scales=(50, 70))
    for options in ({"n_points": 2}, {"n_references": 1}, {"n_starts": 0, "scales": (50, 70)}):
        with pytest.raises(InputError):
            structure_curve(X, **options)
    line = structure_curve(np.random.default_rng(0).random((120, 1)), scales=(20, 60), n_points=10, n_references=4)
    assert np.isfinite(line.mean)


def test_similarity_of_dimension_patterns():
    scales = (8, 16, 32, 64)
    a = dimension_curve(gaussian(300, 3), scales=scales, reference=None)
    b = dimension_curve(power_law(300, 1.0, 60), scales=scales[1:], reference=None)
    similarity = scale_pattern_similarity(a, b)
    assert similarity.scales.tolist() == [16, 32, 64]
    logs = np.log(a.values[1:] / a.values[-1]), np.log(b.values / b.values[-1])
    assert similarity.r == pytest.approx(np.corrcoef(*logs)[0, 1])
    assert similarity.l2 == pytest.approx(np.sqrt(((logs[0] - logs[1]) ** 2).sum()))
    with pytest.raises(UndefinedError, match="2 scales in common"):
        scale_pattern_similarity(a, dimension_curve(gaussian(300, 3), scales=(8, 64), reference=None))
    with pytest.raises(InputError, match="n=300 and 200"):
        scale_pattern_similarity(a, dimension_curve(gaussian(200, 3), scales=scales, reference=None))


def test_similarity_of_structure_patterns():
    options = {"scales": (16, 32, 64, 128), "n_points": 10, "n_references": 5, "method": "slb"}
    a, b = structure_curve(clusters(300, 10), **options), structure_curve(clusters(300, 10, seed=1), **options)
    similarity = scale_pattern_similarity(a, b)
    assert similarity.r == pytest.approx(np.corrcoef(a.to_largest, b.to_largest)[0, 1])
    assert similarity.scales.tolist() == [16, 32, 64]
    with pytest.raises(InputError, match="largest scales"):
        scale_pattern_similarity(a, structure_curve(clusters(300, 10), **{**options, "scales": (16, 32, 64)}))
    with pytest.raises(InputError, match="do not compare"):
        scale_pattern_similarity(a, dimension_curve(gaussian(100, 2), reference=None))


def test_concentration_against_a_model():
    X, model = power_law(200, 2.0, 30), gaussian(200, 30)
    result = concentration(X, model, fit=(2, 25))
    curves = [dimension_curve(M, reference=None).values for M in (X, model)]
    np.testing.assert_allclose(result.ratio, curves[0] / curves[1])
    assert result.small_to_large == pytest.approx(curves[0][0] / curves[0][-1])
    assert result.participation_ratio < 4
    assert result.exponent == pytest.approx(2, abs=0.3)
    assert concentration(X, fit=(2, 25)).ratio is None
    with pytest.raises(PairingError, match="same number"):
        concentration(X, model[:100], fit=(2, 25))

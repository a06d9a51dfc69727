"""Global dimension against eigenvalues, counts of pairs, and trees."""

import importlib

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError, UndefinedError
from brainalign.geometry import correlation_curve, global_dimension
from brainalign.geometry.global_dimension import GLOBAL_ESTIMATORS
from brainalign.geometry.spanning_tree import tree_length
from brainalign.testing.clouds import ball, gaussian, rotated


def from_eigenvalues(X):
    eigenvalues = np.linalg.eigvalsh(np.cov(np.asarray(X, dtype=np.float64).T))
    return eigenvalues.sum() ** 2 / (eigenvalues**2).sum()


@pytest.mark.parametrize("shape", [(60, 20), (20, 60), (40, 40), (30, 2)])
@pytest.mark.parametrize("panel", [1024, 7])
def test_equals_eigenvalues(shape, panel, monkeypatch):
    monkeypatch.setattr(importlib.import_module("brainalign.geometry.global_dimension"), "PANEL", panel)
    X = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    assert global_dimension(X) == pytest.approx(from_eigenvalues(X), rel=1e-11)


def test_known_values():
    t = np.linspace(0, 1, 50)[:, None]
    assert global_dimension(t * [[1.0, 2.0, 3.0]]) == pytest.approx(1, rel=1e-12)
    assert global_dimension(t) == pytest.approx(1, rel=1e-12)
    assert global_dimension(np.eye(12)) == pytest.approx(11, rel=1e-12)
    isotropic = np.random.default_rng(1).normal(size=(20_000, 6))
    assert global_dimension(isotropic) == pytest.approx(6, rel=0.01)


def test_offset_in_float32_does_not_move_the_result():
    X = np.round(np.random.default_rng(2).normal(size=(200, 30)) * 2**10).astype(np.float32) / np.float32(2**10)
    assert global_dimension(X + np.float32(100)) == pytest.approx(global_dimension(X), rel=1e-6)
    assert global_dimension(X) == pytest.approx(from_eigenvalues(X), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-200, 1e200, 5e-320])
def test_scale_does_not_move_the_result(scale):
    X = np.random.default_rng(3).integers(-50, 50, (40, 5)).astype(float)
    assert global_dimension(X * scale) == pytest.approx(global_dimension(X), rel=0.01 if scale < 1e-300 else 1e-11)


def test_bad_input():
    with pytest.raises(UndefinedError, match="all 20 points are equal"):
        global_dimension(np.full((20, 3), 0.1))
    with pytest.raises(UndefinedError, match="all 20 points are equal"):
        global_dimension(np.zeros((20, 3)))
    with pytest.raises(ShapeError):
        global_dimension(np.ones((1, 3)))
    with pytest.raises(NonFiniteError):
        global_dimension(np.array([[1.0], [np.inf]]))
    with pytest.raises(ChoiceError, match="'participation-ratio'"):
        global_dimension(np.eye(3), estimator="participation")


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_linear_estimators_by_definition(shape):
    X = np.random.default_rng(4).normal(size=shape) * np.arange(1, shape[1] + 1) ** -0.7
    singular = np.linalg.svd(X - X.mean(0), compute_uv=False)
    share = singular[singular > 1e-9] / singular.sum()
    assert global_dimension(X, estimator="effective-rank") == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    variance = np.cumsum(singular**2) / (singular**2).sum()
    assert global_dimension(X, estimator="pca-variance") == 1 + np.argmax(variance >= 0.95)


def test_correlation_curve_counts_pairs():
    X = gaussian(150, 3)
    distance = pdist(X)
    curve = correlation_curve(X, n_radii=8)
    # the first and the last radius are distances of pairs, which rounding may put on either side
    np.testing.assert_allclose(curve.integral, [(distance < r).mean() for r in curve.radius], atol=1.5 / len(distance))
    slope = np.log(curve.integral[4] / curve.integral[3]) / np.log(curve.radius[4] / curve.radius[3])
    assert curve.slope[3] == pytest.approx(slope)
    nearest = np.sort(squareform(distance), axis=1)[:, 1]
    assert curve.radius[0] == pytest.approx(np.median(nearest))
    assert curve.radius[-1] == pytest.approx(np.median(distance), rel=1e-9)
    square = correlation_curve(ball(1500, 2))
    assert np.median(square.slope[5:12]) == pytest.approx(2, rel=0.1)


def test_tree_length_equals_scipy():
    distance = squareform(pdist(gaussian(80, 4)))
    assert tree_length(distance) == pytest.approx(minimum_spanning_tree(distance).sum())


@pytest.mark.parametrize("d", [2, 4])
def test_tree_dimension_of_balls(d):
    assert global_dimension(rotated(ball(600, d), 20), estimator="mst") == pytest.approx(d, rel=0.25)


@pytest.mark.parametrize("estimator", GLOBAL_ESTIMATORS)
class TestEveryEstimator:
    """What all do with points that are few, equal, far apart or on a line."""

    def test_rotation_and_scale_do_not_move_the_result(self, estimator):
        X = gaussian(60, 4, 5)
        value = global_dimension(X, estimator=estimator)
        for moved in (rotated(X, 70) + 3, X * 1e-150, X * 1e140):
            assert global_dimension(moved, estimator=estimator) == pytest.approx(value, rel=1e-6)

    def test_points_on_a_line(self, estimator):
        line = np.random.default_rng(6).random((200, 1))
        assert global_dimension(line, estimator=estimator) == pytest.approx(1, rel=0.2)

    def test_bad_input(self, estimator):
        with pytest.raises(UndefinedError):
            global_dimension(np.ones((40, 3)), estimator=estimator)
        with pytest.raises(ShapeError):
            global_dimension(np.ones((1, 3)), estimator=estimator)
        with pytest.raises(NonFiniteError):
            global_dimension(np.full((40, 3), np.nan), estimator=estimator)

    def test_half_equal_and_two_clusters(self, estimator):
        half = np.concatenate([gaussian(50, 3), np.zeros((50, 3))])
        assert np.isfinite(global_dimension(half, estimator=estimator))
        far = np.concatenate([gaussian(50, 3), 1e4 + gaussian(50, 3, 1)])
        assert np.isfinite(global_dimension(far, estimator=estimator))


def test_too_few_points_for_a_curve():
    with pytest.raises(ShapeError):
        correlation_curve(np.eye(4))
    with pytest.raises(UndefinedError, match="all distances between points are equal"):
        correlation_curve(np.eye(12))
    with pytest.raises(InputError, match="n_radii"):
        correlation_curve(gaussian(20, 2), n_radii=1)

"""Participation ratio against eigenvalues."""

import importlib

import numpy as np
import pytest

from brainalign.errors import ChoiceError, NonFiniteError, ShapeError, UndefinedError
from brainalign.geometry import global_dimension


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

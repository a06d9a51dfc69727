"""An accelerator gives the numbers of the processor: float64 to 1e-8, float32 to 1e-4.

Skipped where there is no CUDA device. ``BRAINALIGN_TEST_DEVICE=cpu`` runs the same lines on the processor, which shows
that they run, and nothing else.
"""

import os
from dataclasses import asdict

import numpy as np
import pytest
import torch

import brainalign
from brainalign.encoding import BandedRidgeCV, RidgeCV
from brainalign.geometry.local_dimension import ESTIMATORS
from brainalign.metrics import METRICS
from brainalign.testing.small_network import embed_small, image_store, values_of

DEVICE = os.environ.get("BRAINALIGN_TEST_DEVICE", "cuda")

pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="needs a CUDA device, and there is none"
)

PRECISIONS = pytest.mark.parametrize("precision", ["float64", "float32"])
AGREE = {"float64": 1e-8, "float32": 1e-4}
SIMILARITY = [name for name, metric in METRICS.items() if metric.family == "similarity"]
BY_FORM = [name for name, metric in METRICS.items() if metric.form is not None and not metric.fits]


def _pair(precision, n=120, p=24, q=20):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, p))
    Y = X @ rng.normal(size=(p, q)) + 4 * rng.normal(size=(n, q))
    return X.astype(precision), Y.astype(precision)


def _there(*matrices):
    return [torch.as_tensor(matrix, device=DEVICE) for matrix in matrices]


def _cloud(precision, n=400, p=24):
    rng = np.random.default_rng(5)
    return (rng.normal(size=(n, 6)) @ rng.normal(size=(6, p)) + 0.05 * rng.normal(size=(n, p))).astype(precision)


def _numbers(value):
    """Everything numeric in a result, one after the other."""
    if isinstance(value, dict):
        return np.concatenate([_numbers(part) for part in value.values()] or [np.empty(0)])
    if isinstance(value, (list, tuple)):
        return np.concatenate([_numbers(part) for part in value] or [np.empty(0)])
    if isinstance(value, (int, float, np.ndarray, np.generic, torch.Tensor)) and not isinstance(value, bool):
        array = np.asarray(value.cpu() if isinstance(value, torch.Tensor) else value)
        return array.ravel().astype(float) if array.dtype.kind in "iuf" else np.empty(0)
    return np.empty(0)


def _fields(result):
    return vars(result) if hasattr(result, "__dict__") else result


def _same(found, expected, tolerance):
    found, expected = _numbers(found), _numbers(expected)
    assert len(found) == len(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@PRECISIONS
@pytest.mark.parametrize("name", SIMILARITY)
def test_every_similarity_measure(name, precision):
    X, Y = _pair(precision)
    _same(METRICS[name].function(*_there(X, Y)), METRICS[name].function(X, Y), AGREE[precision])


@PRECISIONS
@pytest.mark.parametrize("name", BY_FORM)
def test_permutations_and_resamples_of_every_measure(name, precision):
    X, Y = _pair(precision)
    x, y = _there(X, Y)
    for infer, options in ((brainalign.calibrate, {"n_permutations": 50}), (brainalign.resample, {})):
        if name == "gromov-wasserstein" and infer is brainalign.calibrate:
            continue  # it does not see the pairing of rows, so that no permutation changes it
        here, there = infer(name, X, Y, **options), infer(name, x, y, **options)
        _same(asdict(there), asdict(here), 10 * AGREE[precision])


@PRECISIONS
@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_encoding(selection, precision):
    X, Y = _pair(precision)
    here = brainalign.encode(X, Y, selection=selection)
    there = brainalign.encode(X, Y, selection=selection, device=DEVICE)
    np.testing.assert_array_equal(there.alpha, here.alpha)
    _same([there.r, there.r2], [here.r, here.r2], AGREE[precision])


@PRECISIONS
def test_estimators(precision):
    X, Y = _pair(precision)
    for make in (RidgeCV, lambda: BandedRidgeCV(spaces=[0] * 12 + [1] * 12, n_samples=5)):
        expected = make().fit(X, Y).predict(X)
        found = make().fit(*_there(X, Y)).predict(_there(X)[0])
        _same(found, expected, 10 * AGREE[precision])


@PRECISIONS
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_local_dimension(estimator, precision):
    cloud = _cloud(precision)
    here = brainalign.local_dimension(cloud, estimator=estimator)
    there = brainalign.local_dimension(_there(cloud)[0], estimator=estimator)
    _same([there.value, there.pointwise], [here.value, here.pointwise], 10 * AGREE[precision])


@PRECISIONS
def test_curves_and_spectra(precision):
    cloud = _cloud(precision)
    (placed,) = _there(cloud)
    scales = (8, 16, 32)
    for function, options in (
        (brainalign.global_dimension, {}),
        (brainalign.dimension_curve, {"scales": scales}),
        (brainalign.structure_curve, {"scales": scales, "n_points": 6, "n_references": 4}),
        (brainalign.spectrum_exponent, {"fit": (2, 20)}),
        (brainalign.correlation_curve, {}),
    ):
        here, there = function(cloud, **options), function(placed, **options)
        _same(_fields(there), _fields(here), 100 * AGREE[precision])


@PRECISIONS
def test_neighbours(precision):
    cloud = _cloud(precision)
    here, there = brainalign.neighbour_graph(cloud, k=10), brainalign.neighbour_graph(_there(cloud)[0], k=10)
    np.testing.assert_array_equal(np.asarray(there.index), np.asarray(here.index))
    _same(there.distance, here.distance, AGREE[precision])


def test_embeddings(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    store = image_store(tmp_path)
    layers = ["conv", "gain", "head"]
    here = values_of(store, embed_small(store, layers=layers))
    there = values_of(store, embed_small(store, layers=layers, device=DEVICE, name="there"))
    coarse = values_of(store, embed_small(store, layers=layers, device=DEVICE, precision="bfloat16", name="coarse"))
    for key, values in here.items():
        size = np.abs(values).max()
        assert np.abs(there[key] - values).max() < 1e-5 * size
        assert 1e-5 * size < np.abs(coarse[key] - values).max() < 0.02 * size

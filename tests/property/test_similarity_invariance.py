"""What must not change the number: scale, rotation, order of units, layout and type of the array."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from brainalign.metrics import METRICS
from brainalign.metrics.record import INVARIANCES
from brainalign.similarity import cka, rsa

SIMILARITY = {name: metric for name, metric in METRICS.items() if metric.family == "similarity"}
# one value of k stands for all, and both ways of counting ties and whitening are seen under one distance each
SAMPLE = {
    name: metric
    for name, metric in SIMILARITY.items()
    if metric.params.get("k", 5) in (1, 5)
    and (metric.params.get("distance") in (None, "correlation") or metric.params["compare"] in ("rho-a", "pearson"))
}
MEASURES = {name: metric.function for name, metric in SAMPLE.items()}

several = settings(max_examples=5, deadline=None)
seeds = st.integers(0, 2**31 - 1)


def _pair(seed, n=16, p=5, q=7):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X @ rng.normal(size=(p, q)) + rng.normal(size=(n, q))


def _changed(Z, change, seed):
    rng = np.random.default_rng(seed)
    width = Z.shape[1]
    if change == "translation":
        return Z + 3 * rng.normal(size=width)
    if change == "scale":
        return Z * 10.0 ** rng.integers(-9, 9)
    if change == "permutation":
        return Z[:, rng.permutation(width)]
    if change == "orthogonal":
        return Z @ ortho_group.rvs(width, random_state=seed)
    # far from a rotation, and still invertible to all digits
    return Z @ ortho_group.rvs(width, random_state=seed) * np.linspace(0.2, 3, width) @ ortho_group.rvs(width)


def _shifts(measure, change, seed):
    """How far the value moves when either side is changed."""
    X, Y = _pair(seed)
    value = measure(X, Y)
    return [abs(measure(_changed(X, change, seed), Y) - value), abs(measure(X, _changed(Y, change, seed)) - value)]


DECLARED = [(name, change) for name, metric in SAMPLE.items() for change in sorted(metric.invariances)]
UNDECLARED = [
    (name, change) for name, metric in SAMPLE.items() for change in INVARIANCES if (name, change) not in DECLARED
]


def test_every_declared_invariance_has_a_name():
    assert {change for metric in METRICS.values() for change in metric.invariances} <= set(INVARIANCES)


@pytest.mark.parametrize(("name", "change"), DECLARED)
@several
@given(seed=seeds)
def test_declared_invariances_hold(name, change, seed):
    assert max(_shifts(MEASURES[name], change, seed)) < 1e-8


@pytest.mark.parametrize(("name", "change"), UNDECLARED)
def test_undeclared_invariances_break(name, change):
    shifts = [_shifts(MEASURES[name], change, seed) for seed in range(3)]
    assert np.max(shifts) > 1e-4


@pytest.mark.parametrize("name", SAMPLE)
@several
@given(seed=seeds)
def test_bounds_identity_symmetry_and_order_of_stimuli(name, seed):
    metric, (X, Y) = SAMPLE[name], _pair(seed)
    value = metric.function(X, Y)
    assert metric.bounds[0] <= value <= metric.bounds[1]
    assert metric.function(X, X) == pytest.approx(metric.identity(16), abs=1e-9)
    order = np.random.default_rng(seed + 1).permutation(16)
    assert metric.function(X[order], Y[order]) == pytest.approx(value, abs=1e-9)
    if metric.symmetric:
        assert metric.function(Y, X) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("name", [name for name, metric in SAMPLE.items() if not metric.symmetric])
def test_what_is_not_declared_symmetric_is_not(name):
    pairs = [_pair(seed) for seed in range(3)]
    assert max(abs(MEASURES[name](X, Y) - MEASURES[name](Y, X)) for X, Y in pairs) > 1e-4


@pytest.mark.parametrize("name", SIMILARITY)
def test_noise_moves_the_value_away_from_identity_in_the_declared_direction(name):
    metric, rng = SIMILARITY[name], np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    near, far = (metric.function(X, X + noise * rng.normal(size=X.shape)) for noise in (0.1, 2.0))
    assert (near > far) == metric.higher_is_better
    assert abs(near - metric.identity(60)) < abs(far - metric.identity(60))


@pytest.mark.parametrize("name", SIMILARITY)
def test_unrelated_representations_score_chance(name):
    metric = SIMILARITY[name]
    values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values.append(metric.function(rng.normal(size=(60, 8)), rng.normal(size=(60, 8))))
    if np.isnan(metric.chance(60)):
        # what has no known chance is not zero on average: its null has to stand beside it
        assert abs(np.mean(values)) > 4 * np.std(values) / 20**0.5
    else:
        assert np.mean(values) == pytest.approx(metric.chance(60), abs=4.5 * np.std(values) / 20**0.5)


def _read_only(array):
    out = array.copy()
    out.flags.writeable = False
    return out


LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": lambda A: np.repeat(A, 3, axis=1)[:, ::3],
    "reversed": lambda A: A[::-1].copy()[::-1],
    "read-only": _read_only,
    "big-endian": lambda A: A.astype(">f8"),
    "integer": lambda A: A.astype(np.int16),
    "big-endian integer": lambda A: A.astype(">i4"),
    "tensor": lambda A: torch.tensor(A.T.copy()).T,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_layout_and_type_give_the_same_number(measure, layout):
    rng = np.random.default_rng(0)
    X, Y = rng.integers(-50, 50, size=(20, 6)).astype(float), rng.integers(-50, 50, size=(20, 9)).astype(float)
    assert measure(layout(X), layout(Y)) == pytest.approx(measure(X, Y), abs=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_narrow_types_give_nearly_the_same_number(measure, dtype):
    rng = np.random.default_rng(1)
    X, Y = rng.integers(-50, 50, size=(20, 6)).astype(float), rng.integers(-50, 50, size=(20, 9)).astype(float)
    narrow = [torch.tensor(A).to(dtype) if isinstance(dtype, torch.dtype) else A.astype(dtype) for A in (X, Y)]
    assert measure(*narrow) == pytest.approx(measure(X, Y), abs=1e-3)


def test_half_precision_features_do_not_overflow():
    features = (5 * np.random.default_rng(2).normal(size=(20, 4096))).astype(np.float16)
    exact = features.astype(np.float64)
    other = np.random.default_rng(3).normal(size=(20, 8))
    assert cka(features, other) == pytest.approx(cka(exact, other), abs=1e-5)
    assert rsa(features, other, compare="pearson") == pytest.approx(rsa(exact, other, compare="pearson"), abs=1e-5)

"""What must not change the number: scale, rotation, order of units, layout and type of the array."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from brainalign.similarity import cka, rsa

MEASURES = {
    "cka.debiased": lambda X, Y: cka(X, Y),
    "cka.biased": lambda X, Y: cka(X, Y, estimator="biased"),
    **{
        f"rsa.{distance}.{compare}": lambda X, Y, d=distance, c=compare: rsa(X, Y, distance=d, compare=c)
        for distance in ("correlation", "euclidean", "sqeuclidean", "cosine")
        for compare in ("rho-a", "pearson")
    },
}
ROTATES = [name for name in MEASURES if "correlation" not in name]
SHIFTS = [name for name in MEASURES if "correlation" not in name and "cosine" not in name]

several = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def _pair(seed, n=14, p=5, q=7):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X @ rng.normal(size=(p, q)) + rng.normal(size=(n, q))


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@several
@given(seed=seeds, exponent=st.integers(-12, 12))
def test_scale_order_of_units_symmetry_and_self(measure, seed, exponent):
    X, Y = _pair(seed)
    value = measure(X, Y)
    assert measure(X * 10.0**exponent, Y) == pytest.approx(value, abs=1e-9)
    assert measure(X, Y[:, np.random.default_rng(seed).permutation(Y.shape[1])]) == pytest.approx(value, abs=1e-9)
    assert measure(Y, X) == pytest.approx(value, abs=1e-12)
    assert measure(X, X) == pytest.approx(1.0, abs=1e-9)
    order = np.random.default_rng(seed + 1).permutation(len(X))
    assert measure(X[order], Y[order]) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("name", ROTATES)
@several
@given(seed=seeds)
def test_orthogonal_rotation(name, seed):
    X, Y = _pair(seed)
    rotation = ortho_group.rvs(Y.shape[1], random_state=seed % 2**31)
    assert MEASURES[name](X, Y @ rotation) == pytest.approx(MEASURES[name](X, Y), abs=1e-9)


@pytest.mark.parametrize("name", SHIFTS)
@several
@given(seed=seeds, shift=st.floats(-100, 100))
def test_translation(name, seed, shift):
    X, Y = _pair(seed)
    moved = Y + shift * np.linspace(1, 2, Y.shape[1])
    assert MEASURES[name](X, moved) == pytest.approx(MEASURES[name](X, Y), abs=1e-9)


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
    X, Y = rng.integers(-50, 50, size=(12, 6)).astype(float), rng.integers(-50, 50, size=(12, 9)).astype(float)
    assert measure(layout(X), layout(Y)) == measure(X, Y)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_narrow_types_give_nearly_the_same_number(measure, dtype):
    rng = np.random.default_rng(1)
    X, Y = rng.integers(-50, 50, size=(12, 6)).astype(float), rng.integers(-50, 50, size=(12, 9)).astype(float)
    narrow = [torch.tensor(A).to(dtype) if isinstance(dtype, torch.dtype) else A.astype(dtype) for A in (X, Y)]
    assert measure(*narrow) == pytest.approx(measure(X, Y), abs=1e-3)


def test_half_precision_features_do_not_overflow():
    features = (5 * np.random.default_rng(2).normal(size=(20, 4096))).astype(np.float16)
    exact = features.astype(np.float64)
    other = np.random.default_rng(3).normal(size=(20, 8))
    assert cka(features, other) == pytest.approx(cka(exact, other), abs=1e-5)
    assert rsa(features, other, compare="pearson") == pytest.approx(rsa(exact, other, compare="pearson"), abs=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_cuda_device_gives_the_same_number(measure):
    X, Y = _pair(0)
    assert measure(torch.tensor(X).cuda(), Y) == pytest.approx(measure(X, Y), abs=1e-10)

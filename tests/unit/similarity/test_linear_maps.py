"""Procrustes, canonical correlation and soft matching: chance, refusals, digits."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, UndefinedError
from brainalign.metrics import calibrate
from brainalign.similarity import CcaForm, ProcrustesForm, cca, procrustes, soft_matching


@pytest.fixture
def wide():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 200)), rng.normal(size=(30, 150))


def test_weights_of_directions_that_are_shared_by_force_are_not_made_up():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 40)), rng.normal(size=(60, 30))
    with pytest.raises(UndefinedError, match="11 in common"):
        cca(X, Y, variant="pwcca")
    assert 0 < cca(X[:, :30], Y, variant="pwcca") < 1
    assert 0 < cca(X, Y, variant="mean") < 1


def test_more_units_than_stimuli_are_all_counted(wide):
    X, Y = wide
    C, D = (Z - Z.mean(axis=0) for Z in wide)
    expected = np.linalg.svd(C.T @ D, compute_uv=False).sum() / np.linalg.norm(C) / np.linalg.norm(D)
    assert procrustes(X, Y) == pytest.approx(expected, abs=1e-12)
    assert procrustes(X, Y) > 0.8
    placed = calibrate("procrustes.similarity", X, Y, n_permutations=50)
    assert abs(placed.excess) < 0.02
    assert placed.excess == placed.score - placed.null_mean


def test_an_angle_is_better_when_smaller():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 4))
    placed = calibrate("procrustes.angular", X, X + rng.normal(size=X.shape), n_permutations=199)
    assert placed.z < -5
    assert placed.p == 1 / 200


def test_directions_that_span_all_stimuli_are_refused(wide):
    for variant in ("mean", "pwcca"):
        with pytest.raises(UndefinedError, match="X has 29 directions over 30 stimuli"):
            cca(*wide, variant=variant)
    assert 0 < cca(*wide, variance=0.5) < 1


def test_directions_that_rounding_made_do_not_count():
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    for dtype in (np.float64, np.float32):
        redundant = np.hstack([X, X @ rng.normal(size=(3, 4)) + 5]).astype(dtype)
        assert cca(redundant, Y.astype(dtype), variant="mean") == pytest.approx(cca(X, Y, variant="mean"), abs=1e-4)
        assert CcaForm("mean").prepare(redundant).basis.shape == (50, 3)


def test_factors_have_no_more_columns_than_stimuli(wide):
    assert ProcrustesForm().prepare(wide[0]).shape == (30, 30)


def test_units_that_do_not_vary_are_left_out_of_matching():
    rng = np.random.default_rng(3)
    X, Y = rng.normal(size=(25, 4)), rng.normal(size=(25, 3))
    dead = np.column_stack([np.full(25, 0.1), X, np.zeros(25)])
    assert soft_matching(dead, Y) == pytest.approx(soft_matching(X, Y), abs=1e-12)
    with pytest.raises(UndefinedError, match="no unit that varies"):
        soft_matching(dead[:, :1], Y)


def test_what_cannot_be_computed_is_named():
    X = np.random.default_rng(4).normal(size=(20, 3))
    constant = np.full((20, 2), 0.3)
    with pytest.raises(UndefinedError, match="Y is constant"):
        procrustes(X, constant)
    with pytest.raises(UndefinedError, match="Y is constant"):
        cca(X, constant)
    with pytest.raises(UndefinedError, match="2 stimuli"):
        procrustes(X[:2], X[:2])
    with pytest.raises(ChoiceError, match="'angular'"):
        procrustes(X, X, form="angle")
    with pytest.raises(ChoiceError, match="'svcca'"):
        cca(X, X, variant="svca")
    with pytest.raises(InputError, match="variance=0"):
        cca(X, X, variance=0)

"""Standardisation within sessions."""

import numpy as np
import pytest
from scipy.stats import zscore

from brainalign.datasets.sessions import zscore_sessions
from brainalign.errors import PairingError, ShapeError


def test_each_session_on_its_own_in_any_order():
    rng = np.random.default_rng(0)
    sessions = rng.permutation(np.repeat(["b", "a", "c"], [7, 9, 11]))
    values = rng.normal(3, 2, (27, 4)) + (sessions == "a")[:, None] * 10
    found = zscore_sessions(values, sessions)
    for session in "abc":
        assert np.allclose(found[sessions == session], zscore(values[sessions == session], axis=0), atol=1e-12)


def test_constants_are_zero_and_a_large_offset_does_not_leak():
    values = np.full((6, 3), 0.1, dtype=np.float32)
    values[:, 1] = [1e6, 1e6 + 1, 1e6, 1e6 + 1, 1e6, 1e6 + 1]
    values[3:, 2] = [1, 2, 3]
    found = zscore_sessions(values, [1, 1, 1, 2, 2, 2])
    assert found.dtype == np.float32
    assert (found[:, 0] == 0).all()
    assert np.allclose(found[:3, 1], zscore([0, 1, 0]))
    assert (found[:3, 2] == 0).all()
    assert np.allclose(found[3:, 2], zscore([1, 2, 3]))


def test_integers_become_float64():
    assert zscore_sessions(np.array([[300], [600]], dtype=np.int16), [1, 1]).dtype == np.float64


def test_what_does_not_pair():
    with pytest.raises(PairingError, match="2 presentations"):
        zscore_sessions(np.zeros((2, 1)), [1])
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        zscore_sessions(np.zeros(2), [1, 1])

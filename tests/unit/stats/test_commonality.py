"""Commonality against regressions written out, and against structures whose parts are known."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.stats.commonality import commonality

RNG = np.random.default_rng(0)


def r2(*columns, y):
    X = np.column_stack(columns)
    return LinearRegression().fit(X, y).score(X, y)


def test_two_predictors_by_hand():
    a, e, f = RNG.normal(size=(3, 60))
    b, y = a + e, a + f
    found = commonality({"a": a, "b": b}, y)
    both = r2(a, b, y=y)
    assert found.unique["a"] == pytest.approx(both - r2(b, y=y))
    assert found.parts[("a", "b")] == pytest.approx(r2(a, y=y) + r2(b, y=y) - both)
    assert found.r2 == pytest.approx(both)


def test_three_predictors_by_hand():
    X = RNG.normal(size=(80, 3)) @ RNG.normal(size=(3, 3))
    y = X @ [1, -1, 0.5] + RNG.normal(size=80)
    a, b, c = X.T
    found = commonality({"a": a, "b": b, "c": c}, y)
    assert found.parts[("a", "b")] == pytest.approx(r2(a, c, y=y) + r2(b, c, y=y) - r2(c, y=y) - r2(a, b, c, y=y))
    assert found.parts[("a", "b", "c")] == pytest.approx(
        r2(a, y=y) + r2(b, y=y) + r2(c, y=y) - r2(a, b, y=y) - r2(a, c, y=y) - r2(b, c, y=y) + r2(a, b, c, y=y)
    )


def test_parts_sum_to_the_whole_and_totals_to_their_own():
    X = RNG.normal(size=(50, 4)) @ RNG.normal(size=(4, 4))
    found = commonality(dict(zip("abcd", X.T, strict=True)), X.sum(1) + RNG.normal(size=50))
    assert sum(found.parts.values()) == pytest.approx(found.r2)
    for name in "abcd":
        assert sum(v for k, v in found.parts.items() if name in k) == pytest.approx(found.total[name])


def test_a_suppressor_has_a_negative_common_part():
    signal, disturbance = RNG.normal(size=(2, 4000))
    found = commonality({"measured": signal + disturbance, "disturbance": disturbance}, signal)
    assert found.parts[("measured", "disturbance")] < -0.3


def test_what_cannot_be_used_is_refused():
    x = RNG.normal(size=10)
    with pytest.raises(InputError, match="predictors"):
        commonality({}, x)
    with pytest.raises(UndefinedError, match="same"):
        commonality({"a": x}, np.ones(10))
    with pytest.raises(UndefinedError, match="do not bear"):
        commonality({"a": x[:2]}, x[:2])
    with pytest.raises(ShapeError):
        commonality({"a": x[:5]}, x)

"""Permuting one side is permuting the other by the inverse."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.metrics import METRICS
from brainalign.stats.forms import permuted_pairs
from brainalign.stats.permutation import draw_permutations

FORMS = {key: metric.form for key, metric in METRICS.items() if metric.form is not None}


@pytest.mark.parametrize("key", [key for key, form in FORMS.items() if form.mirrored])
def test_the_side_with_fewer_members_is_permuted(key, monkeypatch):
    form, rng = FORMS[key], np.random.default_rng(3)
    many_a = [form.prepare(rng.normal(size=(20, 6))) for _ in range(2)]
    many_b = [form.prepare(rng.normal(size=(20, 9))) for _ in range(5)]
    orders = draw_permutations(20, 7, groups=np.arange(20) // 2, permute="blocks", seed=1)
    expected = [form.permuted(many_a, b, orders) for b in many_b]
    calls = []
    permuted = type(form).permuted
    monkeypatch.setattr(type(form), "permuted", lambda *given: calls.append(1) or permuted(*given))
    found = permuted_pairs(form, many_a, many_b, orders)
    assert len(calls) == 2 and len(found) == 5
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    calls.clear()
    np.testing.assert_array_equal(permuted_pairs(form, many_a, many_b[:1], orders)[0], expected[0])
    assert len(calls) == 1


def test_measures_with_shared_gathers_are_mirrored():
    assert {key.split(".")[0] for key, form in FORMS.items() if form.mirrored} == {"cka", "rsa"}

"""Permuting both sides is permuting one by the relative permutations."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError, PairingError
from brainalign.metrics import METRICS
from brainalign.stats.crossed import draw_crossed
from brainalign.stats.forms import CrossedForm, permuted_pairs

FORMS = {key: metric.form for key, metric in METRICS.items() if metric.form is not None}
CROSSED = [key for key, form in FORMS.items() if isinstance(form, CrossedForm)]


N = 60  # more than the neighbours of any measure


def _prepared(form, n=N):
    rng = np.random.default_rng(3)
    many = [form.prepare(rng.normal(size=(n, width))) for width in (6, 6, 9, 9, 9)]
    return many[:2], many[2:]


@pytest.mark.parametrize("key", CROSSED)
def test_pairs_of_permutations_are_scores_of_permuted_stimuli(key):
    form = FORMS[key]
    many_a, many_b = _prepared(form)
    drawn = draw_crossed(N, 7, seed=1)
    found = form.crossed(many_a, many_b, drawn.left, drawn.right)
    expected = [
        [
            [[form.score(form.restrict(a, s), form.restrict(b, t)) for t in drawn.right] for b in many_b]
            for s in drawn.left
        ]
        for a in many_a
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("key", [*CROSSED, "cknna.k10", "procrustes.angular"])
@pytest.mark.parametrize("groups", [None, np.arange(N) // 2])
def test_crossed_permutations_are_the_relative_ones(key, groups):
    form = FORMS[key]
    many_a, many_b = _prepared(form)
    drawn = draw_crossed(N, 7, groups=groups, permute="blocks", seed=1)
    found = permuted_pairs(form, many_a, many_b, drawn)
    expected = permuted_pairs(form, many_a, many_b, drawn.relative)
    assert [one.shape for one in found] == [(2, 7)] * 3
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("key", ["cka.linear.debiased", "mutual-knn.k10"])
def test_both_sides_are_checked(key):
    form = FORMS[key]
    many_a, many_b = _prepared(form)
    short, _ = _prepared(form, 59)
    drawn = draw_crossed(N, 3)
    with pytest.raises(PairingError, match="59"):
        form.crossed([*many_a, short[0]], many_b, drawn.left, drawn.right)
    with pytest.raises(InputError, match="once"):
        form.crossed(many_a, many_b, np.zeros((2, N), dtype=int), drawn.right)


def test_measures_that_compare_pair_by_pair_are_crossed():
    assert {key.split(".")[0] for key in CROSSED} == {"cka", "rsa", "mutual-knn", "jaccard"}
    assert not [key for key in CROSSED if ".tau-" in key]

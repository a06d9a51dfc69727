"""Many members at once give what one at a time gives."""

import numpy as np
import pytest

from brainalign.errors import InputError, PairingError
from brainalign.similarity.jaccard import JaccardForm
from brainalign.similarity.neighbour_tables import DENSE_BYTES
from brainalign.similarity.neighbours import MutualKnnForm
from brainalign.stats.form_grids import GridForm, restrict_all, score_all
from brainalign.stats.forms import CrossedForm

FORMS = [MutualKnnForm(k=7), JaccardForm(k=7), MutualKnnForm(k=3, metric="euclidean")]


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def prepared(form, rng, n, many):
    return [form.prepare(rng.normal(size=(n, 4))) for _ in range(many)]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("n_kept", [9, 60, 120])
def test_restriction(form, rng, n_kept):
    many = prepared(form, rng, 120, 5)
    rows = rng.permutation(120)[:n_kept]
    assert isinstance(form, GridForm)
    for together, a in zip(restrict_all(form, many, rows), many, strict=True):
        alone = form.restrict(a, rows)
        np.testing.assert_array_equal(together.index, alone.index)
        np.testing.assert_array_equal(together.rows, alone.rows)
        again = rng.permutation(n_kept)[:8]
        np.testing.assert_array_equal(form.restrict_all([together], again)[0].index, form.restrict(alone, again).index)


def test_lists_that_end_too_early_are_completed(rng):
    form, n = MutualKnnForm(k=5), 3000
    few, lists = rng.permutation(n)[:200], prepared(form, rng, n, 2)
    for together, a in zip(restrict_all(form, lists, few), lists, strict=True):
        np.testing.assert_array_equal(together.index, form.restrict(a, few).index)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_scores(form, rng):
    a, b = prepared(form, rng, 50, 3), prepared(form, rng, 50, 4)
    expected = [[form.score(x, y) for y in b] for x in a]
    np.testing.assert_array_equal(score_all(form, a, b), expected)


def test_scores_of_many_stimuli_without_a_dense_table(rng, monkeypatch):
    monkeypatch.setattr("brainalign.similarity.neighbour_tables.DENSE_BYTES", 10)
    assert DENSE_BYTES > 10
    form = MutualKnnForm(k=5)
    a, b = prepared(form, rng, 40, 2), prepared(form, rng, 40, 2)
    np.testing.assert_array_equal(score_all(form, a, b), [[form.score(x, y) for y in b] for x in a])


def test_of_nothing(rng):
    form = MutualKnnForm(k=5)
    a = prepared(form, rng, 40, 2)
    assert score_all(form, a, []).shape == (2, 0)
    assert restrict_all(form, [], np.arange(20)) == []


def test_lists_of_different_stimuli_are_restricted_one_by_one(rng):
    form = MutualKnnForm(k=5)
    a, b = prepared(form, rng, 40, 2)
    halves = [form.restrict(a, np.arange(20)), form.restrict(b, np.arange(20, 40))]
    rows = np.arange(0, 20, 2)
    for together, x in zip(restrict_all(form, halves, rows), halves, strict=True):
        np.testing.assert_array_equal(together.index, form.restrict(x, rows).index)


def test_bad_input(rng):
    form = MutualKnnForm(k=5)
    a, (b,) = prepared(form, rng, 40, 2), prepared(form, rng, 30, 1)
    with pytest.raises(InputError, match="different row numbers"):
        restrict_all(form, a, np.array([1, 1, 2, 3, 4, 5, 6]))
    with pytest.raises(PairingError, match="40 stimuli and the other 30"):
        score_all(form, a, [b])


@pytest.mark.parametrize("dense_bytes", [DENSE_BYTES, 10])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_permutations_of_both_sides(form, rng, dense_bytes, monkeypatch):
    monkeypatch.setattr("brainalign.similarity.neighbour_tables.DENSE_BYTES", dense_bytes)
    a, b = prepared(form, rng, 30, 2), prepared(form, rng, 30, 3)
    left, right = (np.stack([rng.permutation(30) for _ in range(m)]) for m in (4, 5))
    assert isinstance(form, CrossedForm)
    values = form.crossed(a, b, left, right)
    expected = [
        [[[form.score(form.restrict(x, s), form.restrict(y, t)) for t in right] for y in b] for s in left] for x in a
    ]
    np.testing.assert_array_equal(values, expected)

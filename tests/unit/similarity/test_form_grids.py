"""Many members at once give what one at a time gives."""

import numpy as np
import pytest

from brainalign.errors import InputError, PairingError
from brainalign.similarity.jaccard import JaccardForm
from brainalign.similarity.neighbour_tables import DENSE_BYTES
from brainalign.similarity.neighbours import MutualKnnForm
from brainalign.stats.form_grids import GridForm, score_all, score_subsets
from brainalign.stats.forms import CrossedForm

FORMS = [MutualKnnForm(k=7), JaccardForm(k=7), MutualKnnForm(k=3, metric="euclidean")]


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def prepared(form, rng, n, many):
    return [form.prepare(rng.normal(size=(n, 4))) for _ in range(many)]


def one_by_one(form, many_a, many_b, subsets):
    return [[[form.score(form.restrict(x, s), form.restrict(y, s)) for s in subsets] for y in many_b] for x in many_a]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("sizes", "count"), [((60, 61), 130), ((9, 12), 5), ((119, 121), 64), ((40, 100), 1)])
def test_subsets(form, rng, sizes, count, monkeypatch):
    monkeypatch.setattr("brainalign.similarity.neighbour_bits.LISTS_AT_ONCE", 150)  # some rows at a time
    a, b = prepared(form, rng, 120, 2), prepared(form, rng, 120, 3)
    subsets = [rng.permutation(120)[: rng.integers(*sizes)] for _ in range(count)]
    assert isinstance(form, GridForm)
    # a mean of fractions may be added up in another order
    np.testing.assert_allclose(score_subsets(form, a, b, subsets), one_by_one(form, a, b, subsets), rtol=1e-14)
    part = rng.permutation(120)[:70]
    on_part = [[form.restrict(x, part) for x in many] for many in (a, b)]
    within = [rng.permutation(70)[:35] for _ in range(count)]
    found = score_subsets(form, *on_part, within)
    np.testing.assert_allclose(found, one_by_one(form, *on_part, within), rtol=1e-14)
    both = [part[rows] for rows in within]
    np.testing.assert_allclose(found, one_by_one(form, a, b, both), rtol=1e-14)


def test_numbers_of_common_neighbours_are_exact(rng):
    form = MutualKnnForm(k=10)
    a, b = prepared(form, rng, 300, 1), prepared(form, rng, 300, 2)
    subsets = [rng.permutation(300)[:150] for _ in range(70)]
    np.testing.assert_array_equal(score_subsets(form, a, b, subsets), one_by_one(form, a, b, subsets))


def test_equal_points_and_many_neighbours(rng):
    form = MutualKnnForm(k=33)
    a, b = ([form.prepare(rng.integers(1, 3, size=(100, 2)))] for _ in range(2))
    subsets = [rng.permutation(100)[:50] for _ in range(3)]
    np.testing.assert_array_equal(score_subsets(form, a, b, subsets), one_by_one(form, a, b, subsets))


def test_lists_that_end_too_early_are_completed(rng):
    form, n = MutualKnnForm(k=5), 3000
    a, b = prepared(form, rng, n, 2), prepared(form, rng, n, 1)
    assert a[0].order.shape[1] < n - 1
    subsets = [rng.permutation(n)[:size] for size in (200, 1500)]
    np.testing.assert_array_equal(score_subsets(form, a, b, subsets), one_by_one(form, a, b, subsets))


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
    assert score_subsets(form, a, [], [np.arange(20)]).shape == (2, 0, 1)
    assert score_subsets(form, a, a, []).shape == (2, 2, 0)


def test_lists_of_different_stimuli_meet_one_by_one(rng):
    form = MutualKnnForm(k=5)
    a, b = prepared(form, rng, 40, 2)
    halves = [form.restrict(a, np.arange(20)), form.restrict(b, np.arange(20, 40))]
    subsets = [np.arange(0, 20, 2)]
    found = score_subsets(form, halves, halves, subsets)
    np.testing.assert_array_equal(found, one_by_one(form, halves, halves, subsets))


def test_bad_input(rng):
    form = MutualKnnForm(k=5)
    a, (b,) = prepared(form, rng, 40, 2), prepared(form, rng, 30, 1)
    with pytest.raises(InputError, match="different row numbers"):
        score_subsets(form, a, a, [np.array([1, 1, 2, 3, 4, 5, 6])])
    with pytest.raises(PairingError, match="40 stimuli and the other 30"):
        score_all(form, a, [b])


@pytest.mark.parametrize("table_bytes", [1 << 24, 8 * 30 * 7])
@pytest.mark.parametrize("n_left", [4, 70])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_permutations_of_both_sides(form, rng, table_bytes, n_left, monkeypatch):
    monkeypatch.setattr("brainalign.similarity.neighbour_bits.TABLE_BYTES", table_bytes)  # some rows at a time
    a, b = prepared(form, rng, 30, 2), prepared(form, rng, 30, 3)
    left, right = (np.stack([rng.permutation(30) for _ in range(m)]) for m in (n_left, 5))
    assert isinstance(form, CrossedForm)
    values = form.crossed(a, b, left, right)
    expected = [
        [[[form.score(form.restrict(x, s), form.restrict(y, t)) for t in right] for y in b] for s in left] for x in a
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-14)

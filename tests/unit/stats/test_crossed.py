"""Permutations of both sides: what each pair of them says of one side, and that p stays exact."""

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import stats as scipy_stats

from brainalign.errors import InputError, UndefinedError
from brainalign.stats.crossed import draw_crossed

FREE = {perm: i for i, perm in enumerate(itertools.permutations(range(4)))}


def test_as_many_pairs_as_asked_of_about_the_square_root_on_each_side():
    for count in (1, 2, 3, 20, 99, 200, 999, 1000, 1023, 1024):
        drawn = draw_crossed(9, count)
        sides = len(drawn.left), len(drawn.right)
        assert len(np.unique(drawn.pairs)) == count == len(drawn.relative)
        assert drawn.pairs.min() >= 1 and drawn.pairs.max() < np.prod(sides)
        assert max(sides) <= np.sqrt(count) + 1
        assert (drawn.left[0] == np.arange(9)).all() and (drawn.right[0] == np.arange(9)).all()


def test_the_same_seed_gives_the_same_and_the_pairs_do_not_depend_on_the_stimuli():
    first, again, other = draw_crossed(9, 20, seed=3), draw_crossed(9, 20, seed=3), draw_crossed(9, 20, seed=4)
    for name in ("left", "right", "pairs"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.left, other.left)
    assert not np.array_equal(first.pairs, other.pairs)
    np.testing.assert_array_equal(first.pairs, draw_crossed(50, 20, seed=3).pairs)


def test_a_pair_of_permutations_is_its_relative_one():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 8))
    drawn = draw_crossed(8, 11)
    values = np.array([[[X[s] @ Y[t] ** 2 for t in drawn.right] for s in drawn.left]])
    expected = [X @ Y[order] ** 2 for order in drawn.relative]
    np.testing.assert_allclose(drawn.null(values)[0], expected, rtol=1e-12)


def test_each_relative_permutation_is_uniform():
    drawn = [draw_crossed(4, 5, seed=seed) for seed in range(2000)]  # 3 x 2 pairs, so that all but one count
    for r in range(5):
        seen = Counter(FREE[tuple(one.relative[r])] for one in drawn)
        assert scipy_stats.chisquare([seen[i] for i in range(24)]).pvalue > 1e-4, r


def test_any_two_relative_permutations_are_independent():
    three = {perm: i for i, perm in enumerate(itertools.permutations(range(3)))}
    codes = np.array(
        [[three[tuple(order)] for order in draw_crossed(3, 5, seed=seed).relative] for seed in range(4000)]
    )
    for one, two in itertools.combinations(range(5), 2):
        table = np.bincount(6 * codes[:, one] + codes[:, two], minlength=36)
        assert scipy_stats.chisquare(table).pvalue > 1e-4, (one, two)
    # three at the corners of a rectangle with the observed pair are not: that is what crossing costs
    corners = np.bincount(36 * codes[:, 0] + 6 * codes[:, 1] + codes[:, 2], minlength=216)
    assert scipy_stats.chisquare(corners).pvalue < 1e-4


@pytest.mark.parametrize("permute", ["within", "blocks"])
def test_relative_permutations_exchange_what_may_be_exchanged(permute):
    groups = np.array(list("abcabcabcd"))
    drawn = draw_crossed(10, 60, groups=groups, permute=permute)
    for order in np.concatenate([drawn.left, drawn.right, drawn.relative]):
        assert sorted(order) == list(range(10))
        if permute == "within":
            assert (groups[order] == groups).all()
            continue
        for one in "abcd":
            moved = order[groups == one]
            source = groups[moved[0]]
            np.testing.assert_array_equal(moved, np.flatnonzero(groups == source))


@pytest.mark.parametrize("permute", ["within", "blocks"])
def test_relative_permutations_of_groups_are_uniform(permute):
    groups = [0, 0, 0, 1, 2] if permute == "within" else [0, 0, 1, 1, 2, 2]
    seen = [
        Counter(tuple(order) for order in orders)
        for orders in zip(
            *(draw_crossed(len(groups), 5, groups=groups, permute=permute, seed=s).relative for s in range(600)),
            strict=True,
        )
    ]
    for one in seen:
        assert len(one) == 6
        assert scipy_stats.chisquare(list(one.values())).pvalue > 1e-4


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        draw_crossed(5, 0)
    with pytest.raises(UndefinedError, match="nothing can be exchanged"):
        draw_crossed(3, 5, groups=[0, 1, 2])

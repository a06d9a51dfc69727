"""Permutations respect what may be exchanged; p is never zero."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError
from brainalign.stats.permutation import best_of, calibrated, draw_permutations


def test_free_permutations_are_permutations() -> None:
    drawn = draw_permutations(30, 50, seed=1)
    assert drawn.shape == (50, 30)
    assert (np.sort(drawn, axis=1) == np.arange(30)).all()
    assert len({tuple(row) for row in drawn}) == 50


def test_within_groups_nothing_leaves_its_group() -> None:
    groups = np.array(list("aabbbbcccccc"))
    drawn = draw_permutations(12, 40, groups=groups, permute="within")
    assert (groups[drawn] == groups).all()
    assert (drawn[:, 6:] != np.arange(6, 12)).any()


def test_blocks_move_whole_and_only_among_equals() -> None:
    groups = np.array([0, 0, 1, 1, 2, 2, 2, 3, 3, 4])
    drawn = draw_permutations(10, 60, groups=groups, permute="blocks")
    assert (np.sort(drawn, axis=1) == np.arange(10)).all()
    assert (drawn[:, 4:7] == [4, 5, 6]).all()
    assert (drawn[:, 9] == 9).all()
    pairs = drawn[:, [0, 1, 2, 3, 7, 8]].reshape(60, 3, 2)
    assert (pairs[..., 1] == pairs[..., 0] + 1).all()
    assert {tuple(p[:, 0]) for p in pairs} == {
        (a, b, c) for a in (0, 2, 7) for b in (0, 2, 7) for c in (0, 2, 7) if len({a, b, c}) == 3
    }


def test_refusals() -> None:
    with pytest.raises(UndefinedError, match="same size"):
        draw_permutations(6, 5, groups=[0, 1, 1, 2, 2, 2], permute="blocks")
    with pytest.raises(UndefinedError, match="one stimulus"):
        draw_permutations(3, 5, groups=[0, 1, 2], permute="within")
    with pytest.raises(ShapeError):
        draw_permutations(3, 5, groups=[0, 1], permute="within")
    with pytest.raises(ChoiceError, match="blocks"):
        draw_permutations(3, 5, groups=[0, 1, 2], permute="block")
    with pytest.raises(InputError):
        draw_permutations(3, 0)


def test_p_counts_itself_and_null_needs_spread() -> None:
    result = calibrated(3.0, np.arange(5.0))
    assert result.p == pytest.approx(3 / 6)
    assert calibrated(9.0, np.arange(5.0)).p == pytest.approx(1 / 6)
    assert result.z == pytest.approx((3 - 2) / np.std(np.arange(5), ddof=1))
    with pytest.raises(UndefinedError, match="no spread"):
        calibrated(1.0, np.ones(10))


def test_the_best_is_placed_among_the_best_of_the_same_permutations() -> None:
    rng = np.random.default_rng(0)
    null = rng.standard_normal((4, 99))
    scores = np.array([0.1, 2.0, -0.3, 1.0])
    result = best_of(list("abcd"), scores, null, standardize=False)
    assert (result.best, result.score) == ("b", 2.0)
    largest = null.max(axis=0)
    assert result.null_mean == pytest.approx(largest.mean())
    assert result.p == result.p_each[1] == pytest.approx((1 + (largest >= 2.0).sum()) / 100)
    assert result.p_each[3] == pytest.approx((1 + (largest >= 1.0).sum()) / 100)
    assert result.scores.tolist() == scores.tolist()


def test_metrics_of_other_scales_are_compared_by_their_own_nulls() -> None:
    rng = np.random.default_rng(1)
    null = rng.standard_normal((2, 199)) * [[1.0], [100.0]] + [[0.0], [500.0]]
    assert best_of(["small", "large"], [4.0, 550.0], null, standardize=True).best == "small"
    assert best_of(["small", "large"], [4.0, 550.0], null, standardize=False).best == "large"
    with pytest.raises(UndefinedError, match="null of 'large' has no spread"):
        best_of(["small", "large"], [4.0, 1.0], np.stack([null[0], np.ones(199)]), standardize=True)


@pytest.mark.parametrize("standardize", [True, False])
def test_the_best_of_many_keeps_the_nominal_rate(standardize: bool) -> None:
    rng = np.random.default_rng(2)
    p = [
        best_of(range(10), values[:, 0], values[:, 1:], standardize=standardize).p
        for values in rng.standard_normal((2000, 10, 40))
    ]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.015)  # 3 standard errors

"""Permutations respect what may be exchanged; p is never zero."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError
from brainalign.stats.permutation import calibrated, calibrated_by_moments, draw_permutations


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


def test_a_score_without_value_has_no_p() -> None:
    with pytest.raises(UndefinedError, match="score is not defined"):
        calibrated(float("nan"), np.arange(9.0))
    with pytest.raises(UndefinedError, match="score is not defined"):
        calibrated_by_moments(float("nan"), (0.0, 1.0), 0.0, 10)

"""Folds: a partition, groups whole, sizes balanced, refusals that name the place."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut

from brainalign.encoding import make_folds
from brainalign.errors import InputError, ShapeError


def test_a_number_of_folds_partitions_the_stimuli_evenly():
    folds = make_folds(23, 5, seed=3)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(23))
    assert sorted(len(test) for _, test in folds) == [4, 4, 5, 5, 5]
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(23))


def test_the_seed_decides_the_assignment():
    tests = [np.concatenate([test for _, test in make_folds(30, 3, seed=s)]).tolist() for s in (0, 0, 1)]
    assert tests[0] == tests[1] != tests[2]


def test_groups_stay_whole_and_balanced_by_size():
    groups = np.repeat(["a", "b", "c", "d", "e", "f"], [8, 4, 4, 3, 3, 2])
    folds = make_folds(len(groups), 3, groups=groups)
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
    assert sorted(len(test) for _, test in folds) == [7, 8, 9]


@pytest.mark.parametrize("splitter", [KFold(4), GroupKFold(2), LeaveOneGroupOut()])
def test_a_splitter_is_used_as_it_is(splitter):
    groups = np.arange(24) // 6
    ours = make_folds(24, splitter, groups=groups)
    theirs = list(splitter.split(np.zeros((24, 1)), groups=None if isinstance(splitter, KFold) else groups))
    for (train, test), (expected_train, expected_test) in zip(ours, theirs, strict=True):
        assert train.tolist() == sorted(expected_train)
        assert test.tolist() == sorted(expected_test)


def test_pairs_may_be_masks_and_need_not_cover_all_stimuli():
    mask = np.arange(10) < 7
    ((train, test),) = make_folds(10, [(mask, [9, 8])])
    assert train.tolist() == list(range(7))
    assert test.tolist() == [8, 9]


@pytest.mark.parametrize(
    ("folds", "groups", "message"),
    [
        (1, None, "at least two folds"),
        (11, None, "11 folds of 10 stimuli"),
        (5, list("aaaabbbbcc"), "5 folds of 3 groups"),
        ([([0, 1, 2], [2, 3])], None, "fold 0: 1 rows are in train and in test, first 2"),
        ([([0, 1, 12], [3])], None, "fold 0: train holds row 12 of 10 stimuli"),
        ([([0, 1, -1], [3])], None, "row -1"),
        ([([0, 1, 1], [3])], None, "more than once"),
        ([([0, 1], [])], None, "test must be a non-empty vector"),
        ([([0.5, 1.0], [2])], None, "float64"),
        ([(0, 1, 2)], None, "not a \\(train, test\\) pair"),
        ([], None, "no \\(train, test\\) pair"),
        ("five", None, "expected a number"),
        (True, None, "expected a number"),
        ([([0, 1, 2, 3], [4, 5])], list("aabbbbcccc"), "1 groups have stimuli in train and in test"),
    ],
)
def test_folds_that_cannot_be_are_refused(folds, groups, message):
    with pytest.raises(InputError, match=message):
        make_folds(10, folds, groups=groups)


def test_a_splitter_that_splits_a_group_is_refused():
    with pytest.raises(InputError, match="keep each group on one side"):
        make_folds(9, KFold(2), groups=np.arange(9) // 3)


def test_groups_of_another_length_are_refused():
    with pytest.raises(ShapeError, match=r"groups has shape \(3,\) for 10 stimuli"):
        make_folds(10, 2, groups=[1, 2, 3])

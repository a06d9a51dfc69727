"""Cross-validation folds that keep every group of stimuli on one side of the split."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError, ShapeError

__all__ = ["Fold", "Folds", "make_folds"]

IndexArray = npt.NDArray[np.intp]
Fold = tuple[IndexArray, IndexArray]


@runtime_checkable
class Splitter(Protocol):
    """What is used of a scikit-learn splitter."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterable[tuple[Any, Any]]:
        """Yield (train, test) indices."""
        ...


Folds = int | list[tuple[Any, Any]] | tuple[tuple[Any, Any], ...] | Splitter


def make_folds(
    n: int, folds: Folds = 5, groups: npt.ArrayLike | Sequence[Any] | None = None, seed: int = 0
) -> list[Fold]:
    """Return (train, test) row indices of ``n`` stimuli, with every group whole on one side.

    Parameters
    ----------
    n : int
        Number of stimuli.
    folds : int, list of (train, test) pairs, or scikit-learn splitter
        A number partitions the stimuli into so many folds of near-equal size, groups assigned at random, large ones
        first. Pairs hold row indices or boolean masks.
    groups : sequence of length n, optional
        What must not be split: the stimulus of each presentation, or the source photograph of each stimulus. Without
        it every row is its own group.
    seed : int
        Of the random assignment; unused for pairs and splitters.

    Returns
    -------
    list of (train, test)
        Sorted int arrays.

    Raises
    ------
    InputError
        Fewer groups than folds, indices out of range or repeated, rows in both parts, a group in both parts.
    ShapeError
        ``groups`` of another length than ``n``.

    Examples
    --------
    >>> [test.tolist() for _, test in make_folds(6, 2, groups=list("aabbcc"), seed=1)]
    [[0, 1, 4, 5], [2, 3]]
    """
    labels = _group_indices(n, groups)
    if isinstance(folds, (int, np.integer)) and not isinstance(folds, bool):
        return _partition(n, int(folds), labels, seed)
    if isinstance(folds, (list, tuple)):
        given = list(folds)
    elif isinstance(folds, Splitter) and hasattr(folds, "get_n_splits"):  # a string has a split, too
        given = _split(n, folds, None if groups is None else labels)
    else:
        raise InputError(
            f"folds={folds!r}: expected a number, a list of (train, test) row indices, or a scikit-learn splitter."
        )
    if not given:
        raise InputError("folds holds no (train, test) pair; give at least one.")
    return [_checked(n, number, pair, None if groups is None else labels) for number, pair in enumerate(given)]


def _split(n: int, splitter: Splitter, labels: IndexArray | None) -> list[tuple[Any, Any]]:
    with warnings.catch_warnings():
        # a splitter that ignores groups says so; whether it split one is checked here
        warnings.filterwarnings("ignore", message="The groups parameter is ignored", category=UserWarning)
        return list(splitter.split(np.zeros((n, 1)), groups=labels))


def _group_indices(n: int, groups: npt.ArrayLike | Sequence[Any] | None) -> IndexArray:
    if groups is None:
        return np.arange(n, dtype=np.intp)
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ShapeError(f"groups has shape {labels.shape} for {n} stimuli; give one label for each stimulus.")
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _partition(n: int, folds: int, labels: IndexArray, seed: int) -> list[Fold]:
    sizes = np.bincount(labels, minlength=1)
    if folds < 2:
        raise InputError(f"folds={folds}: cross-validation needs at least two folds.")
    if len(sizes) < folds:
        kind = "stimuli" if len(sizes) == n else "groups of stimuli"
        raise InputError(f"{folds} folds of {len(sizes)} {kind}: give at most {len(sizes)} folds, or more stimuli.")
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold_of = np.empty(len(sizes), dtype=np.intp)
    load = np.zeros(folds, dtype=np.intp)
    for group in order:
        fold_of[group] = int(np.argmin(load))
        load[fold_of[group]] += sizes[group]
    row_fold = fold_of[labels]
    return [(np.flatnonzero(row_fold != f), np.flatnonzero(row_fold == f)) for f in range(folds)]


def _checked(n: int, number: int, pair: tuple[Any, Any], labels: IndexArray | None) -> Fold:
    try:
        given_train, given_test = pair
    except (TypeError, ValueError):
        raise InputError(f"fold {number} is not a (train, test) pair of row indices.") from None
    train = _rows(n, number, "train", given_train)
    test = _rows(n, number, "test", given_test)
    both = np.intersect1d(train, test)
    if len(both):
        raise InputError(f"fold {number}: {len(both)} rows are in train and in test, first {both[0]}.")
    if labels is not None:
        shared = np.intersect1d(labels[train], labels[test])
        if len(shared):
            row = int(train[labels[train] == shared[0]][0])
            raise InputError(
                f"fold {number}: {len(shared)} groups have stimuli in train and in test (first: that of row {row}); "
                "keep each group on one side, or the score measures memory of the group."
            )
    return train, test


def _rows(n: int, number: int, part: str, given: Any) -> IndexArray:
    rows = np.asarray(given)
    if rows.dtype == np.bool_ and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not len(rows) or not np.issubdtype(rows.dtype, np.integer):
        raise InputError(
            f"fold {number}: {part} must be a non-empty vector of row indices or a mask of {n} rows, "
            f"got {rows.dtype} of shape {rows.shape}."
        )
    if rows.min() < 0 or rows.max() >= n:
        raise InputError(f"fold {number}: {part} holds row {int(rows[(rows < 0) | (rows >= n)][0])} of {n} stimuli.")
    unique = np.unique(rows).astype(np.intp)
    if len(unique) < len(rows):
        raise InputError(f"fold {number}: {part} holds {len(rows) - len(unique)} rows more than once.")
    return unique

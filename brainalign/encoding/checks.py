"""Checks of what is asked of an encoding plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from brainalign.encoding.folds import Fold
from brainalign.errors import ChoiceError, InputError, ShapeError, near_names

__all__ = ["PERMUTED_QUANTITIES", "check_blocks", "check_folds", "check_permutations", "check_quantities"]

IndexArray = npt.NDArray[np.intp]

QUANTITIES = ("r", "r2")
PERMUTED_QUANTITIES = (*QUANTITIES, "inner_r2")


def check_quantities(quantity: str | Sequence[str], known: Sequence[str] = QUANTITIES) -> tuple[str, ...]:
    """Return the quantities asked for, one or several; refuse unknown ones."""
    names = (quantity,) if isinstance(quantity, str) else tuple(quantity)
    for name in names:
        if name not in known:
            raise ChoiceError(f"quantity={name!r} is unknown.{near_names(str(name), known)}")
    return names


def check_folds(folds: Sequence[Fold]) -> int:
    """Refuse folds too small for a correlation; return the number of training rows of the smallest."""
    for number, (train, test) in enumerate(folds):
        if len(train) < 3 or len(test) < 2:
            raise InputError(
                f"fold {number} has {len(train)} training and {len(test)} test stimuli: a correlation of held-out "
                "responses needs at least three and two; give fewer folds or more stimuli."
            )
    return min(len(train) for train, _ in folds)


def check_permutations(permutations: npt.ArrayLike, n: int) -> IndexArray:
    """Return permutations (R, n) as indices."""
    orders = np.atleast_2d(np.asarray(permutations))
    if orders.ndim != 2 or orders.shape[1] != n or not np.issubdtype(orders.dtype, np.integer):
        raise ShapeError(f"permutations is {orders.dtype} of shape {orders.shape}: expected integers (R, {n}).")
    if (np.sort(orders, axis=1) != np.arange(n)).any():
        raise InputError(f"permutations: every row must hold each of 0 … {n - 1} once.")
    return orders.astype(np.intp)


def check_blocks(blocks: Sequence[npt.ArrayLike], folds: Sequence[Fold], n: int) -> list[IndexArray]:
    """Return blocks as sorted row indices that leave enough stimuli in every fold."""
    rows = [np.unique(np.asarray(block)) for block in blocks]
    inside = np.zeros((len(folds), 2, n), dtype=np.intp)
    for fold, sides in enumerate(folds):
        for side, members in enumerate(sides):
            inside[fold, side, members] = 1
    sizes = inside.sum(axis=2)
    for number, block in enumerate(rows):
        if not len(block) or not np.issubdtype(block.dtype, np.integer) or block[0] < 0 or block[-1] >= n:
            raise InputError(f"block {number} must hold row indices of the {n} stimuli, at least one.")
        left = sizes - inside[:, :, block].sum(axis=2)
        short = np.flatnonzero((left < (3, 2)).any(axis=1))
        if len(short):
            fold = int(short[0])
            raise InputError(
                f"block {number} leaves {left[fold, 0]} training and {left[fold, 1]} test stimuli in fold {fold}: at "
                "least three and two are needed; use smaller blocks or fewer folds."
            )
    return rows

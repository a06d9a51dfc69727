"""Checks that the measures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from brainalign.errors import ChoiceError, InputError, PairingError, near_names

__all__ = ["distinct_rows", "require_choice", "require_crossed", "require_permutations", "require_same_stimuli"]

IndexArray = npt.NDArray[np.intp]


def require_choice(argument: str, value: str, choices: Sequence[str]) -> None:
    """Raise ``ChoiceError`` with near names unless ``value`` is one of the choices."""
    if value not in choices:
        raise ChoiceError(f"{argument}={value!r} is unknown.{near_names(str(value), choices)}")


def require_same_stimuli(n_a: int, n_b: int) -> None:
    """Raise ``PairingError`` unless both sides have as many stimuli."""
    if n_a != n_b:
        raise PairingError(f"one side has {n_a} stimuli and the other {n_b}; both need the same, in one order.")


def require_crossed(n_each: Sequence[int], n: int, left: IndexArray, right: IndexArray) -> list[IndexArray]:
    """Return the permutations of both sides, or raise unless all representations have the ``n`` stimuli they order."""
    for n_stimuli in n_each:
        require_same_stimuli(n_stimuli, n)
    return [require_permutations(permutations, n) for permutations in (left, right)]


def distinct_rows(rows: IndexArray, n: int, device: torch.device) -> torch.Tensor:
    """Return row indices as a tensor; a stimulus taken twice would be compared with itself and is refused."""
    index = np.asarray(rows)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        raise InputError(f"rows must be a vector of row indices, got {index.dtype} of shape {index.shape}.")
    if len(index) and (index.min() < 0 or index.max() >= n):
        raise InputError(f"rows run from {int(index.min())} to {int(index.max())}, but there are {n} stimuli.")
    if len(np.unique(index)) != len(index):
        raise InputError(f"{len(index) - len(np.unique(index))} rows repeat; a subset holds each stimulus once.")
    return torch.from_numpy(index.astype(np.int64)).to(device)


def require_permutations(permutations: IndexArray, n: int) -> IndexArray:
    """Return permutations (R, n) of ``n`` stimuli, or raise ``InputError``."""
    orders = np.asarray(permutations)
    if orders.ndim != 2 or orders.shape[1] != n or orders.dtype.kind not in "iu":
        raise InputError(f"permutations must be whole numbers of shape (R, {n}), got {orders.dtype} {orders.shape}.")
    if not np.array_equal(np.sort(orders, axis=1), np.broadcast_to(np.arange(n), orders.shape)):
        raise InputError(f"every row of permutations must hold each of 0 to {n - 1} once.")
    return orders.astype(np.intp, copy=False)

"""Permutations of both sides, crossed: some of X, some of Y, and a null from all pairs of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError
from brainalign.stats.permutation import draw_permutations

__all__ = ["CrossedPermutations", "draw_crossed"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class CrossedPermutations:
    """Permutations of X and of Y, the identity first, and which pairs of them make the null.

    Attributes
    ----------
    left, right : arrays of int, shapes (S, n), (T, n)
        Permutations of X and of Y.
    pairs : array of int, shape (R,)
        Pairs a T + b of ``left[a]`` and ``right[b]``; never 0, which is the observed one.
    """

    left: IndexArray
    right: IndexArray
    pairs: IndexArray

    @cached_property
    def relative(self) -> IndexArray:
        """Permutations of Y alone that pair the same stimuli, shape (R, n)."""
        a, b = np.divmod(self.pairs, len(self.right))
        inverse = np.argsort(self.left, axis=1)
        return np.take_along_axis(self.right[b], inverse[a], axis=1)

    def null(self, values: FloatArray) -> FloatArray:
        """Return the null (L, R) of values of all pairs (L, S, T)."""
        return values.reshape(len(values), -1)[:, self.pairs]


def draw_crossed(
    n: int, count: int, *, groups: npt.ArrayLike | None = None, permute: str = "within", seed: int = 0
) -> CrossedPermutations:
    """Draw about √count permutations of each side, and ``count`` of the pairs of both.

    Parameters and errors as in `draw_permutations`, which draws either side.

    Notes
    -----
    p stays exact, for the best of several scores too, and the relative permutations of any two pairs are independent
    and uniform: see docs/decisions/0009-permutations-of-both-sides.md. It takes permutations that form a group, as
    those of `draw_permutations` do. How many there are of a side, and which pairs count, depends on ``count`` and
    ``seed`` alone, so that nulls of several layers, regions or parts of the stimuli can be compared pair by pair.
    """
    if count < 1:
        raise InputError(f"n_permutations must be at least 1, got {count}.")
    n_left = math.isqrt(count) + 1
    n_right = -(-(count + 1) // n_left)
    drawn = draw_permutations(n, n_left + n_right - 2, groups=groups, permute=permute, seed=seed)
    observed = np.arange(n)[None]
    others = np.random.default_rng((seed, 1)).choice(n_left * n_right - 1, count, replace=False)
    return CrossedPermutations(
        left=np.concatenate([observed, drawn[: n_left - 1]]),
        right=np.concatenate([observed, drawn[n_left - 1 :]]),
        pairs=np.sort(others) + 1,
    )

"""Which units may be exchanged under the null: units within families, whole families, or both."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError, ShapeError

__all__ = ["Exchange", "Rearranged", "p_of"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
# values that are permuted among themselves, and where they belong: units, or (None) one for each family
Part = tuple[FloatArray, IndexArray | None]

# relative difference at which a permuted statistic counts as equal to the observed one, or a mean as zero
EQUAL = 1e-12


@dataclass(frozen=True, eq=False)
class Rearranged:
    """A variable under permutations of the null.

    Attributes
    ----------
    values : (R, n)
        One permutation a row; without the order that was observed where all are listed.
    n_distinct : int
        Orders of the values that differ, the observed one included.
    exact : bool
        All orders are listed, so p is exact; else they are drawn at random.
    """

    values: FloatArray
    n_distinct: int
    exact: bool

    @property
    def smallest_p(self) -> float:
        """The smallest p that these permutations allow."""
        return max(1 / self.n_distinct, 1 / (len(self.values) + 1))


class Exchange:
    """What the null allows to exchange.

    A variable is split into the mean of its family and the deviations from it. ``within`` permutes deviations inside
    each family; ``between`` permutes the means over families; ``both`` does both, each on its own. Without families
    all units are exchanged freely.

    Parameters
    ----------
    groups : sequence of length n, or None
        Family of each unit.
    n : int
        Number of units.

    Notes
    -----
    Exchanging means of families of unequal size takes them as equally precise, which is exact where families differ
    much more than their members or have the same size. Winkler et al. 2015, doi:10.1016/j.neuroimage.2015.05.092, on
    blocks that are exchanged whole and within.
    """

    def __init__(self, groups: Any, n: int) -> None:
        self.n = n
        self.labels: list[str] = []
        self.of_unit = np.zeros(n, dtype=np.intp)
        if groups is not None:
            given = [str(label) for label in groups]
            if len(given) != n:
                raise ShapeError(f"group has {len(given)} labels for {n} units; give one for each.")
            self.labels = list(dict.fromkeys(given))
            place = {label: i for i, label in enumerate(self.labels)}
            self.of_unit = np.array([place[label] for label in given], dtype=np.intp)

    @cached_property
    def members(self) -> list[IndexArray]:
        """Units of each family."""
        return [np.flatnonzero(self.of_unit == g) for g in range(max(1, len(self.labels)))]

    @property
    def n_independent(self) -> int:
        """Number of families, or of units where there are none."""
        return len(self.labels) or self.n

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels at which something can be exchanged."""
        possible = []
        if self.labels and max(map(len, self.members)) > 1:
            possible.append("within")
        if len(self.labels) > 2:
            possible.append("between")
        return tuple(possible)

    def means(self, y: FloatArray) -> FloatArray:
        """Mean of each family, shape (n_families,); means that are rounding alone are zero."""
        means = np.array([y[rows].mean() for rows in self.members])
        means[np.abs(means) <= EQUAL * float(np.abs(y).max(initial=0.0))] = 0.0
        return means

    def rearrange(self, y: FloatArray, *, level: str = "both", count: int = 10_000, seed: int = 0) -> Rearranged:
        """Permute a variable: all ways where there are at most ``count`` of them, else as many at random.

        Parameters
        ----------
        y : (n,)
        level : {"both", "within", "between"}
            Ignored without families.
        count, seed : int
            Permutations at random, and their seed.

        Raises
        ------
        InputError
            If ``count`` is not positive.
        """
        if count < 1:
            raise InputError(f"n_permutations must be at least 1, got {count}.")
        if not self.labels:
            return self._made([(y, np.arange(self.n))], np.zeros(self.n), _arrangements(y), count, seed)
        means = self.means(y)
        deviations = y - means[self.of_unit]
        parts: list[Part] = []
        distinct, base = 1, np.zeros(self.n)
        if level in ("both", "between"):
            parts.append((means, None))
            distinct *= _arrangements(means)
        else:
            base = means[self.of_unit]
        if level in ("both", "within"):
            parts += [(deviations[rows], rows) for rows in self.members]
            distinct *= math.prod(_arrangements(y[rows]) for rows in self.members)
        else:
            base = base + deviations
        return self._made(parts, base, distinct, count, seed)

    def _made(self, parts: list[Part], base: FloatArray, distinct: int, count: int, seed: int) -> Rearranged:
        exact = math.prod(math.factorial(len(values)) for values, _ in parts) <= count + 1
        rng = np.random.default_rng(seed)
        if exact:
            orders = list(_all_orders([len(values) for values, _ in parts]))[1:]  # the first is the observed one
            picked = [
                np.array([o[i] for o in orders], dtype=np.intp).reshape(len(orders), -1) for i in range(len(parts))
            ]
        else:
            picked = [rng.permuted(np.tile(np.arange(len(v)), (count, 1)), axis=1) for v, _ in parts]
        out = np.tile(base, (len(picked[0]) if picked else 0, 1))
        for (values, rows), order in zip(parts, picked, strict=True):
            if rows is None:
                out += values[order][:, self.of_unit]
            else:
                out[:, rows] += values[order]
        return Rearranged(out, distinct, exact)


def _all_orders(sizes: list[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    return itertools.product(*(itertools.permutations(range(size)) for size in sizes))


def _arrangements(values: FloatArray) -> int:
    """Number of orders that differ: equal values swapped are the same order."""
    counts = Counter(values.tolist())
    return math.factorial(counts.total()) // math.prod(math.factorial(c) for c in counts.values())


def p_of(score: float, null: FloatArray) -> float:
    """Return (1 + number of permuted statistics at least as large) / (permutations + 1)."""
    slack = EQUAL * max(abs(score), float(np.abs(null).max(initial=0.0)))
    return float((1 + np.count_nonzero(null >= score - slack)) / (len(null) + 1))

"""Mutual nearest neighbours: the share of neighbours that two representations of the same stimuli have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair
from brainalign.errors import InputError, PairingError, ResponseKindError
from brainalign.kernels.cloud import check_metric
from brainalign.kernels.neighbours import check_k, neighbour_lists, neighbours_of
from brainalign.similarity.checks import require_crossed
from brainalign.similarity.neighbour_bits import common_in_orders, common_in_subsets
from brainalign.similarity.neighbour_tables import (
    common_in_all,
    common_neighbours,
    first_inside,
    meetings,
    permuted_table,
    places_of_meetings,
)

__all__ = ["MutualKnnForm", "NeighbourLists", "mutual_knn"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

ALL_NEIGHBOURS = 2048
"""Up to this number of stimuli the order of all neighbours is kept, and the points are not."""


def mutual_knn(X: Any, Y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    """Share of the ``k`` nearest neighbours that each stimulus has in both representations, averaged.

    Parameters
    ----------
    X, Y : arrays, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order.
    k : int
        Number of neighbours, fewer than the number of stimuli.
    metric : {"cosine", "euclidean"}
        Distance in both; cosine is taken about the origin, so an offset of the data matters.

    Returns
    -------
    float
        Between 0 and 1. Chance is ``k / (n_stimuli - 1)``, the mean over all pairings. The value depends on the number
        of stimuli: compare only at the same number.

    Raises
    ------
    ShapeError
        If there are not more than ``k`` stimuli.
    PairingError
        If the rows do not pair.
    UndefinedError
        For a row of zeros under cosine.
    ChoiceError, NonFiniteError
        For an unknown metric, and for NaN or inf.

    Notes
    -----
    Equal distances are ordered by stimulus. Cost: n² (p + q) multiplications, half of two full products.

    References
    ----------
    Huh et al. 2024, arXiv:2405.07987.

    Examples
    --------
    >>> mutual_knn([[0.0], [1.0], [3.0], [7.0]], [[0.0], [1.0], [9.0], [7.0]], k=1, metric="euclidean")
    0.75
    """
    x, y = as_pair(X, Y)
    a, b = (neighbour_lists(matrix, k=k, metric=metric, ordered=False) for matrix in (x, y))
    return float(common_neighbours(a, b).mean()) / k


@dataclass(frozen=True, eq=False)
class NeighbourLists:
    """The first neighbours of some of the stimuli that were prepared together, and what more is known of all of them.

    Attributes
    ----------
    index : array of int, shape (n, k)
        Neighbours within these stimuli, nearest first.
    rows : array of int, shape (n,)
        Which of the prepared stimuli these are.
    order : array of int, shape (n_prepared, m)
        Further neighbours, nearest first, among all prepared stimuli.
    points : torch.Tensor or None
        The prepared matrix, unless ``order`` holds all neighbours.
    """

    index: IndexArray
    rows: IndexArray
    order: npt.NDArray[np.int32]
    points: torch.Tensor | None

    @property
    def n(self) -> int:
        """Number of stimuli."""
        return len(self.index)


@dataclass(frozen=True)
class MutualKnnForm:
    """`mutual_knn` in the form that shares neighbour lists between scores, subsamples and permutations.

    The statistic is not smooth, so the delete-block jackknife is not valid for it: half-sampling is.

    Raises
    ------
    InputError
        If ``k`` is no positive integer.
    ChoiceError
        For an unknown metric.
    """

    k: int = 10
    metric: str = "cosine"

    def __post_init__(self) -> None:
        check_k(self.k)
        check_metric(self.metric)

    @property
    def smooth(self) -> bool:
        """Whether the delete-block jackknife is valid: no."""
        return False

    @property
    def recomputed(self) -> bool:
        """Subsamples and permutations share the neighbour lists."""
        return False

    def prepare(self, X: Any, *, name: str = "X") -> NeighbourLists:
        """Order the neighbours of each stimulus: all of them for few stimuli, else enough for half of the stimuli.

        Cost: n² p multiplications, and a sort of the lists.
        """
        points = as_matrix(X, name=name)
        n = len(points)
        check_k(self.k, n)
        length = n - 1 if n <= ALL_NEIGHBOURS else min(n - 1, 4 * self.k + 24)
        order = neighbour_lists(points, k=length, metric=self.metric).astype(np.int32)
        return self.prepare_order(order, None if length == n - 1 else points)

    def prepare_order(self, order: npt.NDArray[np.int32], points: torch.Tensor | None = None) -> NeighbourLists:
        """Prepare neighbours (n, m), nearest first, that several ``k`` share; ``points`` unless they are all."""
        check_k(self.k, len(order))
        first: IndexArray = order[:, : self.k].astype(np.intp)
        return NeighbourLists(first, np.arange(len(order)), order, points)

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> NeighbourLists:
        """Refuse: the distance that is part of the measure needs points."""
        raise ResponseKindError(
            f"mutual kNN orders neighbours by {self.metric} distance between response patterns; an RDM was given, "
            "whose distances are of another kind. Use a measure of RDMs (rsa.*)."
        )

    def restrict(self, a: NeighbourLists, rows: IndexArray) -> NeighbourLists:
        """Return the lists of these stimuli only, as if prepared from ``X[rows]``.

        Neighbours that are left out make room for further ones; where a list ends too early, the row is computed again
        from the points. Equal distances keep the order of the prepared stimuli. Cost: n times the length of the lists.
        """
        kept = a.rows[self._checked_rows(rows)]
        place = np.full(len(a.order), -1, dtype=np.intp)
        place[kept] = np.arange(len(kept))
        index = np.empty((len(kept), self.k), dtype=np.intp)
        left = np.arange(len(kept))
        for width in (self._leading(a, len(kept)), a.order.shape[1]):
            left = left[~first_inside(place, a.order, kept[left], left, index, width)]
        if len(left):
            assert a.points is not None
            here = torch.as_tensor(kept, device=a.points.device)
            index[left] = neighbours_of(a.points[here], left, k=self.k, metric=self.metric)
        return NeighbourLists(index, kept, a.order, a.points)

    def _checked_rows(self, rows: IndexArray) -> IndexArray:
        chosen = np.asarray(rows)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or len(np.unique(chosen)) != len(chosen):
            raise InputError("rows must be different row numbers: a stimulus drawn twice would be its own neighbour.")
        check_k(self.k, len(chosen))
        return chosen

    def _leading(self, a: NeighbourLists, n_kept: int) -> int:
        """Return how many neighbours nearly always hold the first k that are kept, as far as the lists go."""
        share = n_kept / len(a.order)
        length: int = a.order.shape[1]
        return min(length, math.ceil((self.k + 4 * math.sqrt(self.k) + 4) / share))

    def score(self, a: NeighbourLists, b: NeighbourLists) -> float:
        """Return the share of neighbours in common."""
        _require_pair(a, b)
        return float(self._value(torch.as_tensor(common_neighbours(a.index, b.index))))

    def score_all(self, many_a: Sequence[NeighbourLists], many_b: Sequence[NeighbourLists]) -> FloatArray:
        """Return ``score(a, b)`` of every pair, shape (len(many_a), len(many_b)). Cost: n k look-ups each."""
        for a in (*many_a, *many_b):
            _require_pair(a, many_b[0])
        return self._values_of_all([a.index for a in many_a], [b.index for b in many_b])

    def score_subsets(
        self, many_a: Sequence[NeighbourLists], many_b: Sequence[NeighbourLists], subsets: Sequence[IndexArray]
    ) -> FloatArray:
        """Return ``score(restrict(a, rows), restrict(b, rows))`` of every pair for each ``rows`` of ``subsets``.

        Shape (len(many_a), len(many_b), len(subsets)). Cost: see `common_in_subsets`; where a list ends too early
        within a subset, that of `restrict` and `score` of all pairs there.
        """
        for a in (*many_a, *many_b):
            _require_pair(a, many_b[0])
        chosen, first = [self._checked_rows(rows) for rows in subsets], many_b[0]
        sizes = np.array([len(rows) for rows in chosen])
        out = np.empty((len(many_a), len(many_b), len(chosen)))
        left = np.ones(len(chosen), dtype=bool)
        alike = [a.order.shape == first.order.shape and np.array_equal(a.rows, first.rows) for a in (*many_a, *many_b)]
        if all(alike):
            lists = ([a.order for a in many_a], [b.order for b in many_b])
            out, left = common_in_subsets(*lists, first.rows, chosen, self.k, self._worth())
            out /= sizes * self._scale
        for s in np.flatnonzero(left):
            within = ([self.restrict(a, chosen[s]) for a in many] for many in (many_a, many_b))
            out[:, :, s] = self.score_all(*within)
        return out

    def crossed(
        self, many_a: Sequence[NeighbourLists], many_b: Sequence[NeighbourLists], left: IndexArray, right: IndexArray
    ) -> FloatArray:
        """Return ``score(a[s], b[t])`` for all permutations s of ``left`` and t of ``right``: see `CrossedForm`.

        Cost: T n k look-ups for each pair and 64 permutations of ``a``.
        """
        out = np.empty((len(many_a), len(left), len(many_b), len(right)))
        on_left, on_right = require_crossed([one.n for one in (*many_a, *many_b)], many_b[0].n, left, right)
        tables = [[permuted_table(b.index, order) for order in on_right] for b in many_b]
        for i, a in enumerate(many_a):
            orders = [permuted_table(a.index, order) for order in on_left]
            out[i] = common_in_orders(orders, tables, self.k, self._worth())
        return out / (many_b[0].n * self._scale)

    def _values_of_all(self, many_a: Sequence[IndexArray], many_b: Iterable[IndexArray]) -> FloatArray:
        """Return the value of every pair of tables (n, k), shape (len(many_a), number of tables in many_b)."""
        values = [self._value(torch.as_tensor(common)).numpy() for common in common_in_all(many_a, many_b)]
        return np.array(values, dtype=np.float64).reshape(-1, len(many_a)).T

    def leave_blocks_out(self, a: NeighbourLists, b: NeighbourLists, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return the value with each block of stimuli left out; further neighbours step in, so it is exact."""
        _require_pair(a, b)
        values: FloatArray = self.score_subsets([a], [b], [np.setdiff1d(np.arange(a.n), block) for block in blocks])
        return values.reshape(len(blocks))

    def permuted(self, many_a: Sequence[NeighbourLists], b: NeighbourLists, permutations: IndexArray) -> FloatArray:
        """Return ``score(a, b[permutation])`` for all ``a`` and permutations (R, n), shape (len(many_a), R).

        Stimulus j is a neighbour of i in ``b[permutation]`` if ``permutation[j]`` is one of ``permutation[i]`` in b.
        Cost: n k look-ups for each ``a`` and permutation.
        """
        for a in many_a:
            _require_pair(a, b)
        orders = np.asarray(permutations, dtype=np.intp)
        if orders.ndim != 2 or orders.shape[1] != b.n:
            raise PairingError(f"permutations must have shape (R, {b.n}), got {orders.shape}.")
        return self._values_of_all([a.index for a in many_a], (permuted_table(b.index, order) for order in orders))

    @property
    def _scale(self) -> int:
        """What the worth of a stimulus is divided by."""
        return self.k

    def _worth(self) -> FloatArray | None:
        """Return what a stimulus with 0, 1, … k common neighbours adds, times the scale; None: their number."""
        return None

    def _value(self, common: torch.Tensor) -> torch.Tensor:
        """Turn numbers of common neighbours (..., n) into the value of the measure."""
        return common.sum(-1).double() / (common.shape[-1] * self.k)

    def null_moments(self, a: NeighbourLists, b: NeighbourLists) -> tuple[float, float] | None:
        """Return mean and standard deviation over all n! permutations, in closed form.

        The number of common neighbours is ``Σ_ij A_ij B_π(i)π(j)`` of two directed graphs. Its mean square is a sum
        over the ways in which two edges can meet (the same edge, its reverse, a common start, a common end, head to
        tail, not at all), of the number of such pairs in A times that in B, over the number of such pairs of places
        (Mantel 1967, for directed graphs). Counts are integers, so nothing cancels. Cost: n k, and a sort.
        """
        _require_pair(a, b)
        n, edges = a.n, a.n * self.k
        mean = Fraction(edges * edges, n * (n - 1))
        square = Fraction(0)
        for in_a, in_b, places in zip(meetings(a.index), meetings(b.index), places_of_meetings(n), strict=True):
            if places:  # in very small sets some ways of meeting do not exist
                square += Fraction(in_a * in_b, places)
        return self.k / (n - 1), math.sqrt(square - mean * mean) / edges

    def null_skewness(self, a: NeighbourLists, b: NeighbourLists) -> float | None:
        """Return nothing: no closed form is known."""
        return None


def _require_pair(a: NeighbourLists, b: NeighbourLists) -> None:
    if a.n != b.n:
        raise PairingError(f"one side has {a.n} stimuli and the other {b.n}; both need the same stimuli in one order.")

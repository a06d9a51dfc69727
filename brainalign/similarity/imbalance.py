"""Information imbalance: how far one representation's nearest neighbours are from nearest in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix, as_pair
from brainalign.errors import ResponseKindError
from brainalign.kernels.cloud import check_metric
from brainalign.kernels.neighbours import check_k, neighbour_lists
from brainalign.kernels.pair_sums import directed_permutation_moments
from brainalign.similarity.checks import require_permutations, require_same_stimuli

__all__ = ["ImbalanceForm", "NeighbourRanks", "information_imbalance"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


def information_imbalance(X: Any, Y: Any, *, k: int = 1, metric: str = "euclidean") -> float:
    """Return how poorly distances in ``X`` predict distances in ``Y``: lower is more aligned.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order. The measure has a direction: swap the two for the
        other one. Small from X to Y and large from Y to X means that X holds what Y holds, and more.
    k : int
        Number of neighbours in ``X`` whose ranks in ``Y`` are averaged.
    metric : {"euclidean", "cosine"}
        Distance in both.

    Returns
    -------
    float
        Mean rank in ``Y`` of the ``k`` nearest neighbours in ``X``, times 2 / n_stimuli: 1 by chance, and
        (k + 1) / n_stimuli if both order neighbours alike.

    Raises
    ------
    ShapeError, PairingError, UndefinedError, ChoiceError, NonFiniteError
        As in `mutual_knn`.

    Notes
    -----
    Glielmo et al. 2022, doi:10.1093/pnasnexus/pgac039. Equal distances are ordered by stimulus. Cost: n² (p + q)
    multiplications and n sorts of n numbers; 12 n² bytes.

    Examples
    --------
    >>> information_imbalance([[0.0], [1.0], [3.0], [7.0]], [[0.0], [1.0], [3.0], [7.0]])
    0.5
    """
    form = ImbalanceForm(k=k, metric=metric)
    x, y = as_pair(X, Y)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


@dataclass(frozen=True, eq=False)
class NeighbourRanks:
    """Neighbours of each stimulus, nearest first (n, n - 1), and the rank of each stimulus among them (n, n) from 1."""

    order: npt.NDArray[np.int32]
    rank: npt.NDArray[np.int32]

    @classmethod
    def of(cls, order: npt.NDArray[np.int32]) -> NeighbourRanks:
        """Rank the neighbours; the diagonal is zero."""
        n = len(order)
        rank = np.zeros((n, n), dtype=np.int32)
        np.put_along_axis(rank, order.astype(np.intp), np.arange(1, n, dtype=np.int32)[None, :], axis=1)
        return cls(order, rank)


@dataclass(frozen=True)
class ImbalanceForm:
    """`information_imbalance` in the form that shares ranks; ``reverse`` goes from the second to the first."""

    k: int = 1
    metric: str = "euclidean"
    reverse: bool = False

    def __post_init__(self) -> None:
        check_k(self.k)
        check_metric(self.metric)

    @property
    def smooth(self) -> bool:
        """Whether the delete-block jackknife is valid: no."""
        return False

    @property
    def recomputed(self) -> bool:
        """Subsamples and permutations share the ranks."""
        return False

    def prepare(self, X: Any, *, name: str = "X") -> NeighbourRanks:
        """Order all neighbours of each stimulus. Cost: n² p multiplications, n sorts, 8 n² bytes kept."""
        points = as_matrix(X, name=name)
        check_k(self.k, len(points))
        return NeighbourRanks.of(neighbour_lists(points, k=len(points) - 1, metric=self.metric).astype(np.int32))

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> NeighbourRanks:
        """Refuse: the distance that is part of the measure needs points."""
        raise ResponseKindError(
            f"information imbalance orders neighbours by {self.metric} distance between response patterns; an RDM was "
            "given. Use a measure of RDMs (rsa.*)."
        )

    def restrict(self, a: NeighbourRanks, rows: IndexArray) -> NeighbourRanks:
        """Return the ranks among these stimuli only. Cost: n times their number."""
        chosen = np.asarray(rows)
        check_k(self.k, len(chosen))
        place = np.full(len(a.order), -1, dtype=np.int32)
        place[chosen] = np.arange(len(chosen), dtype=np.int32)
        local = place[a.order[chosen]]
        return NeighbourRanks.of(local[local >= 0].reshape(len(chosen), len(chosen) - 1))

    def score(self, a: NeighbourRanks, b: NeighbourRanks) -> float:
        """Return the imbalance from the first to the second, or back. Cost: n k."""
        require_same_stimuli(len(a.rank), len(b.rank))
        source, target = (b, a) if self.reverse else (a, b)
        ranks = np.take_along_axis(target.rank, source.order[:, : self.k].astype(np.intp), axis=1)
        return float(ranks.mean()) * 2 / len(a.rank)

    def leave_blocks_out(self, a: NeighbourRanks, b: NeighbourRanks, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return the value with each block of stimuli left out, ranked anew. Cost: n² a block."""
        n, values = len(a.rank), np.empty(len(blocks))
        for i, block in enumerate(blocks):
            rest = np.setdiff1d(np.arange(n), block)
            values[i] = self.score(self.restrict(a, rest), self.restrict(b, rest))
        return values

    def permuted(self, many_a: Sequence[NeighbourRanks], b: NeighbourRanks, permutations: IndexArray) -> FloatArray:
        """Return the value of every ``a`` with ``b`` permuted, shape (len(many_a), R). Cost: n k each."""
        orders = require_permutations(permutations, len(b.rank))
        out = np.empty((len(many_a), len(orders)))
        for i, a in enumerate(many_a):
            require_same_stimuli(len(a.rank), len(b.rank))
            source, target = (b, a) if self.reverse else (a, b)
            near = source.order[:, : self.k].astype(np.intp)
            for r, order in enumerate(orders):
                to = np.argsort(order) if self.reverse else order
                out[i, r] = target.rank[to[:, None], to[near]].mean()
        return out * 2 / len(b.rank)

    def null_moments(self, a: NeighbourRanks, b: NeighbourRanks) -> tuple[float, float]:
        """Return mean and standard deviation over all permutations, in closed form. Cost: n²."""
        require_same_stimuli(len(a.rank), len(b.rank))
        source, target = (b, a) if self.reverse else (a, b)
        n = len(a.rank)
        edges = np.zeros((n, n))
        np.put_along_axis(edges, source.order[:, : self.k].astype(np.intp), 1.0, axis=1)
        mean, sd = directed_permutation_moments(edges, target.rank.astype(np.float64))
        return mean * 2 / (n * n * self.k), sd * 2 / (n * n * self.k)

    def null_skewness(self, a: NeighbourRanks, b: NeighbourRanks) -> float | None:
        """Return nothing: no closed form is known."""
        return None

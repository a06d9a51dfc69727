"""RDMs in the form that shares them, and their ranks, between scores, resamples and permutations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_vector, to_numpy
from brainalign.errors import ShapeError, UndefinedError
from brainalign.kernels.crossed_sums import crossed_products
from brainalign.kernels.distances import ROUNDING, to_condensed, to_square
from brainalign.kernels.gram import double_centred
from brainalign.kernels.pair_sums import LeftOut, kept_centred_products, permutation_moments
from brainalign.kernels.ranks import average_ranks
from brainalign.kernels.third_moment import permutation_skewness
from brainalign.similarity.checks import distinct_rows, require_choice, require_crossed, require_same_stimuli
from brainalign.similarity.rdm import DISTANCES, dissimilarities

__all__ = [
    "PRODUCT_COMPARATORS",
    "Distances",
    "PreparedRdm",
    "RsaForm",
    "comparable_distances",
    "distances_to_compare",
    "ranked",
    "stimuli_of_pairs",
    "subset_of_pairs",
]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

PRODUCT_COMPARATORS = ("pearson", "spearman", "rho-a", "cosine", "whitened-pearson", "whitened-cosine")
RANKED = ("spearman", "rho-a", "tau-a", "tau-b")
CENTRED = ("pearson", "spearman", "rho-a", "whitened-pearson")
LEAST_STIMULI = 3
CONSTANT = "the RDM of {name} is constant: all stimuli are equally far apart."

# share of a sum of squares below which what remains without a block is recomputed: the rest of the digits is lost
CANCELLED = 1e-4


@dataclass(frozen=True)
class Distances:
    """Condensed dissimilarities, the magnitude of the numbers behind them, and the precision of their computation."""

    values: torch.Tensor
    scale: float
    eps: float


@dataclass(frozen=True)
class PreparedRdm:
    """An RDM, and what its comparator makes of it.

    Attributes
    ----------
    dissimilarity : tensor, shape (n_pairs,), float64
        Condensed; squared where Euclidean distances are only ranked.
    values : tensor, shape (n, n), float64
        Ranks or dissimilarities, centred unless compared by cosine, zero on the diagonal; for the whitened comparators
        rows and columns centred too, which fills the diagonal. Scaled to unit norm.
    spread : float
        For rho-a, standard deviation of the ranks as a share of that without ties; else 1.
    scale, eps : float
        Magnitude of the numbers behind the dissimilarities and relative precision of their computation.
    """

    dissimilarity: torch.Tensor
    values: torch.Tensor
    spread: float
    scale: float
    eps: float


@dataclass(frozen=True)
class RsaForm:
    """RSA by a product of two RDMs, in the form that shares RDMs and ranks.

    Parameters and measure as in `rsa`, all comparators but Kendall's. Leaving blocks out holds ranks (and their share
    of ties) fixed, which costs O(n²) in all; `restrict` ranks anew.
    """

    distance: str = "correlation"
    compare: str = "rho-a"

    def __post_init__(self) -> None:
        require_choice("distance", self.distance, DISTANCES)
        require_choice("compare", self.compare, PRODUCT_COMPARATORS)

    @property
    def smooth(self) -> bool:
        """The delete-block jackknife is valid."""
        return True

    @property
    def recomputed(self) -> bool:
        """Resamples and permutations share the RDMs."""
        return False

    @property
    def whitened(self) -> bool:
        """Whether the covariance between dissimilarities is taken out."""
        return self.compare.startswith("whitened")

    def prepare(self, X: Any, *, name: str = "X") -> PreparedRdm:
        """Prepare a matrix (n, p). Cost: n² p flops and one sort; 12 n² bytes kept."""
        return self.prepare_distances(comparable_distances(X, self.distance, self.compare, name), name=name)

    def prepare_distances(self, found: Distances, *, name: str = "X") -> PreparedRdm:
        """Prepare dissimilarities that several comparators share. Cost: one sort."""
        return self._prepared(found.values, stimuli_of_pairs(found.values, name), found.scale, found.eps, name)

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> PreparedRdm:
        """Prepare a condensed RDM (n_pairs,), SciPy order. Cost: one sort."""
        v = as_vector(rdm, name=name)
        return self._prepared(
            v.double(), stimuli_of_pairs(v, name), float(v.abs().max()), torch.finfo(torch.float64).eps, name
        )

    def restrict(self, a: PreparedRdm, rows: IndexArray) -> PreparedRdm:
        """Return the prepared object of these stimuli only, ranked anew. Cost: one sort of the pairs that remain."""
        kept = subset_of_pairs(a.dissimilarity, len(a.values), rows)
        return self._prepared(kept, len(rows), a.scale, a.eps, "the subset of stimuli")

    def score(self, a: PreparedRdm, b: PreparedRdm) -> float:
        """Return the similarity of two RDMs. Cost: O(n²)."""
        require_same_stimuli(len(a.values), len(b.values))
        return float(torch.dot(a.values.flatten(), b.values.flatten())) * a.spread * b.spread

    def leave_blocks_out(self, a: PreparedRdm, b: PreparedRdm, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return the similarity with each block of stimuli left out, ranks held fixed; NaN where it is undefined.

        Cost: O(n²) for blocks that do not overlap.
        """
        require_same_stimuli(len(a.values), len(b.values))
        A, B = a.values, b.values
        left = LeftOut.of(blocks, len(A), A.device)
        if self.whitened:
            ab, aa, bb = (kept_centred_products(left, U, V) for U, V in ((A, B), (A, A), (B, B)))
            mean_a, mean_b, weight = *(self._mean_dissimilarity(left, U) for U in (A, B)), left.kept - 1
        else:
            ab, aa, bb = left.remaining(A, B), left.remaining(A, A), left.remaining(B, B)
            weight = left.kept * (left.kept - 1)
            mean_a, mean_b = left.remaining(A) / weight, left.remaining(B) / weight
        if self.compare in CENTRED:
            ab, aa, bb = ab - weight * mean_a * mean_b, aa - weight * mean_a**2, bb - weight * mean_b**2
        values = to_numpy(ab / (aa * bb).sqrt())
        lost = to_numpy((torch.minimum(aa, bb) < CANCELLED) | (left.kept < LEAST_STIMULI))
        for i in np.flatnonzero(lost).tolist():
            values[i] = self._without(a, b, blocks[i])
        return np.asarray(values * (a.spread * b.spread))

    def permuted(self, many_a: Sequence[PreparedRdm], b: PreparedRdm, permutations: IndexArray) -> FloatArray:
        """Return the similarity of every ``a`` with ``b`` permuted, shape (len(many_a), R).

        Cost: R n² / 2 gathered numbers, once for all ``a``, and R n² flops for each.
        """
        return self.crossed(many_a, [b], np.arange(len(b.values))[None], permutations)[:, 0, 0]

    def crossed(
        self, many_a: Sequence[PreparedRdm], many_b: Sequence[PreparedRdm], left: IndexArray, right: IndexArray
    ) -> FloatArray:
        """Return the similarity of every ``a`` permuted by ``left`` (S, n) with every ``b`` by ``right`` (T, n).

        Shape (len(many_a), S, len(many_b), T). Cost: n² / 2 gathered numbers for each permutation of each matrix, and
        n² flops for each value.
        """
        n_each = [len(one.values) for one in (*many_a, *many_b)]
        orders = require_crossed(n_each, len(many_b[0].values), left, right)
        products = to_numpy(crossed_products([a.values for a in many_a], [b.values for b in many_b], *orders))
        spreads = np.outer([a.spread for a in many_a], [b.spread for b in many_b])
        return np.asarray(products * spreads[:, None, :, None])

    def null_moments(self, a: PreparedRdm, b: PreparedRdm) -> tuple[float, float]:
        """Return mean and standard deviation over all permutations, in closed form. Cost: O(n²)."""
        require_same_stimuli(len(a.values), len(b.values))
        mean, sd = permutation_moments(a.values, b.values)
        return mean * a.spread * b.spread, sd * a.spread * b.spread

    def null_skewness(self, a: PreparedRdm, b: PreparedRdm) -> float:
        """Return the skewness over all permutations, in closed form. Cost: n³ for each side."""
        return permutation_skewness(a.values, b.values, permutation_moments(a.values, b.values)[1])

    def _prepared(self, v: torch.Tensor, n: int, scale: float, eps: float, name: str) -> PreparedRdm:
        resolution = ROUNDING * (eps / torch.finfo(torch.float64).eps) * scale
        if self.compare not in CENTRED:
            if float(v.abs().max()) <= resolution:
                raise UndefinedError(f"the RDM of {name} is zero: its cosine with another is undefined.")
            values = v / v.abs().max()
        else:
            values = ranked(v, scale, eps, name) if self.compare in RANKED else v / _spread_out(v, scale, eps, name)
            values = values - values.mean()
        square = double_centred(to_square(values, n)) if self.whitened else to_square(values, n)
        norm = float(torch.linalg.vector_norm(square))
        count = len(v)
        spread = norm / ((count**3 - count) / 6) ** 0.5 if self.compare == "rho-a" else 1.0
        return PreparedRdm(v, square / norm, spread, scale, eps)

    def _mean_dissimilarity(self, left: LeftOut, W: torch.Tensor) -> torch.Tensor:
        """Mean over the pairs that remain of the dissimilarities whose doubly centred form is ``W``.

        A zero diagonal was centred with the rest, so that a_ij = w_ij - (w_ii + w_jj) / 2.
        """
        diagonal = W.diagonal()
        trace = diagonal.sum() - left.rows(diagonal)
        return (left.remaining(W) - left.kept * trace) / (left.kept * (left.kept - 1))

    def _without(self, a: PreparedRdm, b: PreparedRdm, block: IndexArray) -> float:
        rows = np.setdiff1d(np.arange(len(a.values)), block)
        if len(rows) < LEAST_STIMULI:
            return float("nan")
        if self.compare not in RANKED:
            try:
                return self.score(self.restrict(a, rows), self.restrict(b, rows))
            except UndefinedError:
                return float("nan")
        index = torch.from_numpy(rows).to(a.values.device)
        kept_a, kept_b = (to_condensed(side.values[index][:, index]) for side in (a, b))
        kept_a, kept_b = kept_a - kept_a.mean(), kept_b - kept_b.mean()
        norms = float(torch.linalg.vector_norm(kept_a)) * float(torch.linalg.vector_norm(kept_b))
        constant = min(float(kept_a.abs().max()), float(kept_b.abs().max())) <= ROUNDING
        return float("nan") if constant else float(torch.dot(kept_a, kept_b)) / norms


def distances_to_compare(distance: str, compare: str) -> str:
    """Return the distance that is computed for a comparator.

    The order of Euclidean distances is that of their squares, whose rounding is uniform.
    """
    return "sqeuclidean" if distance == "euclidean" and compare in RANKED else distance


def comparable_distances(X: Any, distance: str, compare: str, name: str) -> Distances:
    """Return the dissimilarities of a matrix (n, p) that a comparator needs."""
    matrix = as_matrix(X, name=name)
    if len(matrix) < LEAST_STIMULI:
        raise UndefinedError(f"{name} has {len(matrix)} stimuli; RSA needs at least {LEAST_STIMULI}.")
    v = dissimilarities(matrix, distances_to_compare(distance, compare), name)
    scale = 1.0 if distance in ("correlation", "cosine") else float(v.max())
    return Distances(v, scale, torch.finfo(matrix.dtype).eps)


def stimuli_of_pairs(v: torch.Tensor, name: str) -> int:
    """Return the number of stimuli of a condensed RDM; raises ``ShapeError`` where there is none."""
    n: int = round((1 + (1 + 8 * len(v)) ** 0.5) / 2)
    if n * (n - 1) // 2 != len(v) or n < LEAST_STIMULI:
        raise ShapeError(
            f"{name} has {len(v)} dissimilarities; an RDM of n >= {LEAST_STIMULI} stimuli has n (n - 1) / 2 "
            "(scipy.spatial.distance.squareform turns a square one into it)."
        )
    return n


def subset_of_pairs(v: torch.Tensor, n: int, rows: IndexArray) -> torch.Tensor:
    """Return the condensed RDM of these of ``n`` stimuli, in their order."""
    index = distinct_rows(rows, n, v.device)
    if len(index) < LEAST_STIMULI:
        raise UndefinedError(f"{len(index)} stimuli remain; RSA needs at least {LEAST_STIMULI}.")
    i, j = torch.triu_indices(len(index), len(index), 1, device=index.device)
    low, high = torch.minimum(index[i], index[j]), torch.maximum(index[i], index[j])
    return v[low * n - low * (low + 1) // 2 + high - low - 1]


def ranked(v: torch.Tensor, scale: float, eps: float, name: str) -> torch.Tensor:
    """Return average ranks; dissimilarities that differ by no more than their rounding are ties."""
    _spread_out(v, scale, eps, name)
    ranks = average_ranks(v, resolution=ROUNDING * scale)
    # dissimilarities that differ by steps of rounding are one chain of ties
    if bool((ranks == ranks[0]).all()):
        raise UndefinedError(CONSTANT.format(name=name))
    return ranks


def _spread_out(v: torch.Tensor, scale: float, eps: float, name: str) -> float:
    """Return the scale of an RDM that is not constant."""
    if float(v.max() - v.min()) <= ROUNDING * (eps / torch.finfo(torch.float64).eps) * scale:
        raise UndefinedError(CONSTANT.format(name=name))
    return scale

"""Representational similarity analysis: how alike two RDMs are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair, as_vector, to_numpy
from brainalign.errors import PairingError, ShapeError, UndefinedError
from brainalign.kernels.distances import ROUNDING, to_condensed, to_square
from brainalign.kernels.pair_sums import LeftOut, permutation_moments, permuted_products
from brainalign.kernels.ranks import average_ranks
from brainalign.similarity.checks import distinct_rows, require_choice, require_permutations, require_same_stimuli
from brainalign.similarity.rdm import DISTANCES, dissimilarities

__all__ = ["COMPARATORS", "PreparedRdm", "RsaForm", "compare_rdms", "rsa"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

COMPARATORS = ("pearson", "spearman", "rho-a", "cosine")
RANKED = ("spearman", "rho-a")
LEAST_STIMULI = 3

# share of a sum of squares below which what remains without a block is recomputed: the rest of the digits is lost
CANCELLED = 1e-4


def rsa(
    X: Any,
    Y: Any,
    *,
    distance: str = "correlation",
    compare: str = "rho-a",
    device: str | torch.device | None = None,
) -> float:
    """Compare two representations by their RDMs.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Rows are the same stimuli in the same order.
    distance : {"correlation", "euclidean", "sqeuclidean", "cosine"}
        As in `rdm`.
    compare : {"rho-a", "spearman", "pearson", "cosine"}
        As in `compare_rdms`.
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    float
        In -1 to 1.

    Raises
    ------
    UndefinedError
        Fewer than 3 stimuli, a constant row or one unit under correlation distance, a constant RDM.
    PairingError, InputError, ShapeError, NonFiniteError, ChoiceError
        Rows that do not pair, values that cannot be used, an unknown choice.

    Notes
    -----
    Kriegeskorte et al. 2008, doi:10.3389/neuro.06.004.2008. Distances that differ by less than the rounding of their
    computation are ties. Cost: n² (p + q) flops and two sorts of n² / 2 numbers.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(20, 5))
    >>> round(rsa(X, 2 * X + 1), 12)
    1.0
    """
    form = RsaForm(distance=distance, compare=compare)
    x, y = as_pair(X, Y, device=device)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


def compare_rdms(a: Any, b: Any, *, compare: str = "rho-a") -> float:
    """Compare two RDMs.

    Parameters
    ----------
    a, b : array-like, shape (n_pairs,)
        Condensed dissimilarities of the same stimuli, SciPy order.
    compare : {"rho-a", "spearman", "pearson", "cosine"}
        ``rho-a`` is Spearman's correlation averaged over all ways to break ties: unlike ``spearman``, it does not
        favour a model that predicts ties (Schütt et al. 2023, doi:10.7554/eLife.82566).

    Returns
    -------
    float

    Raises
    ------
    ShapeError
        If the length is not n (n - 1) / 2 of at least 3 stimuli.
    PairingError
        For RDMs of different numbers of stimuli.
    UndefinedError
        For a constant RDM (``cosine``: a zero one).
    ChoiceError, InputError, NonFiniteError
        Unknown comparator, or values that cannot be used.

    Notes
    -----
    Cost: two sorts for ranks, else O(n_pairs).

    Examples
    --------
    >>> compare_rdms([1.0, 2.0, 3.0], [1.0, 2.0, 2.0], compare="rho-a")
    0.75
    """
    form = RsaForm(compare=compare)
    first, second = as_vector(a, name="a"), as_vector(b, name="b")
    if len(first) != len(second):
        raise PairingError(f"a has {len(first)} pairs, b has {len(second)}; both need the same stimuli, in one order.")
    return form.score(form.prepare_rdm(first, name="a"), form.prepare_rdm(second.to(first.device), name="b"))


@dataclass(frozen=True)
class PreparedRdm:
    """An RDM, and what its comparator makes of it.

    Attributes
    ----------
    dissimilarity : tensor, shape (n_pairs,), float64
        Condensed; squared where Euclidean distances are only ranked.
    values : tensor, shape (n, n), float64
        Ranks or dissimilarities, centred unless compared by cosine, zero on the diagonal, scaled to unit norm.
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
    """RSA in the form that shares RDMs and ranks between scores, resamples and permutations.

    Parameters and measure as in `rsa`. Leaving blocks out holds ranks (and their share of ties) fixed, which costs
    O(n²) in all; `restrict` ranks anew.
    """

    distance: str = "correlation"
    compare: str = "rho-a"

    def __post_init__(self) -> None:
        require_choice("distance", self.distance, DISTANCES)
        require_choice("compare", self.compare, COMPARATORS)

    @property
    def smooth(self) -> bool:
        """The delete-block jackknife is valid."""
        return True

    def prepare(self, X: Any, *, name: str = "X") -> PreparedRdm:
        """Prepare a matrix (n, p). Cost: n² p flops and one sort; 12 n² bytes kept."""
        matrix = as_matrix(X, name=name)
        if len(matrix) < LEAST_STIMULI:
            raise UndefinedError(f"{name} has {len(matrix)} stimuli; RSA needs at least {LEAST_STIMULI}.")
        # the order of distances is that of their squares, whose rounding is uniform
        by_order = self.distance == "euclidean" and self.compare in RANKED
        v = dissimilarities(matrix, "sqeuclidean" if by_order else self.distance, name)
        scale = 1.0 if self.distance in ("correlation", "cosine") else float(v.max())
        return self._prepared(v, len(matrix), scale, torch.finfo(matrix.dtype).eps, name)

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> PreparedRdm:
        """Prepare a condensed RDM (n_pairs,), SciPy order. Cost: one sort."""
        v = as_vector(rdm, name=name)
        n = round((1 + (1 + 8 * len(v)) ** 0.5) / 2)
        if n * (n - 1) // 2 != len(v) or n < LEAST_STIMULI:
            raise ShapeError(
                f"{name} has {len(v)} dissimilarities; an RDM of n >= {LEAST_STIMULI} stimuli has n (n - 1) / 2 "
                "(scipy.spatial.distance.squareform turns a square one into it)."
            )
        return self._prepared(v.double(), n, float(v.abs().max()), torch.finfo(torch.float64).eps, name)

    def restrict(self, a: PreparedRdm, rows: IndexArray) -> PreparedRdm:
        """Return the prepared object of these stimuli only, ranked anew. Cost: one sort of the pairs that remain."""
        n = len(a.values)
        index = distinct_rows(rows, n, a.values.device)
        if len(index) < LEAST_STIMULI:
            raise UndefinedError(f"{len(index)} stimuli remain; RSA needs at least {LEAST_STIMULI}.")
        i, j = torch.triu_indices(len(index), len(index), 1, device=index.device)
        low, high = torch.minimum(index[i], index[j]), torch.maximum(index[i], index[j])
        pairs = low * n - low * (low + 1) // 2 + high - low - 1
        return self._prepared(a.dissimilarity[pairs], len(index), a.scale, a.eps, "the subset of stimuli")

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
        ab, aa, bb = left.remaining(A, B), left.remaining(A, A), left.remaining(B, B)
        if self.compare != "cosine":
            sum_a, sum_b, count = left.remaining(A), left.remaining(B), left.kept * (left.kept - 1)
            ab, aa, bb = ab - sum_a * sum_b / count, aa - sum_a**2 / count, bb - sum_b**2 / count
        values = to_numpy(ab / (aa * bb).sqrt())
        lost = to_numpy((torch.minimum(aa, bb) < CANCELLED) | (left.kept < LEAST_STIMULI))
        for i in np.flatnonzero(lost).tolist():
            values[i] = self._without(a, b, blocks[i])
        return np.asarray(values * (a.spread * b.spread))

    def permuted(self, many_a: Sequence[PreparedRdm], b: PreparedRdm, permutations: IndexArray) -> FloatArray:
        """Return the similarity of every ``a`` with ``b`` permuted, shape (len(many_a), R).

        Cost: R n² / 2 gathered numbers, once for all ``a``, and R n² flops for each.
        """
        for a in many_a:
            require_same_stimuli(len(a.values), len(b.values))
        orders = require_permutations(permutations, len(b.values))
        products = to_numpy(permuted_products([a.values for a in many_a], b.values, orders))
        return np.asarray(products * np.array([[a.spread * b.spread] for a in many_a]))

    def null_moments(self, a: PreparedRdm, b: PreparedRdm) -> tuple[float, float]:
        """Return mean and standard deviation over all permutations, in closed form. Cost: O(n²)."""
        require_same_stimuli(len(a.values), len(b.values))
        mean, sd = permutation_moments(a.values, b.values)
        return mean * a.spread * b.spread, sd * a.spread * b.spread

    def _prepared(self, v: torch.Tensor, n: int, scale: float, eps: float, name: str) -> PreparedRdm:
        noise = ROUNDING * (eps / torch.finfo(torch.float64).eps) * scale
        if self.compare == "cosine":
            if float(v.abs().max()) <= noise:
                raise UndefinedError(f"the RDM of {name} is zero: its cosine with another is undefined.")
            values = v
        else:
            if float(v.max() - v.min()) <= noise:
                raise UndefinedError(f"the RDM of {name} is constant: all stimuli are equally far apart.")
            values = average_ranks(v, resolution=ROUNDING * scale) if self.compare in RANKED else v / scale
            values = values - values.mean()
        norm = float(torch.linalg.vector_norm(values))
        count = len(v)
        spread = norm / ((count**3 - count) / 12) ** 0.5 if self.compare == "rho-a" else 1.0
        return PreparedRdm(v, to_square(values / (norm * 2**0.5), n), spread, scale, eps)

    def _without(self, a: PreparedRdm, b: PreparedRdm, block: IndexArray) -> float:
        rows = torch.from_numpy(np.setdiff1d(np.arange(len(a.values)), block)).to(a.values.device)
        kept_a, kept_b = (to_condensed(side.values[rows][:, rows]) for side in (a, b))
        if len(rows) < LEAST_STIMULI:
            return float("nan")
        if self.compare != "cosine":
            kept_a, kept_b = kept_a - kept_a.mean(), kept_b - kept_b.mean()
        norms = float(torch.linalg.vector_norm(kept_a)) * float(torch.linalg.vector_norm(kept_b))
        constant = min(float(kept_a.abs().max()), float(kept_b.abs().max())) <= ROUNDING
        return float("nan") if constant else float(torch.dot(kept_a, kept_b)) / norms

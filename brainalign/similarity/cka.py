"""Centred kernel alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair, parse_memory, to_numpy
from brainalign.errors import InputError, ResponseKindError, UndefinedError
from brainalign.kernels.crossed_sums import crossed_products
from brainalign.kernels.distances import condensed_distances, to_square
from brainalign.kernels.gram import centred, double_centred
from brainalign.kernels.pair_sums import LeftOut, kept_centred_products, permutation_moments
from brainalign.kernels.third_moment import permutation_skewness
from brainalign.similarity.blocked_cka import EQUAL_STIMULI, LEAST_STIMULI, NO_STRUCTURE, ROUNDINGS, blocked_cka
from brainalign.similarity.checks import distinct_rows, require_choice, require_crossed, require_same_stimuli

__all__ = ["CkaForm", "PreparedGram", "cka"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

KERNELS = ("linear", "rbf")
ESTIMATORS = ("debiased", "biased")

# bytes for each pair of stimuli while both Gram matrices are prepared
FULL_BYTES = 40

# share of a sum of squares below which what remains without a block is recomputed: the rest of the digits is lost
CANCELLED = 1e-4


def cka(
    X: Any,
    Y: Any,
    *,
    kernel: str = "linear",
    estimator: str = "debiased",
    bandwidth: float | None = None,
    max_memory: str | int | None = None,
    device: str | torch.device | None = None,
) -> float:
    """Return the centred kernel alignment of two representations.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Rows are the same stimuli in the same order.
    kernel : {"linear", "rbf"}
        Inner products of column-centred rows, or ``exp(-d² / (2 s²))`` of Euclidean distances d.
    estimator : {"debiased", "biased"}
        ``debiased`` divides unbiased estimates of HSIC, so that unrelated representations score about 0, and may be
        negative. ``biased`` lies in 0 to 1 and nears 1 for unrelated representations with more units than stimuli.
    bandwidth : float, optional
        Of ``rbf``: s as a multiple of the median distance between stimuli of that representation (1 unless given), so
        that scale does not matter.
    max_memory : str or int, optional
        Such as ``"2GB"``. If both Gram matrices need more, they are made and summed block by block, which gives the
        same number within rounding.
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    float
        1 for representations that differ by an orthogonal map and a scale.

    Raises
    ------
    UndefinedError
        Fewer than 4 stimuli, or a representation without structure (constant, or all stimuli equally alike).
    PairingError, InputError, ShapeError, NonFiniteError, ChoiceError
        Rows that do not pair, values that cannot be used, an unknown choice, a ``max_memory`` too small for one row.

    Notes
    -----
    Kornblith et al. 2019, arXiv:1905.00414; unbiased HSIC: Song et al. 2012, JMLR 13:1393. The debiased estimate is the
    cosine of the two U-centred Gram matrices (Székely & Rizzo 2014, doi:10.1214/14-AOS1255).
    Cost: 2 n² (p + q) flops in the precision of the input, sums in float64; 40 n² bytes, or ``max_memory``.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(20, 5))
    >>> round(cka(X, 3 * X[:, ::-1]), 12)
    1.0
    """
    form = CkaForm(estimator=estimator, kernel=kernel, bandwidth=bandwidth)
    x, y = as_pair(X, Y, device=device)
    if max_memory is not None and FULL_BYTES * len(x) ** 2 > parse_memory(max_memory):
        return blocked_cka(
            x, y, estimator=estimator, bandwidth=form.relative_bandwidth, max_memory=parse_memory(max_memory)
        )
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


@dataclass(frozen=True)
class PreparedGram:
    """A Gram matrix, centred as its estimator asks and scaled to unit norm.

    Attributes
    ----------
    values : tensor, shape (n, n), float64
        U-centred with zero diagonal (debiased), or ``H K H`` (biased).
    noise : float
        Root mean square of an entry that rounding alone explains.
    squared : tensor, shape (n, n), or None
        Squared distances between stimuli, up to a scale, where the kernel's width follows from them.
    """

    values: torch.Tensor
    noise: float
    squared: torch.Tensor | None = None


@dataclass(frozen=True)
class CkaForm:
    """CKA in the form that shares Gram matrices between scores, resamples and permutations.

    Parameters and measure as in `cka`. Leaving blocks out holds the bandwidth of ``rbf`` fixed; `restrict` takes it
    from the stimuli that remain.
    """

    estimator: str = "debiased"
    kernel: str = "linear"
    bandwidth: float | None = None

    def __post_init__(self) -> None:
        require_choice("estimator", self.estimator, ESTIMATORS)
        require_choice("kernel", self.kernel, KERNELS)
        if self.bandwidth is not None and (self.kernel != "rbf" or not 0 < self.bandwidth < float("inf")):
            raise InputError(
                f"bandwidth={self.bandwidth!r} with kernel={self.kernel!r}: only 'rbf' has one, a positive multiple of "
                "the median distance."
            )

    @property
    def relative_bandwidth(self) -> float | None:
        """Width of the kernel over the median distance; None for the linear kernel."""
        return (self.bandwidth or 1.0) if self.kernel == "rbf" else None

    @property
    def smooth(self) -> bool:
        """The delete-block jackknife is valid."""
        return True

    @property
    def recomputed(self) -> bool:
        """Resamples and permutations share the Gram matrices."""
        return False

    def prepare(self, X: Any, *, name: str = "X") -> PreparedGram:
        """Prepare a matrix (n, p). Cost: 2 n² p flops, 16 n² bytes for a moment and 8 n² kept."""
        matrix = as_matrix(X, name=name)
        C, _ = centred(matrix)
        if self.kernel == "rbf":
            squared = to_square(condensed_distances(C, "sqeuclidean"), len(C))
            return self._from_distances(squared, ROUNDINGS * torch.finfo(matrix.dtype).eps, name)
        K = double_centred((C @ C.T).double())
        noise = ROUNDINGS * torch.finfo(matrix.dtype).eps * float(K.abs().max())
        return self._prepared(K, noise, name)

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> PreparedGram:
        """Raise: CKA needs the responses themselves."""
        raise ResponseKindError("CKA needs response patterns; for responses that exist only as RDMs use RSA.")

    def restrict(self, a: PreparedGram, rows: IndexArray) -> PreparedGram:
        """Return the prepared object of these stimuli only. Cost: O(len(rows)²)."""
        index = distinct_rows(rows, len(a.values), a.values.device)
        if a.squared is not None:
            return self._from_distances(a.squared[index][:, index], a.noise, "the subset of stimuli")
        return self._prepared(a.values[index][:, index], a.noise, "the subset of stimuli")

    def score(self, a: PreparedGram, b: PreparedGram) -> float:
        """Return CKA. Cost: O(n²)."""
        require_same_stimuli(len(a.values), len(b.values))
        return float(torch.dot(a.values.flatten(), b.values.flatten()))

    def leave_blocks_out(self, a: PreparedGram, b: PreparedGram, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return CKA with each block of stimuli left out, exact but for the bandwidth; NaN where it is undefined.

        Cost: O(n² + n n_blocks) for blocks that do not overlap, instead of n² for each block.
        """
        require_same_stimuli(len(a.values), len(b.values))
        left = LeftOut.of(blocks, len(a.values), a.values.device)
        debiased = self.estimator == "debiased"
        self_a, self_b, ab = (
            kept_centred_products(left, u.values, v.values, debiased=debiased) for u, v in ((a, a), (b, b), (a, b))
        )
        values = to_numpy(ab / (self_a * self_b).sqrt())
        lost = to_numpy((torch.minimum(self_a, self_b) < CANCELLED) | (left.kept < LEAST_STIMULI))
        for i in np.flatnonzero(lost).tolist():
            values[i] = self._without(a, b, blocks[i])
        return values

    def permuted(self, many_a: Sequence[PreparedGram], b: PreparedGram, permutations: IndexArray) -> FloatArray:
        """Return CKA of every ``a`` with ``b`` permuted, shape (len(many_a), R).

        Cost: R n² / 2 gathered numbers, once for all ``a``, and R n² flops for each.
        """
        return self.crossed(many_a, [b], np.arange(len(b.values))[None], permutations)[:, 0, 0]

    def crossed(
        self,
        many_a: Sequence[PreparedGram],
        many_b: Sequence[PreparedGram],
        left: IndexArray,
        right: IndexArray,
    ) -> FloatArray:
        """Return CKA of every ``a`` permuted by ``left`` (S, n) with every ``b`` permuted by ``right`` (T, n).

        Shape (len(many_a), S, len(many_b), T). Cost: n² / 2 gathered numbers for each permutation of each matrix, and
        n² flops for each value.
        """
        n_each = [len(one.values) for one in (*many_a, *many_b)]
        orders = require_crossed(n_each, len(many_b[0].values), left, right)
        return to_numpy(crossed_products([a.values for a in many_a], [b.values for b in many_b], *orders))

    def null_moments(self, a: PreparedGram, b: PreparedGram) -> tuple[float, float]:
        """Return mean and standard deviation over all permutations, in closed form. Cost: O(n²)."""
        require_same_stimuli(len(a.values), len(b.values))
        return permutation_moments(a.values, b.values)

    def null_skewness(self, a: PreparedGram, b: PreparedGram) -> float:
        """Return the skewness over all permutations, in closed form. Cost: n³ for each side."""
        return permutation_skewness(a.values, b.values, self.null_moments(a, b)[1])

    def _prepared(self, K: torch.Tensor, noise: float, name: str) -> PreparedGram:
        n = len(K)
        if n < LEAST_STIMULI:
            raise UndefinedError(f"{name} has {n} stimuli; CKA needs at least {LEAST_STIMULI}.")
        values = _u_centred(K) if self.estimator == "debiased" else double_centred(K)
        norm = float(torch.linalg.vector_norm(values))
        if norm <= noise * n:
            raise UndefinedError(NO_STRUCTURE.format(name=name))
        return PreparedGram(values / norm, noise / norm)

    def _from_distances(self, squared: torch.Tensor, noise: float, name: str) -> PreparedGram:
        width = self.relative_bandwidth
        assert width is not None  # asked of the kernel that has one
        n = len(squared)
        if n < LEAST_STIMULI:
            raise UndefinedError(f"{name} has {n} stimuli; CKA needs at least {LEAST_STIMULI}.")
        rows, columns = torch.triu_indices(n, n, 1, device=squared.device)
        median = float(squared[rows, columns].median())
        if median == 0:
            raise UndefinedError(EQUAL_STIMULI.format(name=name))
        prepared = self._prepared(torch.exp(squared / (-2 * width**2 * median)), noise, name)
        return replace(prepared, squared=squared)

    def _without(self, a: PreparedGram, b: PreparedGram, block: IndexArray) -> float:
        rows = torch.from_numpy(np.setdiff1d(np.arange(len(a.values)), block)).to(a.values.device)
        try:
            return self.score(*(self._prepared(s.values[rows][:, rows], s.noise, "what remains") for s in (a, b)))
        except UndefinedError:
            return float("nan")


def _u_centred(K: torch.Tensor) -> torch.Tensor:
    n = len(K)
    out = K.clone().fill_diagonal_(0.0)
    sums = out.sum(dim=1) / (n - 2)
    out -= sums[:, None] + sums[None, :] - sums.sum() / (n - 1)
    return out.fill_diagonal_(0.0)

"""Centred kernel alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import ResponseKindError, UndefinedError
from brainalign.kernels.gram import centred, double_centred
from brainalign.kernels.pair_sums import LeftOut, permutation_moments, permuted_products
from brainalign.similarity.checks import distinct_rows, require_choice, require_permutations, require_same_stimuli

__all__ = ["CkaForm", "PreparedGram", "cka"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

LEAST_STIMULI = 4

# roundings of a Gram matrix, in units of its largest entry, below which what is left of it is noise
ROUNDINGS = 32

# share of a sum of squares below which what remains without a block is recomputed: the rest of the digits is lost
CANCELLED = 1e-4


def cka(
    X: Any,
    Y: Any,
    *,
    kernel: str = "linear",
    estimator: str = "debiased",
    device: str | torch.device | None = None,
) -> float:
    """Return the centred kernel alignment of two representations.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Rows are the same stimuli in the same order.
    kernel : {"linear"}
        Inner products of column-centred rows.
    estimator : {"debiased", "biased"}
        ``debiased`` divides unbiased estimates of HSIC, so that unrelated representations score about 0, and may be
        negative. ``biased`` lies in 0 to 1 and nears 1 for unrelated representations with more units than stimuli.
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
        Rows that do not pair, values that cannot be used, an unknown choice.

    Notes
    -----
    Kornblith et al. 2019, arXiv:1905.00414; unbiased HSIC: Song et al. 2012, JMLR 13:1393. The debiased estimate is the
    cosine of the two U-centred Gram matrices (Székely & Rizzo 2014, doi:10.1214/14-AOS1255).
    Cost: 2 n² (p + q) flops in the precision of the input, sums in float64; 16 n² bytes.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(20, 5))
    >>> round(cka(X, 3 * X[:, ::-1]), 12)
    1.0
    """
    form = CkaForm(estimator=estimator, kernel=kernel)
    x, y = as_pair(X, Y, device=device)
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
    """

    values: torch.Tensor
    noise: float


@dataclass(frozen=True)
class CkaForm:
    """Linear CKA in the form that shares Gram matrices between scores, resamples and permutations.

    Parameters and measure as in `cka`.
    """

    estimator: str = "debiased"
    kernel: str = "linear"

    def __post_init__(self) -> None:
        require_choice("estimator", self.estimator, ("debiased", "biased"))
        require_choice("kernel", self.kernel, ("linear",))

    @property
    def smooth(self) -> bool:
        """The delete-block jackknife is valid."""
        return True

    def prepare(self, X: Any, *, name: str = "X") -> PreparedGram:
        """Prepare a matrix (n, p). Cost: 2 n² p flops, 16 n² bytes for a moment and 8 n² kept."""
        matrix = as_matrix(X, name=name)
        C, _ = centred(matrix)
        K = double_centred((C @ C.T).double())
        noise = ROUNDINGS * torch.finfo(matrix.dtype).eps * float(K.abs().max())
        return self._prepared(K, noise, name)

    def prepare_rdm(self, rdm: Any) -> PreparedGram:
        """Raise: CKA needs the responses themselves."""
        raise ResponseKindError("CKA needs response patterns; for responses that exist only as RDMs use RSA.")

    def restrict(self, a: PreparedGram, rows: IndexArray) -> PreparedGram:
        """Return the prepared object of these stimuli only. Cost: O(len(rows)²)."""
        index = distinct_rows(rows, len(a.values), a.values.device)
        return self._prepared(a.values[index][:, index], a.noise, "the subset of stimuli")

    def score(self, a: PreparedGram, b: PreparedGram) -> float:
        """Return CKA. Cost: O(n²)."""
        require_same_stimuli(len(a.values), len(b.values))
        return float(torch.dot(a.values.flatten(), b.values.flatten()))

    def leave_blocks_out(self, a: PreparedGram, b: PreparedGram, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return CKA with each block of stimuli left out, exact; NaN where what remains is undefined.

        Cost: O(n² + n n_blocks) for blocks that do not overlap, instead of n² for each block.
        """
        require_same_stimuli(len(a.values), len(b.values))
        left = LeftOut.of(blocks, len(a.values), a.values.device)
        self_a, self_b = self._kept_products(left, a, a), self._kept_products(left, b, b)
        values = to_numpy(self._kept_products(left, a, b) / (self_a * self_b).sqrt())
        lost = to_numpy((torch.minimum(self_a, self_b) < CANCELLED) | (left.kept < LEAST_STIMULI))
        for i in np.flatnonzero(lost).tolist():
            values[i] = self._without(a, b, blocks[i])
        return values

    def permuted(self, many_a: Sequence[PreparedGram], b: PreparedGram, permutations: IndexArray) -> FloatArray:
        """Return CKA of every ``a`` with ``b`` permuted, shape (len(many_a), R).

        Cost: R n² / 2 gathered numbers, once for all ``a``, and R n² flops for each.
        """
        for a in many_a:
            require_same_stimuli(len(a.values), len(b.values))
        orders = require_permutations(permutations, len(b.values))
        return to_numpy(permuted_products([a.values for a in many_a], b.values, orders))

    def null_moments(self, a: PreparedGram, b: PreparedGram) -> tuple[float, float]:
        """Return mean and standard deviation over all permutations, in closed form. Cost: O(n²)."""
        require_same_stimuli(len(a.values), len(b.values))
        return permutation_moments(a.values, b.values)

    def _prepared(self, K: torch.Tensor, noise: float, name: str) -> PreparedGram:
        n = len(K)
        if n < LEAST_STIMULI:
            raise UndefinedError(f"{name} has {n} stimuli; CKA needs at least {LEAST_STIMULI}.")
        values = _u_centred(K) if self.estimator == "debiased" else double_centred(K)
        norm = float(torch.linalg.vector_norm(values))
        if norm <= noise * n:
            raise UndefinedError(
                f"{name} has no structure that CKA could compare: it is constant, or all stimuli are equally alike."
            )
        return PreparedGram(values / norm, noise / norm)

    def _kept_products(self, left: LeftOut, a: PreparedGram, b: PreparedGram) -> torch.Tensor:
        """Return the product of the two matrices centred anew on the stimuli that remain, for each block."""
        A, B, m = a.values, b.values, left.kept
        sums_a = A.sum(dim=1) - left.rows(A)
        sums_b = sums_a if a is b else B.sum(dim=1) - left.rows(B)
        chains = left.over_kept(sums_a * sums_b)
        totals = left.over_kept(sums_a) * left.over_kept(sums_b)
        products = left.remaining(A, B)
        if self.estimator == "debiased":
            return products + totals / ((m - 1) * (m - 2)) - 2 * chains / (m - 2)
        return products + totals / m**2 - 2 * chains / m

    def _without(self, a: PreparedGram, b: PreparedGram, block: IndexArray) -> float:
        rows = np.setdiff1d(np.arange(len(a.values)), block)
        try:
            return self.score(self.restrict(a, rows), self.restrict(b, rows))
        except UndefinedError:
            return float("nan")


def _u_centred(K: torch.Tensor) -> torch.Tensor:
    n = len(K)
    out = K.clone().fill_diagonal_(0.0)
    sums = out.sum(dim=1) / (n - 2)
    out -= sums[:, None] + sums[None, :] - sums.sum() / (n - 1)
    return out.fill_diagonal_(0.0)

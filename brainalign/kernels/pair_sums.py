"""Sums over pairs of stimuli, A_ij B_ij: with stimuli left out, and over all permutations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from brainalign.errors import InputError

__all__ = [
    "LeftOut",
    "directed_permutation_moments",
    "kept_centred_products",
    "permutation_moments",
]

IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class LeftOut:
    """Blocks of stimuli, each to be left out in turn, and the sums over the pairs that remain.

    Attributes
    ----------
    kept : tensor, shape (n_blocks,)
        Number of stimuli that remain.
    """

    n: int
    kept: torch.Tensor
    _members: torch.Tensor  # (total,) stimuli of all blocks, one block after the other
    _block: torch.Tensor  # (total,) the block that each belongs to
    _rows: torch.Tensor  # both stimuli, and the block, of every ordered pair within a block
    _columns: torch.Tensor
    _pair_block: torch.Tensor

    @classmethod
    def of(cls, blocks: Sequence[IndexArray], n: int, device: torch.device) -> LeftOut:
        """Index the blocks. Cost: the sum of squared block sizes."""
        lists = [np.unique(np.asarray(block, dtype=np.intp)) for block in blocks]
        for i, block in enumerate(lists):
            if len(block) and (block[0] < 0 or block[-1] >= n):
                raise InputError(f"block {i} holds row {int(block[0])} to {int(block[-1])} of {n} stimuli.")
        sizes = np.array([len(block) for block in lists], dtype=np.intp)
        rows = [np.repeat(block, len(block)) for block in lists]
        columns = [np.tile(block, len(block)) for block in lists]
        every = np.arange(len(lists))

        def tensor(parts: list[IndexArray] | IndexArray) -> torch.Tensor:
            whole = np.concatenate([np.empty(0, dtype=np.intp), *parts]) if isinstance(parts, list) else parts
            return torch.from_numpy(whole.astype(np.int64)).to(device)

        return cls(
            n=n,
            kept=(n - tensor(sizes)).double(),
            _members=tensor(lists),
            _block=tensor(np.repeat(every, sizes)),
            _rows=tensor(rows),
            _columns=tensor(columns),
            _pair_block=tensor(np.repeat(every, sizes**2)),
        )

    def rows(self, A: torch.Tensor) -> torch.Tensor:
        """Sum the rows of ``A`` (n, ...) over each block, shape (n_blocks, ...)."""
        out = A.new_zeros((len(self.kept), *A.shape[1:]))
        return out.index_add_(0, self._block, A[self._members])

    def over_kept(self, by_stimulus: torch.Tensor) -> torch.Tensor:
        """Sum ``by_stimulus`` (n_blocks, n), one row a block, over the stimuli that remain, shape (n_blocks,)."""
        total = by_stimulus.sum(dim=1)
        left_out = by_stimulus[self._block, self._members]
        return total.index_add_(0, self._block, left_out, alpha=-1)

    def remaining(self, A: torch.Tensor, B: torch.Tensor | None = None) -> torch.Tensor:
        """Sum ``A_ij B_ij`` (``A_ij`` without ``B``) over all ordered pairs of stimuli that remain, shape (n_blocks,).

        ``A`` and ``B`` are symmetric (n, n); the diagonal counts. Cost: one pass over them.
        """
        within = A[self._rows, self._columns]
        if B is None:
            by_row = A.sum(dim=1)
        else:
            by_row = torch.einsum("ij,ij->i", A, B)
            within = within * B[self._rows, self._columns]
        twice = by_row.new_zeros(len(self.kept)).index_add_(0, self._pair_block, within)
        return by_row.sum() - 2 * self.rows(by_row) + twice


def kept_centred_products(left: LeftOut, A: torch.Tensor, B: torch.Tensor, *, debiased: bool = False) -> torch.Tensor:
    """Return the product of two matrices that are centred anew on the stimuli that remain, for each block.

    Parameters
    ----------
    left : LeftOut
        The blocks.
    A, B : tensors, shape (n, n)
        Symmetric; for ``debiased`` with zero diagonal, or U-centred.
    debiased : bool
        Product of the U-centred matrices instead of the doubly centred ones.

    Returns
    -------
    tensor, shape (n_blocks,)

    Notes
    -----
    What rows and columns were centred by before does not matter. Cost: O(n² + n n_blocks) for disjoint blocks.
    """
    m = left.kept
    sums_a = A.sum(dim=1) - left.rows(A)
    sums_b = sums_a if A is B else B.sum(dim=1) - left.rows(B)
    chains = left.over_kept(sums_a * sums_b)
    totals = left.over_kept(sums_a) * left.over_kept(sums_b)
    products = left.remaining(A, B)
    if debiased:
        return products + totals / ((m - 1) * (m - 2)) - 2 * chains / (m - 2)
    return products + totals / m**2 - 2 * chains / m


def permutation_moments(A: torch.Tensor, B: torch.Tensor) -> tuple[float, float]:
    """Return mean and standard deviation over all n! permutations of the sum of ``A_ij B_π(i)π(j)`` over all i, j.

    Parameters
    ----------
    A, B : tensors, shape (n, n), float64
        Symmetric, n at least 2; diagonals count.

    Notes
    -----
    Mantel 1967 for what lies off the diagonal, with the diagonal's own variance and the covariance of the two added.
    Cost: O(n²). Means are taken out first, so that the variance is no small difference of large numbers.
    """
    n = len(A)
    (off_a, mean_a, d), (off_b, mean_b, e) = _parts(A), _parts(B)
    mean = n * (n - 1) * mean_a * mean_b + float(d.sum() * e.sum()) / n
    d, e = d - d.mean(), e - e.mean()
    rows_a, rows_b = off_a.sum(dim=1), off_b.sum(dim=1)
    squares_a, squares_b = float((off_a * off_a).sum()), float((off_b * off_b).sum())
    chains_a = float((rows_a * rows_a).sum()) - squares_a
    chains_b = float((rows_b * rows_b).sum()) - squares_b
    # with total zero, pairs of pairs without a common stimulus sum to minus all others
    rest_a, rest_b = -2 * squares_a - 4 * chains_a, -2 * squares_b - 4 * chains_b
    n2, n3, n4 = n * (n - 1), n * (n - 1) * (n - 2), n * (n - 1) * (n - 2) * (n - 3)
    variance = 2 * squares_a * squares_b / n2 + float((d * d).sum() * (e * e).sum()) / (n - 1)
    shared = 2 * float(rows_a @ d) * float(rows_b @ e)
    if n > 2:
        variance += 4 * chains_a * chains_b / n3
        # twice the covariance of the sum off the diagonal with the sum on it
        variance += 2 * (shared / n2 + shared * 2 / n3)
    if n > 3:
        variance += rest_a * rest_b / n4
    # a null without spread may come out below zero by a rounding
    return mean, max(variance, 0.0) ** 0.5


def _parts(A: torch.Tensor) -> tuple[torch.Tensor, float, torch.Tensor]:
    """Off-diagonal part with its mean taken out, that mean, diagonal."""
    n = len(A)
    diagonal = A.diagonal().clone()
    mean = float(A.sum() - diagonal.sum()) / (n * (n - 1))
    off = A - mean
    off.fill_diagonal_(0.0)
    return off, mean, diagonal


def directed_permutation_moments(A: npt.NDArray[np.float64], B: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and standard deviation over all n! permutations of the sum of ``A_ij B_π(i)π(j)`` over i != j.

    Parameters
    ----------
    A, B : arrays, shape (n, n)
        Of any kind; diagonals do not count.

    Notes
    -----
    Mantel 1967: two directed edges can be the same or each other's reverse, share a start, share an end, run head to
    tail in two ways, or not meet. Cost: O(n²).
    """
    n = len(A)
    edges = ~np.eye(n, dtype=bool)
    mean = float(A[edges].sum() * B[edges].sum()) / (n * (n - 1))
    # with the mean taken out nothing large cancels, and edges that do not meet sum to minus all others
    in_a, in_b = (_meetings(np.where(edges, M - M[edges].mean(), 0.0)) for M in (A, B))
    two, three, four = n * (n - 1), n * (n - 1) * (n - 2), n * (n - 1) * (n - 2) * (n - 3)
    places = (two, two, three, three, three, three, four)
    variance = sum(u * v / count for u, v, count in zip(in_a, in_b, places, strict=True) if count)
    return mean, max(variance, 0.0) ** 0.5


def _meetings(M: npt.NDArray[np.float64]) -> tuple[float, ...]:
    out, into = M.sum(axis=1), M.sum(axis=0)
    same, reverse = float((M * M).sum()), float((M * M.T).sum())
    start, end = float(out @ out) - same, float(into @ into) - same
    chain = float(out @ into) - reverse
    return same, reverse, start, end, chain, chain, -(same + reverse + start + end + 2 * chain)

"""Distances between all pairs of rows, by matrix products, with the digits that products lose put back."""

from __future__ import annotations

import torch

from brainalign.errors import UndefinedError
from brainalign.kernels.gram import centred

__all__ = ["ROUNDING", "condensed_distances", "sq_distances", "to_condensed", "to_square"]

BLOCK_ROWS = 256
REFINE_BYTES = 64 * 2**20

# squared distances below this share of the two squared norms are recomputed from differences
CANCELLED = {torch.float64: 1e-7, torch.float32: 1e-4}

# roundings by which two equal distances may differ after a product, in units of the largest distance
ROUNDING = 32 * torch.finfo(torch.float64).eps


def condensed_distances(X: torch.Tensor, distance: str) -> torch.Tensor:
    """Return the distances of all pairs of rows in SciPy's condensed order.

    Parameters
    ----------
    X : tensor, shape (n, p)
        Finite float32 or float64.
    distance : {"correlation", "cosine", "euclidean", "sqeuclidean"}
        As SciPy's ``pdist``: one minus Pearson's r, one minus the cosine, and so on.

    Returns
    -------
    tensor, shape (n (n - 1) / 2,), float64

    Raises
    ------
    UndefinedError
        Correlation of rows with one unit or of a constant row; cosine of a zero row.

    Notes
    -----
    Cost: n² p flops in the precision of ``X`` (each pair once), a copy of ``X`` and 4 n² bytes. Identical rows get
    exactly 0, and nearly identical ones are recomputed from their differences in float64.
    """
    if distance in ("correlation", "cosine"):
        return _pair_sq_distances(_unit_rows(X, distance)).div_(2)
    C, scale = centred(X)
    squared = _pair_sq_distances(C)
    return squared.sqrt_().mul_(scale) if distance == "euclidean" else squared.mul_(scale).mul_(scale)


def sq_distances(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """Return squared Euclidean distances (n, m) between the rows of two matrices by one product.

    Nothing is put back: centre both with one mean first, and expect small negative values for coinciding rows.
    """
    norms_a, norms_b = _sq_norms(A), _sq_norms(B)
    return norms_a[:, None] + norms_b[None, :] - 2 * (A @ B.T).double()


def to_square(v: torch.Tensor, n: int) -> torch.Tensor:
    """Return the symmetric matrix (n, n) with zero diagonal of a condensed vector."""
    out = torch.zeros((n, n), dtype=v.dtype, device=v.device)
    start = 0
    for i in range(n - 1):
        out[i, i + 1 :] = v[start : start + n - 1 - i]
        start += n - 1 - i
    return out + out.T


def to_condensed(S: torch.Tensor) -> torch.Tensor:
    """Return the upper triangle of a square matrix, row by row, without the diagonal."""
    return torch.cat([S[i, i + 1 :] for i in range(len(S))])


def _unit_rows(X: torch.Tensor, distance: str) -> torch.Tensor:
    low, high = torch.aminmax(X, dim=1)
    if distance == "correlation":
        if X.shape[1] < 2:
            raise UndefinedError("correlation distance needs at least two units, got one; use 'euclidean'.")
        _require_rows(low != high, "is constant over units, so its correlation with other rows is undefined")
    else:
        _require_rows((low != 0) | (high != 0), "is zero, so its cosine with other rows is undefined")
    scale = torch.maximum(low.abs(), high.abs())
    rows = X / scale[:, None]
    if distance == "correlation":
        rows -= rows.mean(dim=1, dtype=torch.float64).to(rows.dtype)[:, None]
    rows /= _sq_norms(rows).sqrt().to(rows.dtype)[:, None]
    # distances stay when the mean pattern goes, and products of what is left keep more digits
    rows -= rows.mean(dim=0, dtype=torch.float64).to(rows.dtype)
    return rows


def _require_rows(good: torch.Tensor, why: str) -> None:
    if not bool(good.all()):
        bad = (~good).nonzero().flatten().tolist()
        others = f" (and {len(bad) - 1} more rows)" if len(bad) > 1 else ""
        raise UndefinedError(f"row {bad[0]}{others} {why}; drop it, or use 'euclidean'.")


def _sq_norms(C: torch.Tensor) -> torch.Tensor:
    norms: torch.Tensor = torch.linalg.vector_norm(C, dim=1, dtype=torch.float64)
    return norms.square_()


def _pair_sq_distances(C: torch.Tensor) -> torch.Tensor:
    n = len(C)
    norms = _sq_norms(C)
    out = torch.empty(n * (n - 1) // 2, dtype=torch.float64, device=C.device)
    start = 0
    for i0 in range(0, n, BLOCK_ROWS):
        i1 = min(n, i0 + BLOCK_ROWS)
        total = norms[i0:i1, None] + norms[None, i0:]
        block = (C[i0:i1] @ C[i0:].T).double().mul_(-2).add_(total)
        _refine(block, total.mul_(CANCELLED[C.dtype]), C, i0)
        for r in range(i1 - i0):
            row = block[r, r + 1 :]
            out[start : start + len(row)] = row
            start += len(row)
    return out


def _refine(block: torch.Tensor, threshold: torch.Tensor, C: torch.Tensor, i0: int) -> None:
    near = (block <= threshold).triu_(1).nonzero()
    step = max(1, REFINE_BYTES // (8 * C.shape[1]))
    for first in range(0, len(near), step):
        row, column = near[first : first + step].T
        difference = C[i0 + row].double() - C[i0 + column].double()
        block[row, column] = _sq_norms(difference)

"""Screens: the most promising neighbours of each point from matrix products, with a bound on what rounding can do."""

from __future__ import annotations

import math

import torch

from brainalign.kernels.cloud import CHUNK_BYTES, PASS_BYTES, Cloud, row_chunks
from brainalign.kernels.shortlist import Shortlist

__all__ = ["Screened", "error_bound", "row_screen", "symmetric_screen"]

Screened = tuple[torch.Tensor, torch.Tensor]
"""Approximate squared distances (r, m), ascending, and the indices they belong to."""


def error_bound(cloud: Cloud, rows: torch.Tensor, kth: torch.Tensor) -> torch.Tensor:
    """Bound the rounding error of screened values, for pairs about as near as the value ``kth`` of each row.

    A sum of p products errs by about sqrt(p) units of |x||y|; four of these are allowed. A point at least as near as
    the k-th has a norm of at most |x| + d_k, so farther points need no bound.
    """
    unit, norm = 2.0**-53, cloud.norm[rows]
    if kth.dtype == torch.float32:
        unit, norm = _float32_unit(cloud.points.device), norm * _float32_scale(cloud)
    reach = norm + kth.clamp(min=0).to(torch.float64).sqrt()
    return (4 * math.sqrt(cloud.width + 4) * unit * (norm**2 + reach**2)).to(kth.dtype)


def _float32_unit(device: torch.device) -> float:
    """Rounding unit of a float32 product under the precision that the user allows."""
    allowed = torch.get_float32_matmul_precision()
    if allowed == "highest" and not (device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32):
        return 2.0**-24
    return 2.0**-11 if allowed != "medium" else 2.0**-8


def _float32_scale(cloud: Cloud) -> float:
    """Power of two that brings the largest norm near one, so that float32 squares neither overflow nor vanish."""
    largest = float(cloud.norm.max())
    return math.ldexp(1.0, -math.frexp(largest)[1]) if largest > 0 else 1.0


def row_screen(cloud: Cloud, rows: torch.Tensor, m: int) -> Screened:
    """Propose the ``m`` nearest of some rows by float64 products."""
    mine = cloud.centred(rows)
    squares = cloud.norm**2
    values = torch.empty((len(rows), len(cloud)), dtype=torch.float64, device=rows.device)
    for columns in row_chunks(len(cloud), 8 * cloud.width):
        norms = squares[columns][None, :] + squares[rows][:, None]
        values[:, columns] = torch.addmm(norms, mine, cloud.centred(columns).T, alpha=-2)
    values.scatter_(1, rows[:, None], math.inf)
    found = torch.topk(values, m, dim=1, largest=False, sorted=True)
    return found.values, found.indices


def symmetric_screen(cloud: Cloud, m: int) -> Screened:
    """Propose the ``m`` nearest of all rows by float32 products of the blocks on and above the diagonal.

    Every product serves its row and its column. Only values below the m-th best so far are looked at one by one.
    """
    n = len(cloud)
    left, right = _augmented(cloud)
    block = max(2 * m, min(1024, max(256, CHUNK_BYTES // (4 * n))))
    values = left @ right[:block].T
    values.fill_diagonal_(math.inf)
    best = Shortlist(values, m)
    for start in range(0, n, block):
        stop = min(start + block, n)
        if start > 0:
            values = left[start:stop] @ right[start:].T
            values.fill_diagonal_(math.inf)
            best.offer(values, row=start, column=start)
            if stop < n:
                best.offer(values, row=start, column=start, swap=stop)
        elif stop < n:
            best.offer(values[stop:], row=stop, column=0, swap=0)
    return best.result()


def _augmented(cloud: Cloud) -> Screened:
    """Return A = (x, |x|², 1) and B = (-2x, 1, |x|²), so that A Bᵀ holds the squared distances."""
    n, p = len(cloud), cloud.width
    left, right = (torch.empty((n, p + 2), dtype=torch.float32, device=cloud.points.device) for _ in range(2))
    scale = _float32_scale(cloud)
    for rows in row_chunks(n, 8 * p, most=PASS_BYTES):
        left[rows, :p] = cloud.centred(rows).mul_(scale)
        torch.mul(left[rows, :p], -2, out=right[rows, :p])
    left[:, p] = right[:, p + 1] = (cloud.norm * scale) ** 2
    left[:, p + 1] = right[:, p] = 1
    return left, right

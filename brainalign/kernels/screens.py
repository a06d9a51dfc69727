"""Screens: the most promising neighbours of each point from matrix products, with a bound on what rounding can do."""

from __future__ import annotations

import math

import numpy as np
import torch

from brainalign.kernels.cloud import CHUNK_BYTES, PASS_BYTES, Cloud, row_chunks
from brainalign.kernels.shortlist import Shortlist

__all__ = ["Screened", "error_bound", "row_screen", "symmetric_screen"]

# columns of a block of products, unless points are few or lists long
LEAST_BLOCK, BLOCK = 256, 1024
# of a block of products: on a CPU it is looked through before it leaves the cache
CACHE_BYTES = 1 << 22

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
    return _least(values, m)


def _least(values: torch.Tensor, m: int) -> Screened:
    """Return the ``m`` least values of each row, ascending, and their columns."""
    if values.device.type != "cpu":
        found = torch.topk(values, m, dim=1, largest=False, sorted=True)
        return found.values, found.indices
    # NumPy's vectorised partition and sort take a third of the time of torch's
    numbers = values.numpy()
    columns = np.argpartition(numbers, m - 1, axis=1)[:, :m] if 4 * m < numbers.shape[1] else None
    some = numbers if columns is None else np.take_along_axis(numbers, columns, axis=1)
    order = np.argsort(some, axis=1)[:, :m]
    columns = order if columns is None else np.take_along_axis(columns, order, axis=1)
    return torch.from_numpy(np.take_along_axis(some, order, axis=1)), torch.from_numpy(columns)


def symmetric_screen(cloud: Cloud, m: int) -> Screened:
    """Propose the ``m`` nearest of all rows by float32 products of the blocks on and below the diagonal.

    Every product serves its row and its column. Only values below the m-th best so far are looked at one by one.
    """
    n, device = len(cloud), cloud.points.device
    left = _augmented(cloud)
    width = min(n, max(2 * m, min(BLOCK, max(LEAST_BLOCK, n // 8))))
    height = max(1, (CACHE_BYTES if device.type == "cpu" else CHUNK_BYTES) // (4 * width))
    tile = torch.empty(min(height, n) * width, dtype=torch.float32, device=device)
    best = Shortlist(n, m, device)
    for start in range(0, n, width):
        stop = min(start + width, n)
        right = _opposite(left[start:stop])
        for top in (*range(start, stop, height), *range(stop, n, height)):
            on_diagonal = top < stop
            bottom = min(top + height, stop if on_diagonal else n)
            values = tile[: (bottom - top) * (stop - start)].view(bottom - top, stop - start)
            torch.mm(left[top:bottom], right.T, out=values)
            if on_diagonal:
                values[:, top - start :].fill_diagonal_(math.inf)
            if start == 0:
                best.begin(values, row=top)
            if start > 0 or not on_diagonal:
                best.offer(values, row=top, column=start, to_rows=start > 0, to_columns=not on_diagonal)
    return best.result()


def _augmented(cloud: Cloud) -> torch.Tensor:
    """Return A = (x, |x|², 1), whose products with `_opposite` are squared distances."""
    n, p = len(cloud), cloud.width
    left = torch.empty((n, p + 2), dtype=torch.float32, device=cloud.points.device)
    scale = _float32_scale(cloud)
    for rows in row_chunks(n, 8 * p, most=PASS_BYTES):
        left[rows, :p] = cloud.centred(rows).mul_(scale)
    left[:, p] = (cloud.norm * scale) ** 2
    left[:, p + 1] = 1
    return left


def _opposite(left: torch.Tensor) -> torch.Tensor:
    """Return B = (-2x, 1, |x|²) for the same rows."""
    right = left * -2
    right[:, -2], right[:, -1] = 1, left[:, -2]
    return right

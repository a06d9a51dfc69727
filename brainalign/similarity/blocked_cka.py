"""CKA of more stimuli than a Gram matrix has room for: the same sums, block of rows by block of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from brainalign.errors import InputError, UndefinedError
from brainalign.kernels.distances import sq_distances
from brainalign.kernels.gram import centred

__all__ = ["EQUAL_STIMULI", "LEAST_STIMULI", "NO_STRUCTURE", "ROUNDINGS", "blocked_cka"]

LEAST_STIMULI = 4

# roundings of a Gram matrix, in units of its largest entry, below which what is left of it is noise
ROUNDINGS = 32

NO_STRUCTURE = "{name} has no structure that CKA could compare: it is constant, or all stimuli are equally alike."
EQUAL_STIMULI = "at least half of the pairs of stimuli of {name} are equal: their median distance gives no bandwidth."

# float64 numbers for each pair of a block: both kernels, what they are made from, and their product
PER_PAIR = 6
BINS = 1 << 14


@dataclass(frozen=True)
class _Kernel:
    """One representation, and a function from two ranges of rows to the kernel between them in float64."""

    between: Callable[[slice, slice], torch.Tensor]
    eps: float
    name: str


def blocked_cka(X: torch.Tensor, Y: torch.Tensor, *, estimator: str, bandwidth: float | None, max_memory: int) -> float:
    """Return `cka` of two checked matrices within ``max_memory`` bytes; ``bandwidth`` None is the linear kernel.

    Raises
    ------
    InputError
        If copies of the matrices and one row of both kernels need more than ``max_memory``.
    UndefinedError
        As in `cka`.

    Notes
    -----
    Cost: n² (p + q) flops, each pair once; with ``rbf`` two or more further passes to find the median distance.
    """
    n = len(X)
    if n < LEAST_STIMULI:
        raise UndefinedError(f"X has {n} stimuli; CKA needs at least {LEAST_STIMULI}.")
    copies = sum(2 * side.numel() * side.element_size() for side in (X, Y))
    rows = (max_memory - copies) // (8 * PER_PAIR * n)
    if rows < 1:
        least = copies + 8 * PER_PAIR * n
        raise InputError(f"max_memory is {max_memory} bytes; CKA of these matrices needs at least {least}.")
    rows = min(int(rows), n)
    kernels = [_kernel(side, bandwidth, rows, name) for side, name in ((X, "X"), (Y, "Y"))]
    xx, yy, xy = _centred_products(kernels, n, rows, X.device, debiased=estimator == "debiased")
    return float(xy / (xx * yy) ** 0.5)


def _kernel(X: torch.Tensor, bandwidth: float | None, rows: int, name: str) -> _Kernel:
    C, _ = centred(X)
    eps = torch.finfo(X.dtype).eps
    if bandwidth is None:
        return _Kernel(lambda i, j: (C[i] @ C[j].T).double(), eps, name)

    def squared(i: slice, j: slice) -> torch.Tensor:
        d = sq_distances(C[i], C[j]).clamp_(min=0)
        if i.start == j.start:
            d.fill_diagonal_(0.0)
        return d

    median = _median(squared, len(C), rows, 4 * float(torch.linalg.vector_norm(C, dim=1).max()) ** 2)
    if median == 0:
        raise UndefinedError(EQUAL_STIMULI.format(name=name))
    factor = -1 / (2 * bandwidth**2 * median)
    return _Kernel(lambda i, j: squared(i, j).mul_(factor).exp_(), eps, name)


def _centred_products(
    kernels: list[_Kernel], n: int, rows: int, device: torch.device, *, debiased: bool
) -> tuple[float, float, float]:
    """Products of the centred kernels: first with itself, second with itself, first with second."""
    pairs = ((0, 0), (1, 1), (0, 1))
    products, largest = [0.0, 0.0, 0.0], [0.0, 0.0]
    sums = torch.zeros((2, n), dtype=torch.float64, device=device)
    for i, j in _upper_blocks(n, rows):
        blocks = [kernel.between(i, j) for kernel in kernels]
        width = i.stop - i.start
        for side, block in enumerate(blocks):
            if debiased:
                block.fill_diagonal_(0.0)
            largest[side] = max(largest[side], float(block.abs().max()))
            sums[side, i] += block.sum(dim=1)
            sums[side, i.stop :] += block[:, width:].sum(dim=0)
        for at, (u, v) in enumerate(pairs):
            by_column = torch.einsum("ij,ij->j", blocks[u], blocks[v])
            products[at] += float(by_column[:width].sum() + 2 * by_column[width:].sum())
    for at, (u, v) in enumerate(pairs):
        chains, totals = float(sums[u] @ sums[v]), float(sums[u].sum() * sums[v].sum())
        products[at] += totals / ((n - 1) * (n - 2) if debiased else n**2) - 2 * chains / (n - 2 if debiased else n)
    for side, kernel in enumerate(kernels):
        if products[side] <= (ROUNDINGS * kernel.eps * largest[side] * n) ** 2:
            raise UndefinedError(NO_STRUCTURE.format(name=kernel.name))
    return products[0], products[1], products[2]


def _upper_blocks(n: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """Ranges of rows, each with the columns from its own first on."""
    return ((slice(start, min(n, start + rows)), slice(start, n)) for start in range(0, n, rows))


def _median(squared: Callable[[slice, slice], torch.Tensor], n: int, rows: int, top: float) -> float:
    """Lower median over pairs of stimuli: bins narrow the range until what lies in it can be held."""
    rank, low, high = (n * (n - 1) // 2 - 1) // 2, -1.0, top * (1 + 1e-6)
    inside = n * n
    while inside > rows * n:
        if high - low <= 1e-14 * top:
            return high if low > 0 else 0.0
        edges = torch.linspace(low, high, BINS + 1, dtype=torch.float64)[1:]
        counts = torch.zeros(BINS, dtype=torch.int64)
        for values in _between(squared, n, rows, low, high):
            counts += torch.bucketize(values.cpu(), edges).bincount(minlength=BINS)[:BINS]
        below = counts.cumsum(0)
        at = int(torch.searchsorted(below, rank, right=True))
        inside = int(counts[at])
        rank -= int(below[at]) - inside
        low, high = float(edges[at - 1]) if at else low, float(edges[at])
    held = torch.cat(list(_between(squared, n, rows, low, high)))
    return float(held.kthvalue(rank + 1).values)


def _between(
    squared: Callable[[slice, slice], torch.Tensor], n: int, rows: int, low: float, high: float
) -> Iterator[torch.Tensor]:
    """Squared distances of pairs of different stimuli above ``low`` and up to ``high``."""
    for i, j in _upper_blocks(n, rows):
        block = squared(i, j)
        yield block[torch.ones_like(block, dtype=torch.bool).triu_(1) & (block > low) & (block <= high)]

"""Sums over pairs of stimuli, A_ij B_ij, of many permuted A with many permuted B: one matrix product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["crossed_products"]

IndexArray = npt.NDArray[np.intp]

# bytes of permuted rows held at once: few matrices stay in the processor's cache, many are worth their memory
CACHED_BYTES, MOST_BYTES = 8 * 2**20, 64 * 2**20
LEAST_ROWS, MOST_ROWS = 8, 64
MOST_HELD = 1024  # permuted matrices of both sides that one product takes


def crossed_products(
    many_a: Sequence[torch.Tensor], many_b: Sequence[torch.Tensor], left: IndexArray, right: IndexArray
) -> torch.Tensor:
    """Return the sum over all ordered pairs, diagonal included, of ``A_s(i)s(j) B_t(i)t(j)``.

    Parameters
    ----------
    many_a, many_b : sequences of L and K tensors, shape (n, n), float64
        Symmetric.
    left, right : arrays of int, shapes (S, n), (T, n)
        Permutations s of every ``A`` and t of every ``B``.

    Returns
    -------
    tensor, shape (L, S, K, T)

    Notes
    -----
    Upper triangles alone are gathered, some rows at a time, into memory that is used again.
    Cost: (L S + K T) n² / 2 gathered numbers, L S K T n² flops, and 64 MB or one row of 1,024 matrices.
    """
    n, device = len(many_b[0]), many_b[0].device
    sides = [
        (many, torch.as_tensor(np.ascontiguousarray(orders), device=device))
        for many, orders in ((many_a, left), (many_b, right))
    ]
    n_left, n_right = (len(many) * len(orders) for many, orders in sides)
    tile = min(n_left, MOST_HELD - min(n_right, MOST_HELD // 2))
    tiles = tile, min(n_right, MOST_HELD - tile)
    rows = _rows_at_once(n, sum(tiles))
    buffers = [torch.empty(size * rows * n, dtype=torch.float64, device=device) for size in tiles]
    taken = torch.empty(rows * n, dtype=torch.float64, device=device)
    total = torch.zeros((n_left, n_right), dtype=torch.float64, device=device)
    for i in (slice(start, min(n, start + rows)) for start in range(0, n, rows)):
        for p in range(0, n_left, tiles[0]):
            a = _permuted_rows(*sides[0], slice(p, p + tiles[0]), i, buffers[0], taken)
            # what lies right of the block on the diagonal stands for its mirror image, too: twice the sum comes out
            a[:, :, : i.stop - i.start] *= 0.5
            for q in range(0, n_right, tiles[1]):
                b = _permuted_rows(*sides[1], slice(q, q + tiles[1]), i, buffers[1], taken)
                total[p : p + len(a), q : q + len(b)].addmm_(a.flatten(1), b.flatten(1).T, alpha=2)
    return total.reshape(len(many_a), len(left), len(many_b), len(right))


def _rows_at_once(n: int, held: int) -> int:
    row = 8 * n * held
    rows = min(MOST_ROWS, max(LEAST_ROWS, CACHED_BYTES // row))
    return max(1, min(rows, MOST_BYTES // row))


def _permuted_rows(
    matrices: Sequence[torch.Tensor],
    orders: torch.Tensor,
    wanted: slice,
    i: slice,
    buffer: torch.Tensor,
    taken: torch.Tensor,
) -> torch.Tensor:
    """Return rows ``i`` of permuted matrices, columns from the first of them on: a view of ``buffer``, (count, ., .).

    ``wanted`` counts through all permutations of the first matrix, then of the next.
    """
    n, rows = orders.shape[1], i.stop - i.start
    count = min(wanted.stop, len(matrices) * len(orders)) - wanted.start
    out = buffer[: count * rows * (n - i.start)].view(count, rows, n - i.start)
    # NumPy takes several times faster than torch gathers on a CPU
    gather = _take if buffer.device.type == "cpu" else _gather
    for which, some, at in _runs(wanted.start, count, len(orders)):
        gather(matrices[which], orders[some], i, out[at], taken[: rows * n].view(rows, n))
    return out


def _runs(start: int, count: int, n_orders: int) -> Iterator[tuple[int, slice, slice]]:
    """Each matrix, those of its permutations that are wanted, and where they go."""
    at = 0
    while at < count:
        which, first = divmod(start + at, n_orders)
        size = min(n_orders - first, count - at)
        yield which, slice(first, first + size), slice(at, at + size)
        at += size


def _take(A: torch.Tensor, orders: torch.Tensor, i: slice, out: torch.Tensor, taken: torch.Tensor) -> None:
    source, rows = A.numpy(), taken.numpy()
    for order, to in zip(orders.numpy(), out.numpy(), strict=True):
        # methods: the functions of the same name take half as long again for so few numbers
        source.take(order[i], axis=0, out=rows, mode="clip")
        rows.take(order[i.start :], axis=1, out=to, mode="clip")


def _gather(A: torch.Tensor, orders: torch.Tensor, i: slice, out: torch.Tensor, taken: torch.Tensor) -> None:
    """Do what `_take` does on an accelerator, where one call for all permutations is what counts."""
    rows = A[orders[:, i]]
    torch.gather(rows, 2, orders[:, None, i.start :].expand(-1, rows.shape[1], -1), out=out)

"""Many neighbour lists of the same stimuli at once: restriction to some stimuli, and neighbours in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["common_in_all", "first_inside_all", "permuted_table"]

IndexArray = npt.NDArray[np.intp]

CHUNK_BYTES = 1 << 22
"""Of a pass over lists: small enough to stay in the processor's cache."""


def first_inside_all(
    orders: Sequence[npt.NDArray[np.int32]], kept: IndexArray, k: int, width: int
) -> Iterator[IndexArray | None]:
    """Yield the first ``k`` of the leading ``width`` neighbours that are kept, for each list of the kept stimuli.

    Parameters
    ----------
    orders : sequence of int32 arrays, each (n_prepared, m)
        Neighbours, nearest first; ``width`` is at most m.
    kept : array of int, shape (n,)
        Rows of the stimuli that are kept; neighbours come out as positions among them.
    k, width : int

    Yields
    ------
    array of int, shape (n, k), or None
        None where a stimulus has fewer than ``k`` kept neighbours among the leading ``width``.
    """
    n = len(kept)
    place = np.full(len(orders[0]), -1, dtype=np.int32)
    place[kept] = np.arange(n, dtype=np.int32)
    step = max(1, CHUNK_BYTES // (4 * n * width))
    leading = np.empty((step, n, width), dtype=np.int32)
    for start in range(0, len(orders), step):
        some = orders[start : start + step]
        for at, order in enumerate(some):
            np.take(order[:, :width], kept, axis=0, out=leading[at], mode="clip")
        local: npt.NDArray[np.int32] = place.take(leading[: len(some)])
        inside: npt.NDArray[np.bool_] = local >= 0
        count = inside.cumsum(axis=2, dtype=np.min_scalar_type(-1 - width))
        least = count[:, :, -1].min(axis=1)
        inside &= count <= k
        for at in range(len(some)):
            found = local[at].ravel().take(np.flatnonzero(inside[at])) if least[at] >= k else None
            yield None if found is None else found.reshape(n, k).astype(np.intp)


def permuted_table(index: IndexArray, order: IndexArray) -> IndexArray:
    """Return the table (n, k) of neighbours of the stimuli ``order``, by their places in it."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place.take(index[order])


def common_in_all(many_a: Sequence[IndexArray], many_b: Sequence[IndexArray]) -> Iterator[IndexArray]:
    """Yield, for each table of ``many_b``, the numbers of entries that its rows share with those of ``many_a``.

    Parameters
    ----------
    many_a, many_b : sequences of int arrays, each (n, k)
        Neighbours among the same n stimuli, none twice in a row.

    Yields
    ------
    array of int, shape (len(many_a), n)

    Notes
    -----
    Cost: n k look-ups for each pair, in a table of n² bytes.
    """
    n = len(many_b[0])
    start = np.arange(n)[:, None] * n
    # neighbours first, so that counting adds whole planes
    wanted = np.stack([(start + index).T for index in many_a], axis=1)
    is_neighbour = np.zeros(n * n, dtype=np.uint8)
    for index in many_b:
        edges = (start + index).ravel()
        is_neighbour[edges] = 1
        yield is_neighbour.take(wanted).sum(axis=0, dtype=np.intp)
        is_neighbour[edges] = 0

"""Tables of neighbours: restricted, permuted, compared one by one and many at once, and how their edges meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "common_in_all",
    "common_neighbours",
    "first_inside",
    "meetings",
    "permuted_table",
    "places_of_meetings",
]

IndexArray = npt.NDArray[np.intp]

DENSE_BYTES = 1 << 28


def permuted_table(index: IndexArray, order: IndexArray) -> IndexArray:
    """Return the table (n, k) of neighbours of the stimuli ``order``, by their places in it."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place.take(index[order])


def common_in_all(many_a: Sequence[IndexArray], many_b: Iterable[IndexArray]) -> Iterator[IndexArray]:
    """Yield, for each table of ``many_b``, the numbers of entries that its rows share with those of ``many_a``.

    Parameters
    ----------
    many_a, many_b : sequence and iterable of int arrays, each (n, k)
        Neighbours among the same n stimuli, none twice in a row.

    Yields
    ------
    array of int, shape (len(many_a), n)

    Notes
    -----
    Cost: n k look-ups for each pair, in a table of n² bytes; where that is too much, a sort of 2 n k numbers.
    """
    n = len(many_a[0])
    if n * n > DENSE_BYTES:
        yield from (np.stack([common_neighbours(a, b) for a in many_a]) for b in many_b)
        return
    start = np.arange(n)[:, None] * n
    # neighbours first, so that counting adds whole planes
    wanted = np.stack([(start + index).T for index in many_a], axis=1)
    is_neighbour = np.zeros(n * n, dtype=np.uint8)
    for index in many_b:
        edges = (start + index).ravel()
        is_neighbour[edges] = 1
        yield is_neighbour.take(wanted).sum(axis=0, dtype=np.intp)
        is_neighbour[edges] = 0


def common_neighbours(a: IndexArray, b: IndexArray) -> IndexArray:
    """Count the entries that each row of one table shares with the same row of another, shape (n,)."""
    both = np.sort(np.concatenate([a, b], axis=1), axis=1)
    return np.asarray(np.count_nonzero(both[:, 1:] == both[:, :-1], axis=1))


def first_inside(
    place: IndexArray, order: npt.NDArray[np.int32], rows: IndexArray, at: IndexArray, index: IndexArray, width: int
) -> npt.NDArray[np.bool_]:
    """Write the first k of the leading ``width`` neighbours that have a place; return which lists were long enough."""
    k = index.shape[1]
    local = place[order[rows, :width]]
    inside = local >= 0
    count = np.cumsum(inside, axis=1)
    enough: npt.NDArray[np.bool_] = count[:, -1] >= k
    taken = (inside & (count <= k))[enough]
    index[at[enough]] = local[enough][taken].reshape(-1, k)
    return enough


def meetings(index: IndexArray) -> tuple[int, ...]:
    """Count ordered pairs of edges: the same, reversed, from one start, to one end, head to tail (twice), apart."""
    n, k = index.shape
    edges = n * k
    in_degree = np.bincount(index.ravel(), minlength=n)
    keys = np.arange(n)[:, None] * n + index
    reverse = index * n + np.arange(n)[:, None]
    mutual = int(np.isin(keys, reverse).sum())
    start = edges * (k - 1)
    end = int(in_degree @ in_degree) - edges
    head_to_tail = k * edges - mutual
    rest = edges * edges - edges - mutual - start - end - 2 * head_to_tail
    return edges, mutual, start, end, head_to_tail, head_to_tail, rest


def places_of_meetings(n: int) -> tuple[int, ...]:
    """Count the ordered pairs of places, among n stimuli, where two edges meet in each of the ways of `meetings`."""
    two = n * (n - 1)
    three = two * (n - 2)
    return two, two, three, three, three, three, three * (n - 3)

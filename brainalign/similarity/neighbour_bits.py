"""Common neighbours in many subsets of the stimuli, or in many orders, at once: a bit of a word stands for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["common_in_orders", "common_in_subsets"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]
Order = npt.NDArray[np.int32]

WORD = 64
LISTS_AT_ONCE = 1 << 14
"""Words of a pass: few enough to stay in the processor's cache, enough to be worth a call."""
TABLE_BYTES = 1 << 24
COLUMNS, FEW_ROWS = 8, 16
ALL = np.uint64(2**64 - 1)


def common_in_subsets(
    many_a: Sequence[Order],
    many_b: Sequence[Order],
    rows: IndexArray,
    subsets: Sequence[IndexArray],
    k: int,
    worth: FloatArray | None = None,
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Sum the numbers of common neighbours over the stimuli of each subset, for every pair of lists.

    Parameters
    ----------
    many_a, many_b : sequences of int32 arrays, each (n_prepared, m)
        Neighbours, nearest first.
    rows : array of int
        The stimuli that take part; the others are passed over.
    subsets : sequence of int arrays
        Places among ``rows``, each once, more than ``k``.
    k : int
        Neighbours of a stimulus: the first ``k`` of its list that are in the subset.
    worth : array, shape (k + 1,), optional
        What a stimulus with so many common neighbours adds; ``worth[0]`` is 0. Default: their number.

    Returns
    -------
    sums : array, shape (len(many_a), len(many_b), len(subsets))
    ended : array of bool, shape (len(subsets),)
        Whether a list ended before its k-th neighbour in the subset. The sum is then too small.

    Notes
    -----
    Every list is read once for 64 subsets: a word holds which of them a neighbour is in, counters of ``log2 k`` words
    hold how many were found in each. Cost: some 2 k neighbours for halves of the stimuli, 10 operations on a word each,
    for a list and again for a pair of lists.
    """
    sums = np.zeros((len(many_a), len(many_b), len(subsets)))
    ended = np.zeros(len(subsets), dtype=bool)
    n_prepared = len(many_a[0])
    step = max(1, min(LISTS_AT_ONCE // max(len(many_a), len(many_b)), TABLE_BYTES // (8 * n_prepared)))
    for first in range(0, len(subsets), WORD):
        some = slice(first, first + WORD)
        words = _words(subsets[some], rows, n_prepared)
        for start in range(0, len(rows), step):
            here = rows[start : start + step]
            a, b = (_members(many, here, words, k) for many in (many_a, many_b))
            ended[some] |= _bits(
                np.bitwise_or.reduce(a.unfinished) | np.bitwise_or.reduce(b.unfinished), len(ended[some])
            )
            for i, total in enumerate(_common(a, b, n_prepared, k, worth)):
                sums[i, :, some] += total[:, : len(ended[some])]
    return sums, ended


def _words(subsets: Sequence[IndexArray], rows: IndexArray, n_prepared: int) -> Words:
    """Return a word for each prepared stimulus, with the bits of the subsets that it is in."""
    words = np.zeros(n_prepared, dtype=np.uint64)
    for bit, subset in enumerate(subsets):
        words[rows[subset]] |= np.uint64(1) << np.uint64(bit)
    return words


@dataclass(frozen=True)
class _Members:
    """Neighbours by place in the list: shape (width, n_lists, n_rows).

    ``bits``: the subsets in which a neighbour is among the first k; ``unfinished`` (n_rows,): in which fewer than k
    were found.
    """

    index: list[IndexArray]
    bits: list[Words]
    unfinished: Words


def _members(many: Sequence[Order], rows: IndexArray, words: Words, k: int) -> _Members:
    index: list[IndexArray] = []
    bits: list[Words] = []
    counter = np.zeros((k.bit_length(), len(many), len(rows)), dtype=np.uint64)
    full = np.tile(~words[rows], (len(many), 1))  # where a stimulus is not in a subset nothing is sought
    for start in range(0, many[0].shape[1], COLUMNS):
        some = np.stack([order[rows, start : start + COLUMNS].T for order in many], axis=1).astype(np.intp)
        for column in some:
            found = words.take(column)
            found &= ~full
            index.append(column)
            bits.append(found)
            _count(counter, found)
            full |= _equals(counter, k)
        if (full == ALL).all():
            break
    return _Members(index, bits, np.bitwise_or.reduce(~full, axis=0))


def _count(counter: Words, carry: Words) -> None:
    """Add a bit to each of the counters."""
    for plane in counter[:-1]:
        over = plane & carry
        plane ^= carry
        carry = over
    counter[-1] ^= carry


def _equals(counter: Words, value: int) -> Words:
    same: Words = counter[0] if value & 1 else ~counter[0]
    for place in range(1, len(counter)):
        plane = counter[place]
        same = same & plane if value >> place & 1 else same & ~plane
    return same


def _common(a: _Members, b: _Members, n_prepared: int, k: int, worth: FloatArray | None) -> Iterator[FloatArray]:
    """Yield for each list of a the sums over rows, shape (lists of b, 64)."""
    n_lists, n_rows = b.index[0].shape
    start = np.arange(n_rows) * n_prepared
    flat = [column + start for column in b.index]
    table = np.zeros(n_rows * n_prepared, dtype=np.uint64)
    for i in range(len(a.index[0])):
        at = np.stack([column[i] for column in a.index]) + start
        table[at] = np.stack([found[i] for found in a.bits])
        counter = np.zeros((k.bit_length(), n_lists, n_rows), dtype=np.uint64)
        for column, found in zip(flat, b.bits, strict=True):
            both = table.take(column)
            both &= found
            _count(counter, both)
        yield _sums(counter, worth)
        table[at] = 0


def common_in_orders(
    tables_a: Sequence[IndexArray], many_b: Sequence[Sequence[IndexArray]], k: int, worth: FloatArray | None = None
) -> FloatArray:
    """Sum the numbers of common neighbours of one representation in S orders with others in T orders each.

    Parameters
    ----------
    tables_a : sequence of int arrays, each (n, k)
        Neighbours in each order of the stimuli.
    many_b : sequence of K sequences of T such arrays
    k : int
    worth : array, shape (k + 1,), optional
        As in `common_in_subsets`.

    Returns
    -------
    array, shape (S, K, T)

    Notes
    -----
    One look-up finds a neighbour in 64 orders. Cost: K T n k look-ups for 64 orders, S n k to write them down.
    """
    n = len(tables_a[0])
    sums = np.zeros((len(tables_a), len(many_b), len(many_b[0])))
    step = max(1, min(n, TABLE_BYTES // (8 * n)))
    for first in range(0, len(tables_a), WORD):
        some = tables_a[first : first + WORD]
        for rows in (slice(start, min(n, start + step)) for start in range(0, n, step)):
            start = np.arange(rows.stop - rows.start)[:, None] * n
            words = np.zeros((rows.stop - rows.start) * n, dtype=np.uint64)
            for bit, table in enumerate(some):
                words[table[rows] + start] |= np.uint64(1) << np.uint64(bit)
            for which, tables in enumerate(many_b):
                sums[first : first + WORD, which] += _met(words, [t[rows] + start for t in tables], k, worth)[
                    : len(some)
                ]
    return sums


def _met(words: Words, flat: Sequence[IndexArray], k: int, worth: FloatArray | None) -> FloatArray:
    """Sum what a table of words holds at the neighbours (n_rows, k) of each order, shape (64, T)."""
    counter = np.zeros((k.bit_length(), len(flat), len(flat[0])), dtype=np.uint64)
    for place in range(k):
        _count(counter, words.take(np.stack([table[:, place] for table in flat])))
    return _sums(counter, worth).T


def _sums(counter: Words, worth: FloatArray | None) -> FloatArray:
    """Sum over the rows, shape (n_lists, 64)."""
    if worth is None:
        planes = _folded(counter)
        by_plane = [_bits_of_all(plane).sum(axis=1, dtype=np.uint32) for plane in planes]
        return np.asarray(sum(float(1 << place) * plane for place, plane in enumerate(by_plane)))
    counts = np.zeros((*counter.shape[1:], WORD), dtype=np.intp)
    for place, plane in enumerate(counter):
        counts += _bits_of_all(plane).astype(np.intp) << place
    return np.asarray(worth.take(counts).sum(axis=1))


def _folded(counter: Words) -> Words:
    """Add rows in pairs until few are left: counters (planes, n_lists, n_rows) of more planes and fewer rows."""
    while counter.shape[2] > FEW_ROWS:
        half = counter.shape[2] // 2
        left, right = counter[:, :, :half], counter[:, :, half : 2 * half]
        odd = counter.shape[2] % 2
        out = np.zeros((len(counter) + 1, counter.shape[1], half + odd), dtype=np.uint64)
        carry = np.zeros_like(left[0])
        for place, (x, y) in enumerate(zip(left, right, strict=True)):
            either = x ^ y
            out[place, :, :half] = either ^ carry
            carry = (x & y) | (either & carry)
        out[-1, :, :half] = carry
        if odd:
            out[:-1, :, half] = counter[:, :, -1]
        counter = out
    return counter


def _bits_of_all(words: Words) -> npt.NDArray[np.uint8]:
    """Return the bits of words (..., ) along a last axis."""
    octets = words.astype("<u8", copy=False).view(np.uint8).reshape(*words.shape, 8)
    return np.unpackbits(octets, axis=-1, bitorder="little")


def _bits(word: np.uint64, count: int) -> npt.NDArray[np.bool_]:
    return _bits_of_all(np.array([word], dtype=np.uint64))[0, :count].astype(bool)

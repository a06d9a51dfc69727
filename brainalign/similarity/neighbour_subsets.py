"""Common neighbours within many subsets of the stimuli at once: a bit of a word stands for a subset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["common_in_subsets"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]
Order = npt.NDArray[np.int32]

WORD = 64
LISTS_AT_ONCE = 1 << 14
"""Words of a pass: few enough to stay in the processor's cache, enough to be worth a call."""
TABLE_BYTES = 1 << 24
COLUMNS = 8
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


def _sums(counter: Words, worth: FloatArray | None) -> FloatArray:
    """Sum over the rows, shape (n_lists, 64)."""
    if worth is None:
        planes = [_bits_of_all(plane).sum(axis=1, dtype=np.uint32) for plane in counter]
        return np.asarray(sum(float(1 << place) * plane for place, plane in enumerate(planes)))
    counts = np.zeros((*counter.shape[1:], WORD), dtype=np.intp)
    for place, plane in enumerate(counter):
        counts += _bits_of_all(plane).astype(np.intp) << place
    return np.asarray(worth.take(counts).sum(axis=1))


def _bits_of_all(words: Words) -> npt.NDArray[np.uint8]:
    """Return the bits of words (..., ) along a last axis."""
    octets = words.astype("<u8", copy=False).view(np.uint8).reshape(*words.shape, 8)
    return np.unpackbits(octets, axis=-1, bitorder="little")


def _bits(word: np.uint64, count: int) -> npt.NDArray[np.bool_]:
    return _bits_of_all(np.array([word], dtype=np.uint64))[0, :count].astype(bool)

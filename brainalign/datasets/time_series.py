"""Time series as responses: standardized within runs, shifted for the hemodynamic lag, averaged over a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import DatasetError, InputError

__all__ = ["Block", "block_means", "find_blocks", "standardize_within"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Volumes in a row that show the same: ``start`` to ``end`` (exclusive) of the whole series, in run ``run``."""

    label: str
    run: Any
    start: int
    end: int


def standardize_within(values: Array, groups: Sequence[Any] | Array, *, detrend: bool = False) -> Array:
    """Z-score each column within each group of rows, with population standard deviations.

    Parameters
    ----------
    values : array, shape (n_rows, n_columns)
    groups : sequence of length n_rows
        Session or run of each row.
    detrend : bool
        First take out the straight line through the rows of a group, in their order.

    Returns
    -------
    array, shape (n_rows, n_columns), float32 for float32
        Columns that do not vary within a group are zero there.

    Raises
    ------
    DatasetError
        If a group has fewer rows than can be standardized.
    """
    labels = np.asarray(groups)
    out = np.empty(values.shape, dtype=values.dtype if values.dtype.kind == "f" else np.float64)
    least = 3 if detrend else 2
    for group in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == group)
        if len(rows) < least:
            raise DatasetError(f"{group!r} has {len(rows)} rows; {least} are needed to standardize within it.")
        block = values[rows].astype(np.float64)
        size = np.abs(block).max(axis=0)
        block -= block.mean(axis=0)
        if detrend:
            time = np.arange(len(rows)) - (len(rows) - 1) / 2
            block -= np.outer(time, time @ block / (time @ time))
        sd = block.std(axis=0)
        varies = sd > 8 * np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).eps * size
        out[rows] = np.where(varies, block / np.where(varies, sd, 1.0), 0.0)
    return out


def find_blocks(labels: Sequence[str], runs: Sequence[Any], *, rest: str) -> list[Block]:
    """Return the blocks of a design given volume by volume; volumes of ``rest`` belong to none.

    >>> [(b.label, b.run, b.start, b.end) for b in find_blocks(list("-aab-b"), [1, 1, 1, 1, 2, 2], rest="-")]
    [('a', 1, 1, 3), ('b', 1, 3, 4), ('b', 2, 5, 6)]
    """
    blocks, at = [], 0
    for (run, label), members in groupby(zip(runs, labels, strict=True)):
        length = sum(1 for _ in members)
        if label != rest:
            blocks.append(Block(label, run, at, at + length))
        at += length
    return blocks


def block_means(
    values: Array, blocks: Sequence[Block], runs: Sequence[Any], *, shift: int
) -> tuple[Array, list[Block]]:
    """Average the volumes of each block, ``shift`` volumes later, never past the end of its run.

    Returns
    -------
    means : array, shape (n_kept, n_columns)
    kept : list of Block
        Blocks of which at least one shifted volume lies in the run.

    Raises
    ------
    InputError
        If ``shift`` is negative, or no block is left.
    """
    if shift < 0:
        raise InputError(f"shift={shift}: responses follow the stimulus; give the lag in volumes, 0 or more.")
    last = {run: at + 1 for at, run in enumerate(runs)}
    spans = [(b, b.start + shift, min(b.end + shift, last[b.run])) for b in blocks]
    kept = [(block, start, end) for block, start, end in spans if start < end]
    if not kept:
        raise InputError(f"no block is left after a shift of {shift} volumes.")
    means = np.stack([values[start:end].mean(axis=0, dtype=np.float64) for _, start, end in kept])
    return means.astype(values.dtype, copy=False), [block for block, _, _ in kept]

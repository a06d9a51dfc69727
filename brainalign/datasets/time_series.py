"""Time series as responses: shifted for the hemodynamic lag, averaged over a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError

__all__ = ["Block", "block_means", "find_blocks"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Volumes in a row that show the same: ``start`` to ``end`` (exclusive) of the whole series, in run ``run``."""

    label: str
    run: Any
    start: int
    end: int


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

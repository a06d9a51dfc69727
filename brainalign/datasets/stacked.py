"""Responses that lie in several files or blocks, seen as one matrix and read a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from brainalign.errors import DatasetError

__all__ = ["Part", "row_parts", "stacked"]

Array = npt.NDArray[Any]
BLOCK_BYTES = 256 << 20


@dataclass(frozen=True)
class Part:
    """Some rows of the matrix.

    Attributes
    ----------
    n_rows : int
    load : callable
        Returns the rows, an array (n_rows, n_neuroids).
    """

    n_rows: int
    load: Callable[[], Array]


def row_parts(n_rows: int, row_bytes: int, read: Callable[[slice], Array]) -> list[Part]:
    """Cut rows that one reader gives into parts of at most 256 MB."""
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    spans = [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]
    return [Part(span.stop - span.start, lambda span=span: read(span)) for span in spans]  # type: ignore[misc]


def stacked(parts: Sequence[Part], n_neuroids: int, dtype: npt.DTypeLike) -> xr.Variable:
    """Return parts one below the other as a lazy variable (presentation, neuroid).

    Parameters
    ----------
    parts : sequence of Part
    n_neuroids : int
    dtype : dtype
        Of the whole; parts of another type are converted.

    Notes
    -----
    An index loads the parts that it touches, and keeps the last one: rows that are read in order load each part once.
    """
    return xr.Variable(
        ("presentation", "neuroid"), indexing.LazilyIndexedArray(_Stack(list(parts), n_neuroids, np.dtype(dtype)))
    )


class _Stack(BackendArray):
    def __init__(self, parts: list[Part], n_neuroids: int, dtype: np.dtype[Any]) -> None:
        self.parts = parts
        self.starts = np.concatenate([[0], np.cumsum([part.n_rows for part in parts])])
        self.shape = (int(self.starts[-1]), n_neuroids)
        self.dtype = dtype
        self._kept: tuple[int, Array] | None = None

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Array:
        rows, columns = (np.arange(n)[k] for n, k in zip(self.shape, key, strict=True))
        wanted, places = np.atleast_1d(rows), np.atleast_1d(columns)
        out = np.empty((len(wanted), len(places)), self.dtype)
        in_order = len(places) == self.shape[1] and bool((np.diff(places) == 1).all())
        home = np.searchsorted(self.starts, wanted, side="right") - 1
        for number in np.unique(home):
            here = np.flatnonzero(home == number)
            block = self._load(int(number))
            local = wanted[here] - self.starts[number]
            out[here] = block[local] if in_order else block[np.ix_(local, places)]
        return out[tuple(0 if np.ndim(k) == 0 else slice(None) for k in (rows, columns))]

    def _load(self, number: int) -> Array:
        if self._kept is None or self._kept[0] != number:
            self._kept = None  # frees one part before the next is read
            block = self.parts[number].load()
            expected = (self.parts[number].n_rows, self.shape[1])
            if block.shape != expected:
                raise DatasetError(f"rows {self.starts[number]} and on have shape {block.shape}, expected {expected}.")
            self._kept = (number, block)
        return self._kept[1]

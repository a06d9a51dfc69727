"""Sessions stacked to one matrix (presentation, neuroid) that is read session by session, z-scored or in percent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from brainalign.datasets.nsd.betas import BetaFile

__all__ = ["SessionStack", "SessionValues", "column_statistics"]

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_COLUMNS = 256  # columns worked on at a time: the working copy stays in the cache of the processor
_MOST_AHEAD = 2**28  # bytes of a session that is read while the last one is worked on


@dataclass(frozen=True)
class SessionValues:
    """The chosen columns of one session as stored, and what turns them into responses.

    A response is (stored - shift) / spread: z-scores over the session, or percent signal change.
    """

    stored: Array
    shift: FloatArray
    spread: FloatArray

    def write(self, rows: IntArray, out: npt.NDArray[np.float32]) -> None:
        """Write the responses of some trials into ``out``, shape (n_rows, n_neuroids)."""
        run = bool(len(rows)) and int(rows[-1] - rows[0]) == len(rows) - 1  # ascending without a gap
        chosen = slice(int(rows[0]), int(rows[-1]) + 1) if run else rows
        factor = 1 / self.spread  # products take a fraction of the time of quotients
        for start in range(0, self.stored.shape[1], _COLUMNS):
            part = slice(start, start + _COLUMNS)
            values = self.stored[chosen, part].astype(np.float64)
            values -= self.shift[part]
            values *= factor[part]
            out[:, part] = values


def column_statistics(values: Array, *, ddof: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of each column, computed in float64 a few columns at a time."""
    mean, spread = np.empty(values.shape[1]), np.empty(values.shape[1])
    for start in range(0, values.shape[1], _COLUMNS):
        part = slice(start, start + _COLUMNS)
        block = values[:, part].astype(np.float64)
        mean[part] = block.mean(axis=0)
        block -= mean[part]
        spread[part] = np.sqrt(np.einsum("ij,ij->j", block, block) / max(1, len(block) - ddof))
    return mean, spread


@dataclass(eq=False)
class SessionStack(BackendArray):
    """Chosen trials of chosen sessions in chosen places, float32, computed when they are read.

    Attributes
    ----------
    files : mapping
        Betas by session.
    places : array
        Places of the neuroids, ascending.
    rows : sequence of (session, trials)
        Which trials of each session, counted from 0 in the session, in the order of the presentations.
    zscore : bool
        Z-score every neuroid over all trials of a session, whichever are chosen; else percent signal change.
    constant : dict
        Sessions that have been read, with the number of neuroids that do not vary in them: their z-scores are 0.

    Notes
    -----
    Rows are best read in order: the last session stays in memory, as stored, and a thread reads the next one meanwhile
    unless it is large.
    """

    files: Mapping[int, BetaFile]
    places: IntArray
    rows: Sequence[tuple[int, IntArray]]
    zscore: bool
    constant: dict[int, int] = field(default_factory=dict)
    _held: tuple[int, SessionValues] | None = None
    _coming: tuple[int, Future[Array]] | None = None

    def __post_init__(self) -> None:
        self.shape = (sum(len(trials) for _, trials in self.rows), len(self.places))
        self.dtype = np.dtype(np.float32)
        self._starts = np.cumsum([0, *(len(trials) for _, trials in self.rows)])

    def variable(self) -> xr.Variable:
        """Return the matrix as a variable that reads on access."""
        return xr.Variable(("presentation", "neuroid"), indexing.LazilyIndexedArray(self))

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> Array:
        rows = np.atleast_1d(np.arange(self.shape[0])[key[0]])
        values = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        for part in np.unique(owner):
            here = np.flatnonzero(owner == part)
            trials = self.rows[part][1]
            run = bool(np.all(np.diff(here) == 1))
            target = values[here[0] : here[-1] + 1] if run else np.empty((len(here), self.shape[1]), dtype=np.float32)
            self._session(int(part)).write(trials[rows[here] - self._starts[part]], target)
            if not run:
                values[here] = target
        rest = (0 if np.ndim(key[0]) == 0 and not isinstance(key[0], slice) else slice(None), key[1])
        return values[rest]

    def _session(self, part: int) -> SessionValues:
        session = self.rows[part][0]
        if self._held is None or self._held[0] != session:
            self._held = None  # let go of the last session before the next is there
            coming, self._coming = self._coming, None
            if coming is not None and coming[0] == session:
                stored, in_order = coming[1].result(), True
            else:
                stored, in_order = self.files[session].read(self.places), part == 0
            if in_order and part + 1 < len(self.rows) and stored.nbytes <= _MOST_AHEAD:
                self._read_ahead(self.rows[part + 1][0])
            self._held = (session, self._scaled(session, stored, self.files[session].scale))
        return self._held[1]

    def _read_ahead(self, session: int) -> None:
        pool = ThreadPoolExecutor(1, thread_name_prefix="brainalign-session")
        self._coming = (session, pool.submit(self.files[session].read, self.places))
        pool.shutdown(wait=False)  # the thread ends when the session is read

    def _scaled(self, session: int, stored: Array, scale: float) -> SessionValues:
        n = stored.shape[1]
        if not self.zscore:
            return SessionValues(stored, np.zeros(n), np.full(n, scale))
        mean, spread = column_statistics(stored)
        dead = spread == 0
        self.constant[session] = int(dead.sum())
        return SessionValues(stored, mean, np.where(dead, 1.0, spread))

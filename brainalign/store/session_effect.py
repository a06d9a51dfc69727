"""How much of the variance of responses lies between sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SessionSums", "session_effect"]

Array = npt.NDArray[Any]


class SessionSums:
    """Sums over sessions, fed with rows block by block; memory n_sessions x n_neuroids."""

    def __init__(self, n_neuroids: int) -> None:
        self._origin: Array | None = None  # the first row: sums of differences from it lose no digits to a large mean
        self._sums: dict[str, npt.NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}
        self._squares = np.zeros(n_neuroids)

    def update(self, values: Array, sessions: Array) -> None:
        """Add rows of responses, shape (n, n_neuroids), and the session of each."""
        if self._origin is None:
            self._origin = values[0].astype(np.float64)
        apart = values.astype(np.float64) - self._origin
        self._squares += np.einsum("ij,ij->j", apart, apart)
        for session in np.unique(sessions):
            rows = sessions == session
            name = str(session)
            self._sums[name] = self._sums.get(name, 0.0) + apart[rows].sum(axis=0)
            self._counts[name] = self._counts.get(name, 0) + int(rows.sum())

    def effect(self) -> tuple[float, float]:
        """Return share and p, as :func:`session_effect`."""
        k, n = len(self._counts), sum(self._counts.values())
        if k < 2 or n <= k:
            return 0.0, 1.0
        from scipy.stats import f as f_distribution  # half a second, which listing a store must not take

        counts = np.array([self._counts[name] for name in self._sums], dtype=np.float64)
        sums = np.stack(list(self._sums.values()))
        of_all = sums.sum(axis=0) ** 2 / n
        between = (sums**2 / counts[:, None]).sum(axis=0) - of_all
        total = self._squares - of_all
        varies = total > np.finfo(float).eps * n * self._squares
        if not varies.any():
            return 0.0, 1.0
        share = np.clip(between[varies] / total[varies], 0, 1)
        ratio = (share / (k - 1)) / np.maximum((1 - share) / (n - k), np.finfo(float).tiny)
        return float(share.mean()), float(f_distribution.sf(np.median(ratio), k - 1, n - k))


def session_effect(values: Array, sessions: Sequence[Any] | Array) -> tuple[float, float]:
    """Return the share of variance between sessions (mean over neuroids), and the p of the median F over neuroids.

    A one-way analysis of variance; with stimuli spread over sessions at random the share is about
    ``(n_sessions - 1) / (n - 1)``.

    Parameters
    ----------
    values : array, shape (n, n_neuroids)
    sessions : sequence of n labels
    """
    sums = SessionSums(values.shape[1])
    sums.update(np.asarray(values), np.asarray(sessions).astype(str))
    return sums.effect()

"""Correction of several tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["holm"]

FloatArray = npt.NDArray[np.float64]


def holm(p: npt.ArrayLike) -> FloatArray:
    """Holm's step-down correction; nan stays nan and is not counted.

    Notes
    -----
    Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p, dtype=np.float64)
    corrected = np.full(raw.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(raw[order] * factors))
    return corrected

"""Per-session standardisation of single-trial responses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import PairingError, ShapeError

__all__ = ["zscore_sessions"]


def zscore_sessions(values: npt.NDArray[Any], sessions: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return responses with mean 0 and standard deviation 1 in every session and neuroid.

    Parameters
    ----------
    values : array, shape (n_presentations, n_neuroids)
    sessions : array, shape (n_presentations,)
        Session of each presentation, in any order.

    Returns
    -------
    array, shape (n_presentations, n_neuroids)
        float32 for float32, else float64; sums in float64. The standard deviation is that of the session's
        presentations (n in the denominator). A neuroid that does not vary in a session is 0 there.

    Raises
    ------
    ShapeError, PairingError
        If ``values`` is no matrix, or the sessions are not one a row.

    Examples
    --------
    >>> zscore_sessions(np.array([[1.0], [3.0], [10.0], [10.0]]), [1, 1, 2, 2]).ravel()
    array([-1.,  1.,  0.,  0.])
    """
    labels = np.asarray(sessions)
    if values.ndim != 2:
        raise ShapeError(f"expected responses (presentation, neuroid), got shape {values.shape}.")
    if labels.shape != (len(values),):
        raise PairingError(f"{labels.shape} sessions do not pair with {len(values)} presentations; one is needed each.")
    out = np.empty(values.shape, dtype=np.float32 if values.dtype == np.float32 else np.float64)
    for session in np.unique(labels):
        rows = np.flatnonzero(labels == session)
        block = values[rows].astype(np.float64)
        varies = block.max(axis=0) > block.min(axis=0)  # a constant has a spread of rounding errors, not of zero
        block -= block.mean(axis=0)
        spread = np.where(varies, block.std(axis=0), 1.0)
        out[rows] = np.where(varies, block / spread, 0.0)
    return out

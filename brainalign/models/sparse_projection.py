"""Sparse random projections of layers, drawn once for all networks of one architecture."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainalign.kept import Kept

__all__ = ["sparse_projection"]

_KEPT: Kept[Any] = Kept(64 * 2**20)


def sparse_projection(n_components: int, n_features: int, seed: int) -> Any:
    """Return scikit-learn's sparse random projection (n_components, n_features), float32, in CSR form.

    A trained network and its random twin have layers of one width and name, so they share the matrix, whose drawing
    takes as long as twenty forward passes. The last ones are kept, 64 MB in all.
    """
    return _KEPT.get((n_components, n_features, seed), lambda: _drawn(n_components, n_features, seed))


def _drawn(n_components: int, n_features: int, seed: int) -> Any:
    from sklearn.random_projection import SparseRandomProjection

    # only the shape is looked at: a broadcast zero costs no memory
    drawn = SparseRandomProjection(n_components, random_state=seed).fit(np.broadcast_to(np.float32(0), (1, n_features)))
    return drawn.components_.astype(np.float32)

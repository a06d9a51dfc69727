"""Sparse random projections of layers, drawn once for all networks of one architecture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

__all__ = ["sparse_projection"]

KEPT_BYTES = 64 * 2**20

_kept: OrderedDict[tuple[int, int, int], Any] = OrderedDict()
_turn = threading.Lock()


def sparse_projection(n_components: int, n_features: int, seed: int) -> Any:
    """Return scikit-learn's sparse random projection (n_components, n_features), float32, in CSR form.

    A trained network and its random twin have layers of one width and name, so they share the matrix, whose drawing
    takes as long as twenty forward passes. The last ones are kept, 64 MB in all.
    """
    key = n_components, n_features, seed
    with _turn:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    from sklearn.random_projection import SparseRandomProjection

    # only the shape is looked at: a broadcast zero costs no memory
    drawn = SparseRandomProjection(n_components, random_state=seed).fit(np.broadcast_to(np.float32(0), (1, n_features)))
    matrix = drawn.components_.astype(np.float32)
    with _turn:
        _kept[key] = matrix
        while sum(_bytes(kept) for kept in _kept.values()) > KEPT_BYTES:
            _kept.popitem(last=False)
    return matrix


def _bytes(matrix: Any) -> int:
    return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)

"""Fewer features before the regression: principal components of the fold, or a sparse random projection."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from sklearn.exceptions import DataDimensionalityWarning
from sklearn.random_projection import SparseRandomProjection

from brainalign.arrays import to_numpy
from brainalign.errors import ChoiceError, InputError, near_names

__all__ = ["check_reduce", "project_sparsely"]

REDUCTIONS = ("pca", "srp")


def check_reduce(reduce: tuple[str, int] | None, n_train: int, p: int) -> tuple[str, int] | None:
    """Return ``reduce`` if it can be done with ``n_train`` training rows of ``p`` features."""
    if reduce is None:
        return None
    try:
        kind, size = reduce
        size = int(size)
    except (TypeError, ValueError):
        raise InputError(f"reduce={reduce!r}: expected None, ('pca', components) or ('srp', dimensions).") from None
    if kind not in REDUCTIONS:
        raise ChoiceError(f"reduce={reduce!r} is unknown.{near_names(str(kind), REDUCTIONS)}")
    if size < 1:
        raise InputError(f"reduce={reduce!r}: the number must be at least 1.")
    limit = min(n_train - 1, p)
    if kind == "pca" and size > limit:
        raise InputError(
            f"reduce={reduce!r}: {n_train} training stimuli of {p} features have at most {limit} principal components."
        )
    return kind, size


def project_sparsely(X: torch.Tensor, dimensions: int, seed: int) -> tuple[torch.Tensor, dict[str, Any]]:
    """Project ``X`` (n, p) to (n, dimensions) by scikit-learn's sparse random projection; also return its record.

    The matrix depends on ``p``, ``dimensions`` and ``seed`` alone. More dimensions than features are allowed, as in
    Conwell et al. 2024, doi:10.1038/s41467-024-53147-y, so that layers of all sizes enter with the same number.
    """
    projection = SparseRandomProjection(n_components=dimensions, random_state=seed, dense_output=True)
    with warnings.catch_warnings():
        # more dimensions than features is what the caller asked for
        warnings.simplefilter("ignore", DataDimensionalityWarning)
        projected = projection.fit_transform(to_numpy(X))
    record = {"kind": "srp", "dimensions": dimensions, "seed": seed, "density": 1 / math.sqrt(X.shape[1])}
    return torch.as_tensor(projected, dtype=X.dtype).to(X.device), record

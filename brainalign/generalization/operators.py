"""Norms of linear maps that are given as code: what a layer at most multiplies a change of its input by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

__all__ = ["operator_norm"]

FloatArray = npt.NDArray[np.float64]
TensorMap = Callable[[torch.Tensor], torch.Tensor]

# sizes up to which the matrix is written down
EXPLICIT = 256
TOLERANCE = 1e-7
BATCH = 64


def operator_norm(function: TensorMap, shape: Sequence[int]) -> float:
    """Return the largest singular value of the linear part of an affine map of one sample.

    Parameters
    ----------
    function : callable
        Affine: a batch (b, *shape) in float64 to a batch, each sample on its own.
    shape : sequence of int
        Of one sample: a convolution has another norm on another grid.

    Returns
    -------
    float
        From above: the largest eigenvalue that Lanczos iteration finds of the map and its adjoint, plus its residual
        (relative 1e-7). Small maps are written down and decomposed.

    Notes
    -----
    Cost: some tens to hundreds of applications of the map and of its adjoint, which automatic differentiation gives.
    """
    zero = torch.zeros((1, *shape), dtype=torch.float64)
    with torch.no_grad():
        offset = function(zero)
    n_in, n_out = zero.numel(), offset.numel()
    if n_in == 0 or n_out == 0:
        return 0.0
    if min(n_in, n_out) <= EXPLICIT:
        return _explicit(function, zero, offset)
    adjoint = _adjoint(function, zero)

    def apply(v: FloatArray) -> FloatArray:
        with torch.no_grad():
            forward = function(torch.from_numpy(np.ascontiguousarray(v)).reshape(zero.shape)) - offset
        back: FloatArray = adjoint(forward).reshape(-1).numpy()
        return back

    square = LinearOperator((n_in, n_in), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).normal(size=n_in)
    if not np.any(apply(start)):
        return 0.0
    values, vectors = eigsh(square, k=1, which="LA", v0=start, tol=TOLERANCE)
    largest, vector = float(values[0]), vectors[:, 0]
    residual = float(np.linalg.norm(apply(vector) - largest * vector))
    return math.sqrt(max(largest, 0.0) + residual)


def _adjoint(function: TensorMap, zero: torch.Tensor) -> TensorMap:
    pull: Callable[[torch.Tensor], tuple[torch.Tensor]] = torch.func.vjp(function, zero)[1]

    def adjoint(cotangent: torch.Tensor) -> torch.Tensor:
        return pull(cotangent)[0].detach()

    return adjoint


def _explicit(function: TensorMap, zero: torch.Tensor, offset: torch.Tensor) -> float:
    if zero.numel() <= offset.numel():
        columns = torch.eye(zero.numel(), dtype=torch.float64).reshape(-1, *zero.shape[1:])
        with torch.no_grad():
            parts = [(function(part) - offset).reshape(len(part), -1) for part in torch.split(columns, BATCH)]
        matrix = torch.cat(parts)
    else:
        adjoint = _adjoint(function, zero)
        rows = torch.eye(offset.numel(), dtype=torch.float64).reshape(-1, 1, *offset.shape[1:])
        matrix = torch.stack([adjoint(row).reshape(-1) for row in rows])
    return float(torch.linalg.matrix_norm(matrix, ord=2))

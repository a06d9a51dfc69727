"""Centred Gram matrices that keep their digits."""

from __future__ import annotations

import math

import torch

__all__ = ["centred", "centred_gram", "double_centred"]


def centred(X: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return the columns of ``X`` without their means, and the power of two by which they were divided.

    Parameters
    ----------
    X : tensor, shape (n, p)
        Finite float32 or float64.

    Returns
    -------
    C : tensor, shape (n, p)
        ``(X - mean) / scale`` in the precision of ``X``, of magnitude about one, so that products neither overflow nor
        underflow. Columns that are constant are exactly zero.
    scale : float

    Notes
    -----
    Cost: four passes over the data, one copy. Means are summed in float64.
    """
    low, high = torch.aminmax(X, dim=0)
    scale = power_of_two(max(float(low.abs().max()), float(high.abs().max())))
    C = X / scale
    C -= C.mean(dim=0, dtype=torch.float64).to(C.dtype)
    constant = low == high
    if bool(constant.any()):
        C[:, constant] = 0  # the mean of equal numbers may be off by a rounding
    spread = power_of_two(float(C.abs().max()))
    return C.div_(spread), scale * spread


def centred_gram(X: torch.Tensor) -> torch.Tensor:
    """Return the Gram matrix of column-centred ``X``, shape (n, n), float64.

    Notes
    -----
    The product runs in the precision of ``X``, all sums in float64. Cost: 2 n² p flops, 8 n² bytes and a copy of ``X``.

    Examples
    --------
    >>> centred_gram(torch.tensor([[1.0], [3.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=torch.float64)
    """
    C, scale = centred(X)
    return double_centred((C @ C.T).double()) * scale**2


def double_centred(K: torch.Tensor) -> torch.Tensor:
    """Return ``H K H`` for symmetric ``K`` (n, n), H the centring matrix. Cost: two passes over ``K``."""
    means = K.mean(dim=0)
    return K - means[:, None] - (means - means.mean())[None, :]


def power_of_two(magnitude: float) -> float:
    """Return the power of two just below a positive number, 1 for zero: dividing by it rounds nothing."""
    return 2.0 ** (math.frexp(magnitude)[1] - 1) if magnitude > 0 else 1.0

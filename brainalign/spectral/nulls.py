"""Updates that fine-tuning did not make: what any change of that size does to singular directions."""

from __future__ import annotations

import torch

__all__ = ["NULLS", "gaussian_update", "random_basis", "random_initialisation", "same_spectrum_update"]

NULLS = ("gaussian", "same-spectrum", "random-init")
ROUNDING = 1e-6  # singular values below it, relative to the first, are rounding of the Gram matrix


def gaussian_update(D: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw independent normal entries with the Frobenius norm of ``D``."""
    return _with_norm(_normal(D.shape, generator, D), D)


def same_spectrum_update(D: torch.Tensor, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw a matrix with the singular values of ``D`` and uniformly distributed singular vectors.

    Parameters
    ----------
    D : tensor, shape (rows, columns)
    values : tensor, shape (min(rows, columns),)
        Its singular values; those that rounding explains may be left out.
    generator : torch.Generator
        On the CPU: a draw does not depend on the device.

    Notes
    -----
    Orthonormal factors by QR of normal draws; cost (rows + columns) r² + rows columns r for r values.
    """
    kept = values[values > values[0] * ROUNDING] if len(values) else values
    if not len(kept):
        return torch.zeros_like(D)
    left = random_basis(D.shape[0], len(kept), generator, D)
    right = random_basis(D.shape[1], len(kept), generator, D)
    return (left * kept.to(left)) @ right.T


def random_initialisation(W: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw a normal matrix with the Frobenius norm of ``W``: the same update then meets a basis nobody trained."""
    return _with_norm(_normal(W.shape, generator, W), W)


def random_basis(d: int, k: int, generator: torch.Generator, like: torch.Tensor) -> torch.Tensor:
    """Draw k orthonormal columns (d, k), uniformly, in the precision and on the device of ``like``."""
    Q, R = torch.linalg.qr(_normal((d, k), generator, like))
    signed: torch.Tensor = Q * torch.where(R.diagonal() < 0, -1.0, 1.0).to(Q)  # QR's own signs are no uniform draw
    return signed


def _normal(shape: tuple[int, ...] | torch.Size, generator: torch.Generator, like: torch.Tensor) -> torch.Tensor:
    dtype = like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32
    return torch.randn(tuple(shape), generator=generator, dtype=dtype).to(like.device)


def _with_norm(E: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    own = torch.linalg.vector_norm(E).clamp(min=torch.finfo(E.dtype).tiny)
    scaled: torch.Tensor = E * (torch.linalg.vector_norm(like.to(E)) / own).to(E)
    return scaled

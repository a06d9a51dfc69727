"""The bases in which an adapter works: leading or trailing singular directions, random ones, those of a gradient."""

from __future__ import annotations

import torch

from brainalign.errors import ChoiceError, NonFiniteError, ShapeError, UndefinedError
from brainalign.spectral.decomposition import leading_directions, trailing_directions
from brainalign.spectral.nulls import random_basis

__all__ = ["BASES", "adapter_basis"]

BASES = ("leading", "trailing", "random", "gradient")


def adapter_basis(
    W: torch.Tensor,
    rank: int | None,
    basis: str,
    *,
    gradient: torch.Tensor | None = None,
    name: str = "W",
    seed: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return orthonormal bases (rows, r) and (columns, r) for an update of ``W``.

    Parameters
    ----------
    W : tensor, shape (rows, columns)
    rank : int, optional
        Number of directions; default all.
    basis : {"leading", "trailing", "random", "gradient"}
        Singular directions of ``W`` with the largest or smallest singular values; uniformly random; leading singular
        directions of ``gradient``.
    gradient : tensor, shape (rows, columns), optional
    name : str
        What error messages call the matrix.
    seed : int
        Of ``random``.

    Raises
    ------
    UndefinedError
        If the matrix (the gradient) has fewer leading directions than asked: a zero or rank-deficient matrix.
    ShapeError, NonFiniteError, ChoiceError

    Notes
    -----
    Cost s² l + s³ for sides s <= l.
    """
    side = min(W.shape)
    r = side if rank is None else rank
    if not 1 <= r <= side:
        raise ShapeError(f"rank {r} for {name} of {W.shape[0]} x {W.shape[1]}, which has {side} directions.")
    if not bool(torch.isfinite(W).all()):
        raise NonFiniteError(f"{name} has {int((~torch.isfinite(W)).sum())} values that are not finite.")
    work = W.detach().to(torch.float64 if W.dtype == torch.float64 else torch.float32)
    if basis == "random":
        generator = torch.Generator().manual_seed(seed)
        return random_basis(work.shape[0], r, generator, work), random_basis(work.shape[1], r, generator, work)
    if basis == "trailing":
        return trailing_directions(work, r)
    if basis not in BASES:
        raise ChoiceError(f"basis must be one of {', '.join(BASES)}; got {basis!r}.")
    if basis == "gradient":
        if gradient is None:
            raise UndefinedError(f"basis='gradient' needs a gradient of {name}: pass gradients=.")
        work, name = gradient.detach().to(work), f"the gradient of {name}"
    found = leading_directions(work, r, name=name)
    if found.rank < r and not (rank is None and found.rank > 0):
        raise UndefinedError(
            f"{name} has rank {found.rank}, so that {r} leading directions are not defined; take a lower rank, "
            "or leave the layer out of the targets."
        )
    return found.left, found.right

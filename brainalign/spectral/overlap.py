"""How far two singular bases agree, and how much of an update lies in a basis.

All take orthonormal columns, or a matrix that is projected on them, and are blind to signs; what compares subspaces is
blind to any rotation inside them.
"""

from __future__ import annotations

import torch

from brainalign.errors import ShapeError, UndefinedError

__all__ = [
    "best_cosines",
    "captured_energy",
    "diagonal_share",
    "index_cosines",
    "intruder_dimensions",
    "principal_angles",
    "subspace_overlap",
    "update_in_basis",
]

INTRUDER = 0.5


def subspace_overlap(A: torch.Tensor, B: torch.Tensor) -> float:
    """Return the overlap |A'B|² / k of two k-dimensional subspaces of a d-dimensional space.

    1 for equal subspaces, k/d on average for independent ones.

    Parameters
    ----------
    A, B : tensors, shape (d, k)
        Orthonormal columns.

    Notes
    -----
    Cost d k².
    """
    _require_pair(A, B)
    return float((A.double().T @ B.double()).square().sum() / A.shape[1])


def principal_angles(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """Return the principal angles (k,) between two subspaces in degrees, ascending; cost d k² + k³.

    Small angles are taken from sines, large ones from cosines, so that both are exact. Björck and Golub 1973,
    doi:10.2307/2005662.
    """
    _require_pair(A, B)
    A, B = A.double(), B.double()
    product = A.T @ B
    cosines = torch.linalg.svdvals(product).clamp(max=1.0)
    sines = torch.linalg.svdvals(B - A @ product).flip(0).clamp(max=1.0)[: len(cosines)]
    return torch.rad2deg(torch.where(cosines.square() > 0.5, torch.asin(sines), torch.acos(cosines)))


def index_cosines(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """Return |a_i · b_i| (k,) of vectors with the same index; low where singular values are close and vectors mix."""
    _require_pair(A, B)
    return (A.double() * B.double()).sum(dim=0).abs()


def best_cosines(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """Return max_j |a_i · b_j| (k,): each vector of A against its nearest in B, whatever its index."""
    return (A.double().T @ B.double()).abs().amax(dim=1)


def intruder_dimensions(before: torch.Tensor, after: torch.Tensor, *, k: int = 10, threshold: float = INTRUDER) -> int:
    """Count vectors among the first ``k`` of ``after`` that resemble no vector of ``before``.

    A vector intrudes if its largest |cosine| with all given vectors of ``before`` is below ``threshold``. Shuttleworth
    et al. 2024, arXiv:2410.21228, who compare with the whole basis: give as many vectors of ``before`` as there are;
    with fewer the count is an upper bound.
    """
    return int((best_cosines(after[:, :k], before) < threshold).sum())


def update_in_basis(left: torch.Tensor, D: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return C = U' D V (k, k): an update in the coordinates of a basis; cost of one product with D."""
    return (left.to(D).T @ D @ right.to(D)).double()


def captured_energy(C: torch.Tensor, norm: float, k: int) -> float:
    """Return |C_k|² / |D|², the share of an update inside the leading k x k block; chance k² / (rows · columns).

    Parameters
    ----------
    C : tensor
        `update_in_basis` for at least k directions.
    norm : float
        Frobenius norm of the update.

    Raises
    ------
    UndefinedError
        If there is no update.
    """
    if not norm > 0:
        raise UndefinedError("the update is zero: no share of it is defined.")
    return float(C[:k, :k].square().sum()) / norm**2


def diagonal_share(C: torch.Tensor, norm: float, k: int) -> float:
    """Return |diag C_k|² / |D|², the share of an update that only changes the k leading singular values."""
    if not norm > 0:
        raise UndefinedError("the update is zero: no share of it is defined.")
    return float(C.diagonal()[:k].square().sum()) / norm**2


def _require_pair(A: torch.Tensor, B: torch.Tensor) -> None:
    if A.ndim != 2 or A.shape != B.shape or A.shape[1] > A.shape[0]:
        raise ShapeError(
            f"two bases (d, k) of one shape with k <= d are needed, got {tuple(A.shape)} and {tuple(B.shape)}."
        )

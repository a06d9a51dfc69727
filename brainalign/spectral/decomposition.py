"""Leading singular directions of a matrix, exact or by randomised block Krylov iteration with its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from brainalign.errors import ChoiceError, InputError, NonFiniteError, ShapeError

__all__ = ["Directions", "leading_directions", "low_rank_directions", "singular_values", "trailing_directions"]

EXACT_UP_TO = 1536
OVERSAMPLE = 16
PASSES = 4


@dataclass(frozen=True, eq=False)
class Directions:
    """The leading ``k`` singular directions of a matrix W (rows, columns).

    Attributes
    ----------
    left, right : tensors (rows, k), (columns, k)
        Orthonormal; the sign is such that the largest entry of each left vector is positive.
    values : tensor (k,), float64
        Singular values, descending.
    error : float
        Largest residual max(|W v - s u|, |W' u - s v|) over the k triples, relative to the largest singular value.
    rank : int
        How many of the k singular values rounding does not explain.
    method : str
        ``"exact"`` or ``"randomised"``.
    """

    left: torch.Tensor
    values: torch.Tensor
    right: torch.Tensor
    error: float
    rank: int
    method: str


def leading_directions(
    W: torch.Tensor, k: int, *, method: str = "auto", name: str = "W", seed: int = 0, with_error: bool = True
) -> Directions:
    """Compute the leading singular directions.

    Parameters
    ----------
    W : tensor, shape (rows, columns)
        Floating point; computed on its device.
    k : int
        How many, at most the smaller side.
    method : {"auto", "exact", "randomised"}
        ``exact``: eigenvectors of the Gram matrix of the smaller side, float64. ``randomised``: block Krylov
        iteration, in the precision of ``W``, where its space is smaller than the whole. ``auto``: exact up to a smaller
        side of 1536.
    name : str
        What error messages call the matrix.
    seed : int
        Of the start of the randomised form.
    with_error : bool
        False leaves ``error`` NaN and saves four products.

    Raises
    ------
    ShapeError, NonFiniteError, ChoiceError, InputError
        For anything but a finite real matrix, ``k`` beyond its smaller side, another method.

    Notes
    -----
    Cost: exact s² l + s³ for sides s <= l; randomised 2 (passes + 1) (k + 16) s l. Musco and Musco 2015,
    arXiv:1504.05477. The error is that of the triples; a vector whose singular value lies closer to the next than the
    error is a mixture of the two, and only subspaces that hold both are determined.
    """
    _require_matrix(W, k, name)
    if method not in ("auto", "exact", "randomised"):
        raise ChoiceError(f"method must be 'auto', 'exact' or 'randomised', got {method!r}.")
    whole = (PASSES + 1) * (k + OVERSAMPLE) > min(W.shape)  # a Krylov space that would be the whole space
    exact = method == "exact" or whole or (method == "auto" and min(W.shape) <= EXACT_UP_TO)
    wide = W if W.shape[0] <= W.shape[1] else W.T
    short, values, long = _exact(wide.double(), k) if exact else _krylov(wide, k, seed)
    error = _error(wide, short, values, long) if with_error else float("nan")
    left, right = (short, long) if W.shape[0] <= W.shape[1] else (long, short)
    signs = torch.sign(left.gather(0, left.abs().argmax(dim=0, keepdim=True)))
    signs = torch.where(signs == 0, torch.ones_like(signs), signs)
    dtype = torch.float64 if W.dtype == torch.float64 else torch.float32
    eps = torch.finfo(torch.float32 if W.dtype != torch.float64 else torch.float64).eps
    rank = int((values > max(W.shape) * eps * values[0]).sum()) if len(values) and values[0] > 0 else 0
    return Directions(
        (left * signs).to(dtype), values.double(), (right * signs).to(dtype), error, rank,
        "exact" if exact else "randomised",
    )  # fmt: skip


def trailing_directions(W: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k singular directions with the smallest singular values, left (rows, k) and right (columns, k).

    Eigenvectors of the Gram matrix in float64, largest of them first; a matrix without full rank takes the whole
    singular value decomposition, where directions of no singular value are any that complete the basis. Cost s² l + s³.
    """
    wide = (W if W.shape[0] <= W.shape[1] else W.T).double()
    values, vectors = torch.linalg.eigh(wide @ wide.T)
    if float(values[0]) > 1e-12 * float(values[-1]):
        short = vectors[:, :k].flip(1)
        long, triangle = torch.linalg.qr(wide.T @ short)
        long = long * torch.where(triangle.diagonal() < 0, -1.0, 1.0).to(long)
    else:
        U, _, Vt = torch.linalg.svd(wide, full_matrices=False)
        short, long = U[:, len(wide) - k :], Vt[len(wide) - k :].T
    dtype = torch.float64 if W.dtype == torch.float64 else torch.float32
    pair = (short, long) if W.shape[0] <= W.shape[1] else (long, short)
    return pair[0].to(dtype), pair[1].to(dtype)


def singular_values(W: torch.Tensor) -> torch.Tensor:
    """Return all singular values, descending, float64; cost s² l + s³ for sides s <= l."""
    wide = (W if W.shape[0] <= W.shape[1] else W.T).double()
    values: torch.Tensor = torch.linalg.eigvalsh(wide @ wide.T).clamp(min=0).sqrt().flip(0)
    return values


def low_rank_directions(B: torch.Tensor, A: torch.Tensor) -> Directions:
    """Singular directions of the product ``B @ A`` of low-rank factors, without forming it.

    Parameters
    ----------
    B, A : tensors, shapes (rows, r), (r, columns)
        As LoRA keeps them. They are determined only up to an invertible r x r matrix between them; what is returned
        depends on their product alone.

    Notes
    -----
    Thin QR of both, SVD of the r x r middle; cost (rows + columns) r². The squares of factors are never formed, so
    a badly conditioned split of the product costs its condition number once.
    """
    if B.ndim != 2 or A.ndim != 2 or B.shape[1] != A.shape[0]:
        raise ShapeError(f"factors (rows, r) and (r, columns) are needed, got {tuple(B.shape)} and {tuple(A.shape)}.")
    left, upper = torch.linalg.qr(B.double())
    right, lower = torch.linalg.qr(A.double().T)
    U, values, Vt = torch.linalg.svd(upper @ lower.T)
    rank = (
        int((values > max(B.shape[0], A.shape[1]) * torch.finfo(A.dtype).eps * values[0]).sum()) if len(values) else 0
    )
    return Directions(left @ U, values, right @ Vt.T, 0.0, rank, "exact")


def _require_matrix(W: torch.Tensor, k: int, name: str) -> None:
    if W.ndim != 2 or min(W.shape) == 0:
        raise ShapeError(f"{name} must be a matrix with rows and columns, got shape {tuple(W.shape)}.")
    if not W.is_floating_point() or W.is_quantized:
        raise InputError(f"{name} has values of type {W.dtype}; real numbers are needed.")
    if not 1 <= k <= min(W.shape):
        raise ShapeError(f"{k} singular directions of {name}, whose sides are {W.shape[0]} and {W.shape[1]}.")
    if not bool(torch.isfinite(W.sum())) and not bool(torch.isfinite(W).all()):
        raise NonFiniteError(f"{name} has {int((~torch.isfinite(W)).sum())} values that are not finite.")


def _exact(wide: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return short (s, k), values (k,), long (l, k) of a matrix whose rows are the shorter side."""
    gram = wide @ wide.T
    short = _top_eigenvectors(gram, k)
    long = wide.T @ short
    # an orthonormal completion where singular values vanish; elsewhere it changes rounding only
    long, triangle = torch.linalg.qr(long)
    values = triangle.diagonal()
    long = long * torch.where(values < 0, -1.0, 1.0).to(long)
    return short, values.abs(), long


def _top_eigenvectors(gram: torch.Tensor, k: int) -> torch.Tensor:
    n = len(gram)
    if gram.device.type == "cpu" and 3 * k < n and n >= 128:  # a part of the spectrum is cheaper there
        import scipy.linalg

        few = scipy.linalg.eigh(gram.numpy(), subset_by_index=[n - k, n - 1], driver="evr", check_finite=False)[1]
        return torch.from_numpy(np.ascontiguousarray(few[:, ::-1]))
    vectors: torch.Tensor = torch.linalg.eigh(gram).eigenvectors[:, -k:].flip(1)
    return vectors


def _krylov(wide: torch.Tensor, k: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    wide = wide if wide.dtype in (torch.float32, torch.float64) else wide.float()
    size = k + OVERSAMPLE
    start = torch.randn(wide.shape[1], size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    block = torch.linalg.qr(wide @ start.to(wide)).Q
    blocks = [block]
    for _ in range(PASSES):
        block = torch.linalg.qr(wide @ (wide.T @ block)).Q
        blocks.append(block)
    basis = torch.linalg.qr(torch.cat(blocks, dim=1)).Q
    U, values, Vt = torch.linalg.svd((basis.T @ wide).double().cpu(), full_matrices=False)
    return basis.double() @ U[:, :k].to(basis.device), values[:k].to(basis.device), Vt[:k].T.to(basis.device)


def _error(wide: torch.Tensor, short: torch.Tensor, values: torch.Tensor, long: torch.Tensor) -> float:
    if not len(values) or float(values[0]) == 0:
        return 0.0
    M = wide.double() if wide.numel() < 2**16 else wide
    s, u, v = values.to(M.dtype), short.to(M.dtype), long.to(M.dtype)
    first = torch.linalg.vector_norm(M @ v - u * s, dim=0).max()
    second = torch.linalg.vector_norm(M.T @ u - v * s, dim=0).max()
    return float(torch.maximum(first, second) / s[0])

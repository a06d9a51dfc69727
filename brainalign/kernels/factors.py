"""Thin factors of centred matrices: as many columns as can matter, inner products of rows kept."""

from __future__ import annotations

import torch

from brainalign.kernels.gram import centred

__all__ = ["centred_factor", "column_basis"]


def centred_factor(X: torch.Tensor) -> torch.Tensor:
    """Return F (n, min(n, p)), float64, with the Gram matrix of the column-centred ``X`` up to a scale.

    Notes
    -----
    ``F`` is a rotation of the columns, so whatever does not depend on a rotation can be computed from it. Cost: 2 n² p
    flops where there are more columns than rows, else a copy.
    """
    C, _ = centred(X.double())
    if C.shape[1] <= C.shape[0]:
        return C
    triangle: torch.Tensor = torch.linalg.qr(C.T, mode="r").R.T
    return triangle


def column_basis(F: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an orthonormal basis (n, r) of the columns and their singular values (r,), descending.

    ``eps`` is the relative precision of the data: directions that rounding explains are left out. Cost: n r².
    """
    U, s, _ = torch.linalg.svd(F, full_matrices=False)
    rank = int((s > max(F.shape) * eps * s[0]).sum()) if len(s) else 0
    return U[:, :rank], s[:rank]

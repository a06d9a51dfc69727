"""Canonical correlation: similarity up to any invertible linear map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair
from brainalign.errors import InputError, UndefinedError
from brainalign.kernels.factors import centred_factor, column_basis
from brainalign.kernels.gram import centred
from brainalign.similarity.checks import distinct_rows, require_choice, require_permutations, require_same_stimuli
from brainalign.stats.forms import RecomputedForm

__all__ = ["CCA_VARIANTS", "CcaForm", "PreparedBasis", "cca"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

CCA_VARIANTS = ("svcca", "pwcca", "mean")


def cca(
    X: Any, Y: Any, *, variant: str = "svcca", variance: float = 0.99, device: str | torch.device | None = None
) -> float:
    """Return an average of the canonical correlations of two representations.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order.
    variant : {"svcca", "pwcca", "mean"}
        ``mean``: average of all canonical correlations. ``svcca``: the same after keeping the principal components that
        hold ``variance`` of each side. ``pwcca``: weighted by how much of the units of ``X`` each canonical direction
        accounts for (X and Y do not swap).
    variance : float
        Share of the variance that ``svcca`` keeps, in (0, 1].
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    UndefinedError
        A constant representation, or one whose directions span all stimuli: every canonical correlation is then 1
        whatever the other representation is. ``pwcca``: two or more directions that both sides share by force.
    PairingError, InputError, ShapeError, NonFiniteError, ChoiceError
        Rows that do not pair, values that cannot be used, an unknown variant.

    Notes
    -----
    Raghu et al. 2017, arXiv:1706.05806; Morcos et al. 2018, arXiv:1806.05759. Canonical correlations are fitted to the
    stimuli that are scored: unrelated representations score about sqrt of (directions / stimuli), and where the
    directions of both sides outnumber the stimuli some correlations are 1 by force. Read it against its null
    (`calibrate`). Cost: n² (p + q) flops and decompositions of min(n, p) columns.

    Examples
    --------
    >>> X = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    >>> round(cca(X, X @ torch.tensor([[2.0, 1.0]] * 5).cumsum(0), variant="mean"), 6)
    1.0
    """
    form = CcaForm(variant=variant, variance=variance)
    x, y = as_pair(X, Y, device=device)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


@dataclass(frozen=True)
class PreparedBasis:
    """Orthonormal directions (n, r) over stimuli, and the centred columns (n, c) that they came from."""

    basis: torch.Tensor
    columns: torch.Tensor
    eps: float


@dataclass(frozen=True)
class CcaForm(RecomputedForm):
    """`cca` on orthonormal bases, float64."""

    variant: str = "svcca"
    variance: float = 0.99

    title = "canonical correlation"

    @property
    def smooth(self) -> bool:
        """Whether the delete-block jackknife is valid: no, it is 1.4 to 1.6 times too wide."""
        return False

    def __post_init__(self) -> None:
        require_choice("variant", self.variant, CCA_VARIANTS)
        if not 0 < self.variance <= 1:
            raise InputError(f"variance={self.variance!r} is no share of variance; give a number above 0 and up to 1.")

    def n_stimuli(self, a: PreparedBasis) -> int:
        """Return the number of stimuli."""
        return len(a.basis)

    def prepare(self, X: Any, *, name: str = "X") -> PreparedBasis:
        """Prepare a matrix (n, p). Cost: 2 n² p flops and a decomposition of n by min(n, p)."""
        matrix = as_matrix(X, name=name)
        columns = centred(matrix.double())[0] if self.variant == "pwcca" else centred_factor(matrix)
        return self._prepared(columns, torch.finfo(matrix.dtype).eps, name)

    def restrict(self, a: PreparedBasis, rows: IndexArray) -> PreparedBasis:
        """Return the directions of these stimuli only. Cost: a decomposition."""
        kept = a.columns[distinct_rows(rows, len(a.columns), a.columns.device)]
        return self._prepared(kept - kept.mean(dim=0), a.eps, "the subset of stimuli")

    def score(self, a: PreparedBasis, b: PreparedBasis) -> float:
        """Return the average canonical correlation. Cost: a decomposition of r by r."""
        require_same_stimuli(len(a.basis), len(b.basis))
        products = a.basis.T @ b.basis
        if self.variant != "pwcca":
            return float(torch.linalg.svdvals(products).clamp(max=1.0).mean())
        forced = sum(products.shape) - (len(a.basis) - 1)
        if forced > 1:
            raise UndefinedError(
                f"{products.shape[0]} and {products.shape[1]} directions over {len(a.basis)} stimuli have {forced} in "
                "common whatever they are: those canonical correlations are all 1, and the weights of equal ones are "
                "arbitrary. Use fewer units, variant='svcca' or 'mean', or another measure (cka)."
            )
        U, correlation, _ = torch.linalg.svd(products, full_matrices=False)
        weight = ((a.basis @ U).T @ a.columns).abs().sum(dim=1)
        return float(correlation.clamp(max=1.0) @ weight / weight.sum())

    def permuted(self, many_a: Sequence[PreparedBasis], b: PreparedBasis, permutations: IndexArray) -> FloatArray:
        """Return the value of every ``a`` with the rows of ``b`` permuted, shape (len(many_a), R)."""
        orders = torch.from_numpy(require_permutations(permutations, len(b.basis))).to(b.basis.device)
        return np.array([[self.score(a, replace(b, basis=b.basis[order])) for order in orders] for a in many_a])

    def _prepared(self, columns: torch.Tensor, eps: float, name: str) -> PreparedBasis:
        n = len(columns)
        basis, values = column_basis(columns, eps)
        if self.variant == "svcca" and len(values):
            share = (values**2).cumsum(0) / (values**2).sum()
            basis = basis[:, : int((share < self.variance * (1 - n * eps)).sum()) + 1]
        if not len(values):
            raise UndefinedError(f"{name} is constant over stimuli: it has no canonical directions.")
        if basis.shape[1] >= n - 1:
            raise UndefinedError(
                f"{name} has {basis.shape[1]} directions over {n} stimuli, which span everything: every canonical "
                "correlation is 1 whatever the other representation is. Use variant='svcca' with less variance, or "
                "another measure (cka)."
            )
        return PreparedBasis(basis, columns, eps)

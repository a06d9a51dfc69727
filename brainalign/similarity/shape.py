"""Procrustes similarity and angular shape distance: what remains after the best rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair
from brainalign.errors import UndefinedError
from brainalign.kernels.factors import centred_factor
from brainalign.similarity.checks import distinct_rows, require_choice, require_permutations, require_same_stimuli
from brainalign.stats.forms import RecomputedForm

__all__ = ["PROCRUSTES_FORMS", "ProcrustesForm", "procrustes"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

PROCRUSTES_FORMS = ("similarity", "angular")
LEAST_STIMULI = 3


def procrustes(X: Any, Y: Any, *, form: str = "similarity", device: str | torch.device | None = None) -> float:
    """Compare two representations after the best orthogonal map of one onto the other.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order. The narrower one is filled up with zeros.
    form : {"similarity", "angular"}
        Cosine between the centred matrices after rotation, 0 to 1; or the angle itself, 0 to π/2 radians, which obeys
        the triangle inequality (lower is more aligned).
    device : str or torch.device, optional
        ``None``: where the data lie, else CPU.

    Returns
    -------
    float

    Raises
    ------
    UndefinedError
        Fewer than 3 stimuli, or a constant representation.
    PairingError, InputError, ShapeError, NonFiniteError, ChoiceError
        Rows that do not pair, values that cannot be used, an unknown form.

    Notes
    -----
    Williams et al. 2021, arXiv:2110.14739. The rotation is fitted to the stimuli that are scored, so unrelated
    representations with more units than stimuli score high: read it against its null (`calibrate`).
    Cost: 2 n² (p + q) flops and one singular value decomposition of min(n, p) by min(n, q).

    Examples
    --------
    >>> X = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    >>> round(procrustes(X, 3 * X[:, [4, 2, 0, 1, 3]] + 1), 6)
    1.0
    """
    measure = ProcrustesForm(form=form)
    x, y = as_pair(X, Y, device=device)
    return measure.score(measure.prepare(x, name="X"), measure.prepare(y, name="Y"))


@dataclass(frozen=True)
class ProcrustesForm(RecomputedForm):
    """`procrustes` on centred factors of unit norm, float64."""

    form: str = "similarity"

    title = "Procrustes analysis"

    def __post_init__(self) -> None:
        require_choice("form", self.form, PROCRUSTES_FORMS)

    def n_stimuli(self, a: torch.Tensor) -> int:
        """Return the number of stimuli."""
        return len(a)

    def prepare(self, X: Any, *, name: str = "X") -> torch.Tensor:
        """Prepare a matrix (n, p): a factor (n, min(n, p)) of its Gram matrix. Cost: 2 n² p flops."""
        matrix = as_matrix(X, name=name)
        return _unit(centred_factor(matrix), name)

    def restrict(self, a: torch.Tensor, rows: IndexArray) -> torch.Tensor:
        """Return the factor of these stimuli only, centred anew. Cost: n min(n, p)."""
        kept = a[distinct_rows(rows, len(a), a.device)]
        return _unit(kept - kept.mean(dim=0), "the subset of stimuli")

    def score(self, a: torch.Tensor, b: torch.Tensor) -> float:
        """Return the similarity or the angle. Cost: one singular value decomposition."""
        require_same_stimuli(len(a), len(b))
        if self.form == "similarity":
            return float(torch.linalg.svdvals(a.T @ b).sum())
        width = max(a.shape[1], b.shape[1])
        a, b = (torch.nn.functional.pad(side, (0, width - side.shape[1])) for side in (a, b))
        U, _, Vh = torch.linalg.svd(a.T @ b)
        # of two unit vectors: the half angle from the chord, which keeps the digits that a cosine near one loses
        chord = float(torch.linalg.vector_norm(a @ U @ Vh - b))
        return float(2 * np.arcsin(min(1.0, chord / 2)))

    def permuted(self, many_a: Sequence[torch.Tensor], b: torch.Tensor, permutations: IndexArray) -> FloatArray:
        """Return the value of every ``a`` with the rows of ``b`` permuted, shape (len(many_a), R)."""
        orders = torch.from_numpy(require_permutations(permutations, len(b))).to(b.device)
        return np.array([[self.score(a, b[order]) for order in orders] for a in many_a])


def _unit(F: torch.Tensor, name: str) -> torch.Tensor:
    if len(F) < LEAST_STIMULI:
        raise UndefinedError(f"{name} has {len(F)} stimuli; Procrustes analysis needs at least {LEAST_STIMULI}.")
    norm = float(torch.linalg.vector_norm(F))
    if norm <= len(F) * torch.finfo(torch.float64).eps:
        raise UndefinedError(f"{name} is constant over stimuli: there is nothing to rotate.")
    return F / norm

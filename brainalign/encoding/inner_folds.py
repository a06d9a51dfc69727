"""Cross-validation of every alpha inside the training rows, at the cost of a few of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.encoding.folds import make_folds
from brainalign.encoding.system import RidgeSystem, decompose

__all__ = ["MOST_SHAPES", "InnerFold", "inner_folds"]

# Root mean square of what is left out of predictions, against targets of unit variance. At 1e-4 float32 alphas differ
# from float64 ones no more often than without it; at 1e-3 one in a thousand does.
LEFT_OUT = {torch.float32: 1e-4, torch.float64: 1e-10}

MOST_SHAPES = 12
"""What 1 / (eigenvalue + alpha) needs at most for any grid in double precision, for the planning of memory."""


@dataclass(frozen=True)
class InnerFold:
    """One fold of the inner cross-validation.

    Predictions at alpha a are ``sum_k mixing[a, k] (hat[k] @ b)``: as functions of the eigenvalue, the weights
    1 / (eigenvalue + alpha) of all alphas are mixtures of few.

    Attributes
    ----------
    train, test : index vectors
        Among the training rows.
    to_basis : (d, n_train)
    hat : (k n_test, d)
    mixing : (a, k)
    intercept : bool
    """

    train: torch.Tensor
    test: torch.Tensor
    to_basis: torch.Tensor
    hat: torch.Tensor
    mixing: torch.Tensor
    intercept: bool

    @classmethod
    def of(
        cls, system: RidgeSystem, train: torch.Tensor, test: torch.Tensor, alphas: torch.Tensor, dtype: torch.dtype
    ) -> InnerFold:
        """Prepare a fold for products in ``dtype``."""
        shapes, mixing = _mixture(system, alphas, LEFT_OUT[dtype])
        hat = (system.test_basis[None] * shapes.T[:, None]).reshape(-1, len(system.eigenvalues))
        return cls(
            train, test, system.basis.to(dtype).T.contiguous(), hat.to(dtype), mixing.to(dtype), system.intercept
        )

    def squared_errors(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sums of squared errors at each alpha (a, v), and of the training mean (v,), of targets (n, v)."""
        fitted, held_out = y.index_select(0, self.train), y.index_select(0, self.test)
        if self.intercept:
            held_out = held_out - fitted.mean(dim=0)
        parts = (self.hat @ (self.to_basis @ fitted)).reshape(self.mixing.shape[1], -1)
        residual = torch.addmm(held_out.reshape(1, -1).expand(len(self.mixing), -1), self.mixing, parts, alpha=-1)
        squares = residual.square_().reshape(len(self.mixing), *held_out.shape).sum(dim=1)
        return squares.double(), held_out.square().sum(dim=0).double()


def inner_folds(
    system: RidgeSystem,
    alphas: torch.Tensor,
    dtype: torch.dtype,
    folds: Any,
    groups: npt.NDArray[Any] | None,
    seed: int,
) -> list[InnerFold]:
    """Split the training rows of a system, groups whole. Cost: a decomposition for each fold."""
    features, device = system.features, alphas.device
    made = []
    for number, (train, test) in enumerate(make_folds(len(features), folds, groups, seed)):
        rows = torch.as_tensor(train, device=device), torch.as_tensor(test, device=device)
        where = f"inner fold {number}"
        inner = decompose(features, *rows, standardize=False, intercept=system.intercept, where=where)
        made.append(InnerFold.of(inner, *rows, alphas, dtype))
    return made


def _mixture(system: RidgeSystem, alphas: torch.Tensor, left_out: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return shapes (d, k) and mixing (a, k) whose product is 1 / (eigenvalues + alphas), the fewest that suffice.

    An eigenvalue counts by its part in predictions: the size of the test rows in its direction, times that of targets
    there, half of them signal spread as the features are and half of them noise.
    """
    eigenvalues = system.eigenvalues
    signal = len(system.basis) * eigenvalues / eigenvalues.sum()
    part = system.test_basis.square().mean(dim=0).sqrt() * (1 + signal).sqrt()
    part = part.clamp(min=float(part.max()) * np.finfo(np.float64).eps)
    left, size, right = torch.linalg.svd(part[:, None] / (eigenvalues[:, None] + alphas), full_matrices=False)
    beyond = size.square().flip(0).cumsum(0).flip(0).sqrt()  # of what is left from each position on
    rank = max(1, int((beyond > left_out).sum()))
    return left[:, :rank] * size[:rank] / part[:, None], right[:rank].T

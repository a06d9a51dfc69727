"""Choice of alpha for every target: generalised, leave-one-out or K-fold cross-validation inside the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.encoding.inner_folds import inner_folds
from brainalign.encoding.system import RidgeSystem
from brainalign.errors import ChoiceError, InputError, near_names

__all__ = ["SELECTIONS", "AlphaSearch", "alpha_grid", "check_selection", "low_end_matters", "share_at_edge"]

SELECTIONS = ("gcv", "loo", "kfold")


def alpha_grid(alphas: npt.ArrayLike | None) -> npt.NDArray[np.float64]:
    """Return the grid, ascending: ``logspace(-1, 8, 19)`` unless given."""
    if alphas is None:
        return np.logspace(-1, 8, 19)
    grid = np.unique(np.asarray(alphas, dtype=np.float64))
    if grid.ndim != 1 or not len(grid) or not np.isfinite(grid).all() or grid[0] <= 0:
        raise InputError(f"alphas={alphas!r}: expected positive finite numbers, on the scale of scikit-learn's Ridge.")
    return grid


def check_selection(selection: str) -> str:
    """Return ``selection`` if it is one of the choices."""
    if selection not in SELECTIONS:
        raise ChoiceError(f"selection={selection!r} is unknown.{near_names(str(selection), SELECTIONS)}")
    return selection


@dataclass
class AlphaSearch:
    """Cross-validation error of every alpha and target of one training set, prepared for blocks of targets.

    Parameters
    ----------
    system : RidgeSystem
    alphas : (a,) float64, on the device of the system
    selection : {"gcv", "loo", "kfold"}
    dtype : torch.dtype
        Of the products.
    groups : array (n_train,), optional
        Groups of the training rows, kept whole by ``kfold``.
    folds, seed
        Of ``kfold``.
    """

    system: RidgeSystem
    alphas: torch.Tensor
    selection: str
    dtype: torch.dtype
    groups: npt.NDArray[Any] | None = None
    folds: Any = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.selection == "gcv":
            self._prepare_gcv()
        elif self.selection == "loo":
            self._prepare_loo()
        else:
            self._prepare_kfold()

    def errors(self, b: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean squared error of each alpha (a, v), and that of the mean alone (v,).

        Parameters
        ----------
        b : (d, v)
            Targets in the basis of the system.
        y : (n_train, v)
            Targets.
        """
        if self.selection == "gcv":
            return self._gcv(b, y)
        return self._loo(b, y) if self.selection == "loo" else self._kfold(y)

    def _prepare_gcv(self) -> None:
        # The intercept's direction is outside the basis and outside `freedom`: counted as a direction that the fit
        # leaves alone, it would let alpha -> 0 win always.
        s = self.system.shrinkage(self.alphas)
        trace = s.sum(dim=1) + (self.system.freedom - s.shape[1])
        self._divisor = trace.square() / self.system.freedom
        ones = torch.ones_like(s[:1])
        self._squares = torch.cat([s.square(), ones]).to(self.dtype)

    def _gcv(self, b: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        inside = (self._squares @ (b * b)).double()
        total = inside[-1]
        if not self.system.complete:
            total = torch.maximum(_squared_norm(y, self.system.intercept), total)  # smaller only by rounding
        errors = (inside[:-1] + (total - inside[-1])) / self._divisor[:, None]
        return errors, total / self.system.freedom

    def _prepare_loo(self) -> None:
        u = self.system.basis.square()
        share = 1 - 1 / len(u) if self.system.intercept else 1.0
        outside = torch.zeros(len(u), 1, dtype=u.dtype, device=u.device)
        if not self.system.complete:
            outside = (share - u.sum(dim=1, keepdim=True)).clamp(min=0)  # negative only by rounding
        self._leverage_rest = (u @ self.system.shrinkage(self.alphas).T + outside).T
        self._share = share

    def _loo(self, b: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        centred = y - y.mean(dim=0) if self.system.intercept else y
        u = self.system.basis.to(self.dtype)
        s = self.system.shrinkage(self.alphas)
        errors = torch.empty(len(s), b.shape[1], dtype=torch.float64, device=b.device)
        for i, rest in enumerate(self._leverage_rest):
            if self.system.complete:
                residual = u @ (b * s[i, :, None].to(self.dtype))
            else:
                residual = centred - u @ (b * (1 - s[i, :, None]).to(self.dtype))
            errors[i] = (residual / rest[:, None].to(self.dtype)).square().sum(dim=0, dtype=torch.float64) / len(u)
        null = centred.square().sum(dim=0, dtype=torch.float64) / (len(u) * self._share**2)
        return errors, null

    def _prepare_kfold(self) -> None:
        self._inner = inner_folds(self.system, self.alphas, self.dtype, self.folds, self.groups, self.seed)

    def _kfold(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        errors = torch.zeros(len(self.alphas), y.shape[1], dtype=torch.float64, device=y.device)
        null = torch.zeros(y.shape[1], dtype=torch.float64, device=y.device)
        count = 0
        for fold in self._inner:
            by_alpha, by_mean = fold.squared_errors(y)
            errors += by_alpha
            null += by_mean
            count += len(fold.test)
        return errors / count, null / count


def _squared_norm(y: torch.Tensor, centred: bool) -> torch.Tensor:
    if centred:
        y = y - y.mean(dim=0)
    return y.square().sum(dim=0, dtype=torch.float64)


def low_end_matters(system: RidgeSystem, alphas: npt.NDArray[np.float64]) -> bool:
    """Whether alphas below the grid could change the fit: its least alpha still shrinks some direction by 1 %."""
    return bool(alphas[0] > 1e-2 * float(system.eigenvalues.min()))


def share_at_edge(
    index: npt.NDArray[np.intp],
    n_alphas: int,
    among: npt.NDArray[np.bool_],
    low_end: bool | npt.NDArray[np.bool_] = True,
) -> float:
    """Return the share of choices at an end of the grid; 0 where there was nothing to choose.

    Parameters
    ----------
    index : int array
        Chosen positions in the grid.
    n_alphas : int
    among : bool array of the same shape
        Which choices to count.
    low_end : bool, or array that broadcasts to ``index``
        Whether the low end is one.
    """
    if n_alphas < 2 or not among.any():
        return 0.0
    at_edge = ((index == 0) & low_end) | (index == n_alphas - 1)
    return float(np.mean(at_edge[among]))

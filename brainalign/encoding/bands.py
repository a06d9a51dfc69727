"""Feature spaces of one training set, mixed with weights into one ridge problem after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.encoding.selection import AlphaSearch, low_end_matters
from brainalign.encoding.system import (
    RidgeSystem,
    decompose,
    decompose_gram,
    no_variation,
    training_columns,
    training_gram,
)
from brainalign.errors import InputError

__all__ = ["BandSolution", "Bands", "draw_weights", "solve_bands"]

FloatArray = npt.NDArray[np.float64]

BLOCK_BYTES = 64 * 2**20
CONCENTRATIONS = (0.1, 1.0)


@dataclass(frozen=True)
class Bands:
    """Feature spaces, centred and scaled by the training rows; by their Gram matrices where features exceed stimuli.

    Attributes
    ----------
    grams : list of (n_train + n_test, n_train), or None
        Products of all rows of each space, training rows first, with its training rows.
    columns : list of (n_train + n_test, p_i), or None
        The spaces themselves, float64.
    n_train : int
    intercept : bool
    size : int
        Features in all.
    where : str
        For error messages.
    """

    grams: list[torch.Tensor] | None
    columns: list[torch.Tensor] | None
    n_train: int
    intercept: bool
    size: int
    where: str

    @classmethod
    def of(
        cls,
        spaces: Sequence[torch.Tensor],
        train: torch.Tensor,
        test: torch.Tensor,
        *,
        standardize: bool,
        intercept: bool = True,
        where: str = "the training rows",
    ) -> Bands:
        """Prepare spaces (n, p_i). Cost: 2 n n_train p flops where features exceed stimuli, else a copy."""
        n_train, size = len(train), sum(space.shape[1] for space in spaces)
        rows = torch.cat([train, test])
        grams, columns = [], []
        for number, space in enumerate(spaces):
            place = f"{where}, feature space {number}"
            if n_train <= size:
                gram = training_gram(space, train, test, standardize=standardize, intercept=intercept, where=place)
                grams.append(gram)
                continue
            scaled, varies = training_columns(space, rows, n_train, slice(None), standardize, intercept)
            if not varies:
                raise no_variation(place, n_train, space.shape[1])
            columns.append(scaled)
        return cls(grams or None, columns or None, n_train, intercept, size, where)

    def mixed(self, weights: torch.Tensor) -> RidgeSystem:
        """Decompose the problem whose Gram matrix is the sum of those of the spaces times ``weights``."""
        if self.grams is not None:
            gram = torch.zeros_like(self.grams[0])
            for weight, part in zip(weights, self.grams, strict=True):
                gram.add_(part, alpha=float(weight))
            return decompose_gram(gram, self.n_train, intercept=self.intercept, size=self.size, where=self.where)
        assert self.columns is not None  # one of the two is given
        scaled = [part * weight.sqrt() for weight, part in zip(weights, self.columns, strict=True) if weight > 0]
        every = torch.arange(len(scaled[0]), device=scaled[0].device)
        rows = every[: self.n_train], every[self.n_train :]
        # centred and scaled already, with an offset that rounding alone explains
        joined = torch.cat(scaled, dim=1)
        return decompose(joined, *rows, standardize=False, intercept=self.intercept, where=self.where)

    def parts(self, dual: torch.Tensor) -> torch.Tensor:
        """Return what each space, at weight one, adds to the predictions at the test rows, (spaces, n_test, v)."""
        n = self.n_train
        if self.grams is not None:
            return torch.stack([gram[n:] @ dual for gram in self.grams])
        assert self.columns is not None  # one of the two is given
        return torch.stack([part[n:] @ (part[:n].T @ dual) for part in self.columns])


@dataclass(frozen=True)
class BandSolution:
    """Ridge regression of targets on weighted feature spaces, the best weights and alpha of each target.

    Attributes
    ----------
    dual : (n_train, v)
        Weights of the training stimuli: coefficients of space i are gamma_i X_i' dual.
    gamma : (spaces, v)
        Weights of the spaces; they sum to one.
    choice : (v,)
        Position of alpha in the grid.
    low_end : (v,)
        Whether alphas below the grid could change the fit.
    mean : (v,)
        Of the training responses (zero without an intercept).
    inner_r2 : (v,)
        One minus the cross-validation error over that of the mean; NaN for constant targets.
    """

    dual: torch.Tensor
    gamma: torch.Tensor
    choice: torch.Tensor
    low_end: torch.Tensor
    mean: torch.Tensor
    inner_r2: torch.Tensor


def draw_weights(n_spaces: int, n_samples: int, seed: int) -> FloatArray:
    """Return weights (n_samples, spaces) that sum to one: equal ones, each space alone, then draws from Dirichlet laws.

    Concentrations 0.1 (few spaces matter) and 1 (uniform) take turns, as in Dupré la Tour et al. 2022,
    doi:10.1016/j.neuroimage.2022.119728.
    """
    if n_samples < 1:
        raise InputError(f"n_samples={n_samples}: at least one set of weights is needed.")
    rng = np.random.default_rng(seed)
    weights = [np.full(n_spaces, 1 / n_spaces), *(np.eye(n_spaces) if n_spaces > 1 else [])]
    while len(weights) < n_samples:
        concentration = CONCENTRATIONS[len(weights) % len(CONCENTRATIONS)]
        weights.append(rng.dirichlet(np.full(n_spaces, concentration)))
    return np.stack(weights[:n_samples])


def solve_bands(
    bands: Bands,
    y: torch.Tensor,
    weights: torch.Tensor,
    alphas: torch.Tensor,
    *,
    selection: str,
    groups: npt.NDArray[Any] | None = None,
    folds: Any = 5,
    seed: int = 0,
    width: int | None = None,
) -> BandSolution:
    """Choose weights and alpha for each target by cross-validation inside the training rows, and solve.

    Parameters
    ----------
    bands : Bands
    y : (n_train, v)
        Targets of the training rows.
    weights : (s, spaces) float64
        Candidates.
    alphas : (a,) float64
    selection, groups, folds, seed
        As of `AlphaSearch`.
    width : int, optional
        Targets at a time; default those of 64 MB.

    Notes
    -----
    Cost: a decomposition for each set of weights, which serves all targets.
    """
    v = y.shape[1]
    mean = y.mean(dim=0, dtype=torch.float64) if bands.intercept else torch.zeros(v, dtype=torch.float64).to(y.device)
    low, high = y.aminmax(dim=0)
    varies = (low < high) if bands.intercept else (low != 0) | (high != 0)
    centred = (y - mean.to(y.dtype)) * varies
    best = torch.full((v,), torch.inf, dtype=torch.float64, device=y.device)
    null = torch.ones_like(best)
    dual = torch.zeros(len(y), v, dtype=torch.float64, device=y.device)
    gamma = torch.zeros(weights.shape[1], v, dtype=torch.float64, device=y.device)
    choice = torch.zeros(v, dtype=torch.long, device=y.device)
    low_end = torch.zeros(v, dtype=torch.bool, device=y.device)
    width = width or max(16, BLOCK_BYTES // (8 * (4 * len(y) + 2 * len(alphas))))
    for weight in weights:
        system = bands.mixed(weight)
        search = AlphaSearch(system, alphas, selection, y.dtype, groups=groups, folds=folds, seed=seed)
        to_basis = system.basis.to(y.dtype).T
        matters = low_end_matters(system, alphas.cpu().numpy())
        for start in range(0, v, width):
            at = slice(start, start + width)
            b = to_basis @ centred[:, at]
            errors, null[at] = search.errors(b, centred[:, at])
            least, alpha = errors.min(dim=0)
            better = torch.nonzero(least < best[at]).flatten()
            columns = better + start
            best[columns], choice[columns] = least[better], alpha[better]
            gamma[:, columns], low_end[columns] = weight[:, None], matters
            shrunk = b[:, better].double() / (system.eigenvalues[:, None] + alphas[alpha[better]])
            dual[:, columns] = system.basis @ shrunk
    inner = torch.where(varies, 1 - best / torch.where(varies, null, 1.0), torch.nan)
    return BandSolution(dual, gamma, choice, low_end, mean, inner)

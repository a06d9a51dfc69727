"""Banded ridge regression: feature spaces with their own alpha, as a scikit-learn estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import validate_data

from brainalign.arrays import as_matrix, parse_memory
from brainalign.encoding.bands import Bands, BandSolution, draw_weights, solve_bands
from brainalign.encoding.budget import Budget, search_bytes
from brainalign.encoding.encode import warn_at_edge
from brainalign.encoding.fit import PREDICTABLE
from brainalign.encoding.ridge import RidgeCV, detached
from brainalign.encoding.selection import alpha_grid, check_selection, share_at_edge
from brainalign.errors import InputError, ShapeError

__all__ = ["BandedRidgeCV", "check_weights"]

FloatArray = npt.NDArray[np.float64]


class BandedRidgeCV(RidgeCV):
    """Ridge regression on several feature spaces, each with its own alpha, chosen for each target by itself.

    The Gram matrices of the spaces are added with weights gamma that sum to one, and the sum is penalised by alpha; the
    alpha of space i is alpha / gamma_i. Weights are sought at random, alpha on a grid.

    Parameters
    ----------
    spaces : sequence of length n_features, optional
        Label of the feature space of each column; without it all are one space.
    alphas : sequence of float, optional
        Grid; default ``logspace(-1, 8, 19)``.
    weights : array (s, n_spaces), optional
        Candidates for gamma, rows not all zero, in the sorted order of the labels; default drawn.
    n_samples : int
        Candidates drawn: equal weights, each space alone, then random ones (see `draw_weights`).
    selection : {"gcv", "loo", "kfold"}
        As of `RidgeCV`.
    folds : int, list of (train, test), or scikit-learn splitter
        Of ``kfold``.
    fit_intercept : bool
    seed : int
        Of the candidates and of the assignment to folds.
    max_memory : int or str, optional
        Bytes or "4GB": largest memory to allocate beyond the inputs. Targets are fitted in panels that are planned
        before work starts; every panel decomposes all candidates anew.

    Attributes
    ----------
    spaces_ : (n_spaces,)
        Labels, sorted.
    alpha_ : float or (n_targets,)
    gamma_ : (n_spaces,) or (n_targets, n_spaces)
    coef_ : (n_features,) or (n_targets, n_features)
    intercept_ : float or (n_targets,)
    inner_r2_ : float or (n_targets,)
        One minus the cross-validation error over that of the mean; NaN for constant targets.
    edge_share_ : float
        Share of targets whose alpha lies at an end of the grid.

    Notes
    -----
    Cost: a decomposition of n³ (or p³) flops and 2 n² flops a target for each candidate.
    Dupré la Tour et al. 2022, doi:10.1016/j.neuroimage.2022.119728.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 8))
    >>> y = X[:, :4] @ rng.standard_normal(4) + 0.5 * rng.standard_normal(100)
    >>> model = BandedRidgeCV(spaces=list("aaaabbbb")).fit(X, y)
    >>> bool(model.gamma_[0] > 0.8)
    True
    """

    def __init__(
        self,
        spaces: Any = None,
        alphas: npt.ArrayLike | None = None,
        weights: npt.ArrayLike | None = None,
        n_samples: int = 60,
        selection: str = "gcv",
        folds: Any = 5,
        fit_intercept: bool = True,
        seed: int = 0,
        max_memory: int | str | None = None,
    ) -> None:
        self.spaces = spaces
        self.alphas = alphas
        self.weights = weights
        self.n_samples = n_samples
        self.selection = selection
        self.folds = folds
        self.fit_intercept = fit_intercept
        self.seed = seed
        self.max_memory = max_memory

    def fit(self, X: Any, y: Any, groups: npt.ArrayLike | None = None) -> BandedRidgeCV:
        """Fit to features (n, p) and targets (n,) or (n, v); arguments and errors as of `RidgeCV.fit`.

        `brainalign.errors.InputError` also where ``max_memory`` is too small.
        """
        grid = alpha_grid(self.alphas)
        check_selection(self.selection)
        features, targets = validate_data(
            self, detached(X), detached(y), multi_output=True, y_numeric=True, dtype=[np.float64, np.float32]
        )
        if len(features) < 3:
            raise ShapeError(f"{len(features)} samples: the choice of alpha needs at least three rows.")
        columns = self._columns(features.shape[1])
        x, t = as_matrix(features), as_matrix(targets.reshape(len(targets), -1))
        candidates = torch.as_tensor(check_weights(self.weights, len(columns), self.n_samples, self.seed))
        panel, width = self._planned(x, t.shape[1], len(columns), len(grid))
        everything = torch.arange(len(x))
        bands = Bands.of(
            [x[:, index] for index in columns],
            everything,
            everything[:0],
            standardize=False,
            intercept=bool(self.fit_intercept),
            where="X",
        )
        fitted = _Fitted.empty(x, t.shape[1], len(columns))
        for start in range(0, t.shape[1], panel):
            at = slice(start, start + panel)
            solution = solve_bands(
                bands,
                t[:, at].to(torch.promote_types(x.dtype, t.dtype)),
                candidates,
                torch.as_tensor(grid),
                selection=self.selection,
                groups=None if groups is None else np.asarray(groups),
                folds=self.folds,
                seed=self.seed,
                width=width,
            )
            fitted.take(at, solution, x, columns, intercept=bool(self.fit_intercept))
        self._keep(fitted, grid, one=targets.ndim == 1)
        return self

    def _planned(self, x: torch.Tensor, v: int, spaces: int, n_alphas: int) -> tuple[int, int | None]:
        """Number of targets in a panel and in a block; all of them, in blocks of 64 MB, without a limit."""
        if self.max_memory is None:
            return v, None
        (n, p), size = x.shape, x.element_size()
        side = min(n, p)
        grams = 8 * n * n * spaces if n <= p else 8 * n * p
        system = 12 * n * side
        more, of_target = search_bytes(self.selection, n, side, n_alphas, system)
        # the mixed problem, its decomposition, and the columns that coefficients are made of
        workspace = 8 * (4 * side**2 + 3 * n * side + n * n * (n <= p)) + (32 * n * p if n > p else 2 * size * n * p)
        panel_column = 8 * (4 * n + spaces + 8) + 2 * size * p
        block_column = 8 * (2 * n + 3 * side + 2 * n_alphas) + of_target
        budget = Budget(
            parse_memory(self.max_memory),
            grams + size * n * p,
            (system + more,),
            workspace,
            panel_column,
            block_column,
            x.device.type != "cpu",
        )
        return budget.widths(v, v * (size * p + 8 * (spaces + 5)))

    def _columns(self, p: int) -> list[torch.Tensor]:
        labels = np.zeros(p, dtype=np.intp) if self.spaces is None else np.asarray(self.spaces)
        if labels.shape != (p,):
            raise ShapeError(f"spaces has shape {labels.shape} for {p} features; give one label for each column.")
        self.spaces_, index = np.unique(labels, return_inverse=True)
        return [torch.as_tensor(np.flatnonzero(index == s)) for s in range(len(self.spaces_))]

    def _keep(self, fitted: _Fitted, grid: FloatArray, *, one: bool) -> None:
        coef, gamma = fitted.coef.numpy(), fitted.gamma.numpy()
        offset, choice, inner = fitted.offset.numpy(), fitted.choice.numpy(), fitted.inner_r2.numpy()
        self.coef_ = coef[0] if one else coef
        self.intercept_ = offset[0] if one else offset
        self.alpha_ = grid[choice][0] if one else grid[choice]
        self.gamma_ = gamma[0] if one else gamma
        self.inner_r2_ = inner[0] if one else inner
        self.edge_share_ = share_at_edge(choice, len(grid), np.isfinite(inner))
        with np.errstate(invalid="ignore"):
            reliable = inner >= PREDICTABLE
        warn_at_edge(share_at_edge(choice, len(grid), reliable, fitted.low_end.numpy()), grid)


@dataclass(frozen=True)
class _Fitted:
    """What is kept of all targets, filled in panel by panel: (v, p), (v, spaces), and (v,) each."""

    coef: torch.Tensor
    gamma: torch.Tensor
    offset: torch.Tensor
    choice: torch.Tensor
    inner_r2: torch.Tensor
    low_end: torch.Tensor

    @classmethod
    def empty(cls, x: torch.Tensor, v: int, spaces: int) -> _Fitted:
        return cls(
            coef=torch.zeros(v, x.shape[1], dtype=x.dtype),
            gamma=torch.empty(v, spaces, dtype=torch.float64),
            offset=torch.empty(v, dtype=torch.float64),
            choice=torch.empty(v, dtype=torch.int64),
            inner_r2=torch.empty(v, dtype=torch.float64),
            low_end=torch.empty(v, dtype=torch.bool),
        )

    def take(
        self, at: slice, solution: BandSolution, x: torch.Tensor, columns: list[torch.Tensor], *, intercept: bool
    ) -> None:
        """Write the targets of a panel."""
        mean = x.double().mean(dim=0) if intercept else torch.zeros(x.shape[1], dtype=torch.float64)
        dual = solution.dual.to(x.dtype)
        coef = self.coef[at]
        for index, weight in zip(columns, solution.gamma, strict=True):
            coef[:, index] = (weight.to(x.dtype) * ((x[:, index] - mean[index].to(x.dtype)).T @ dual)).T
        self.offset[at] = solution.mean - coef.double() @ mean
        self.gamma[at], self.choice[at] = solution.gamma.T, solution.choice
        self.inner_r2[at], self.low_end[at] = solution.inner_r2, solution.low_end


def check_weights(weights: npt.ArrayLike | None, n_spaces: int, n_samples: int, seed: int) -> FloatArray:
    """Return candidates for the weights of feature spaces, rows that sum to one."""
    if weights is None:
        return draw_weights(n_spaces, n_samples, seed)
    given = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    if given.ndim != 2 or given.shape[1] != n_spaces or not len(given):
        raise ShapeError(f"weights has shape {given.shape}: expected (candidates, {n_spaces}), one for each space.")
    if not np.isfinite(given).all() or (given < 0).any() or (given.sum(axis=1) <= 0).any():
        raise InputError("weights must be finite and not negative, with a positive one in each row.")
    return np.asarray(given / given.sum(axis=1, keepdims=True))

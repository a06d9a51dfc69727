"""Ridge regression with an alpha for every target, as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from brainalign.arrays import as_matrix
from brainalign.encoding.encode import warn_at_edge
from brainalign.encoding.fit import PREDICTABLE
from brainalign.encoding.selection import AlphaSearch, alpha_grid, check_selection, low_end_matters, share_at_edge
from brainalign.encoding.system import decompose
from brainalign.errors import ShapeError

__all__ = ["RidgeCV", "detached"]

BLOCK_BYTES = 64 * 2**20


class RidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge regression with cross-validated alpha, chosen for each target by itself.

    Features are centred (with ``fit_intercept``), not scaled: put a ``StandardScaler`` before it where they should be.

    Parameters
    ----------
    alphas : sequence of float, optional
        Grid, on the scale of ``sklearn.linear_model.Ridge``; default ``logspace(-1, 8, 19)``.
    selection : {"gcv", "loo", "kfold"}
        Generalised cross-validation with the intercept's degree of freedom left out; exact leave-one-out; K folds.
    folds : int, list of (train, test), or scikit-learn splitter
        Of ``kfold``.
    fit_intercept : bool
    seed : int
        Of the assignment to folds.

    Attributes
    ----------
    alpha_ : float or (n_targets,)
    coef_ : (n_features,) or (n_targets, n_features)
    intercept_ : float or (n_targets,)
    inner_r2_ : float or (n_targets,)
        One minus the cross-validation error at ``alpha_`` over that of the mean; NaN for constant targets.
    edge_share_ : float
        Share of targets whose alpha lies at an end of the grid.

    Notes
    -----
    Cost: n² p + n³ flops for n <= p, else n p² + p³; then 2 n (n + p) flops a target. GCV costs no more than that,
    exact leave-one-out 2 n² flops a target and alpha.
    Golub, Heath & Wahba 1979, doi:10.1080/00401706.1979.10489751.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 3))
    >>> y = np.stack([X[:, 0], rng.standard_normal(80)], axis=1) + 0.3 * rng.standard_normal((80, 2))
    >>> model = RidgeCV().fit(X, y)
    >>> model.coef_.shape, bool(model.alpha_[0] < model.alpha_[1])
    ((2, 3), True)
    """

    def __init__(
        self,
        alphas: npt.ArrayLike | None = None,
        selection: str = "gcv",
        folds: Any = 5,
        fit_intercept: bool = True,
        seed: int = 0,
    ) -> None:
        self.alphas = alphas
        self.selection = selection
        self.folds = folds
        self.fit_intercept = fit_intercept
        self.seed = seed

    def fit(self, X: Any, y: Any, groups: npt.ArrayLike | None = None) -> RidgeCV:
        """Fit to features (n, p) and targets (n,) or (n, v).

        Parameters
        ----------
        X, y : arrays
            Numbers, finite, at least three rows.
        groups : sequence of length n, optional
            Kept whole by ``kfold``.

        Raises
        ------
        ValueError
            As of scikit-learn, for arrays that do not fit; `brainalign.errors.InputError` for other arguments.
        UndefinedError
            If no feature varies.
        """
        grid = alpha_grid(self.alphas)
        check_selection(self.selection)
        features, targets = validate_data(
            self, detached(X), detached(y), multi_output=True, y_numeric=True, dtype=[np.float64, np.float32]
        )
        if len(features) < 3:
            raise ShapeError(f"{len(features)} samples: the choice of alpha needs at least three rows.")
        x, t = as_matrix(features), as_matrix(targets.reshape(len(targets), -1))
        dtype = torch.promote_types(x.dtype, t.dtype)
        everything = torch.arange(len(x))
        system = decompose(
            x, everything, everything[:0], standardize=False, intercept=bool(self.fit_intercept), where="X"
        )
        search = AlphaSearch(
            system,
            torch.as_tensor(grid),
            self.selection,
            dtype,
            groups=None if groups is None else np.asarray(groups),
            folds=self.folds,
            seed=self.seed,
        )
        mean_x = x.double().mean(dim=0) if self.fit_intercept else torch.zeros(x.shape[1], dtype=torch.float64)
        x = x - mean_x.to(x.dtype)
        parts = [
            _solve(x, mean_x, t[:, start : start + _width(x)].to(dtype), search)
            for start in range(0, t.shape[1], _width(x))
        ]
        coef, offset, choice, inner = (torch.cat(p).numpy() for p in zip(*parts, strict=True))
        one = targets.ndim == 1
        self.coef_ = coef[0] if one else coef
        self.intercept_ = offset[0] if one else offset
        self.alpha_ = grid[choice][0] if one else grid[choice]
        self.inner_r2_ = inner[0] if one else inner
        self.edge_share_ = share_at_edge(choice, len(grid), np.isfinite(inner))
        with np.errstate(invalid="ignore"):
            reliable = inner >= PREDICTABLE
        warn_at_edge(share_at_edge(choice, len(grid), reliable, low_end_matters(system, grid)), grid)
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return predictions (m,) or (m, v) for features (m, p)."""
        check_is_fitted(self)
        features = validate_data(self, detached(X), reset=False, dtype=[np.float64, np.float32])
        prediction: npt.NDArray[Any] = features @ self.coef_.T + self.intercept_
        return prediction


def detached(values: Any) -> Any:
    """Return a tensor as an array that scikit-learn can check; anything else as it is."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values


def _width(x: torch.Tensor) -> int:
    return max(16, BLOCK_BYTES // (8 * (3 * len(x) + x.shape[1])))


def _solve(
    x: torch.Tensor, mean_x: torch.Tensor, y: torch.Tensor, search: AlphaSearch
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return coefficients (v, p), intercepts, choices and inner r2 of a block of targets."""
    system, dtype = search.system, search.dtype
    low, high = y.aminmax(dim=0)
    varies = (low < high) if system.intercept else (low != 0) | (high != 0)
    mean = y.mean(dim=0, dtype=torch.float64) if system.intercept else torch.zeros_like(y[0], dtype=torch.float64)
    y = (y - mean.to(dtype)) * varies
    b = system.basis.to(dtype).T @ y
    errors, null = search.errors(b, y)
    choice = errors.argmin(dim=0)
    least = errors.gather(0, choice[None])[0]
    inner = torch.where(varies, 1 - least / torch.where(varies, null, 1.0), torch.nan)
    weights = b.double() / (system.eigenvalues[:, None] + search.alphas[choice])
    dual = (system.basis @ weights).to(dtype)
    coef = (x.to(dtype).T @ dual).T.contiguous()
    return coef, mean - coef.double() @ mean_x, choice, inner

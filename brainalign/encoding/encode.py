"""Held-out prediction of responses from a representation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_pair
from brainalign.encoding.fit import EncodingFit
from brainalign.encoding.folds import Fold, Folds
from brainalign.encoding.plan import EncodingPlan
from brainalign.errors import CeilingError

__all__ = ["EncodingResult", "encode", "explainable_share", "result_of_fit", "result_of_scores", "warn_at_edge"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EncodingResult:
    """Held-out scores of every neuroid.

    Attributes
    ----------
    r, r2 : (v,)
        Mean over folds of the Pearson correlation and of the coefficient of determination of held-out responses;
        NaN where undefined in any fold.
    alpha : (folds, v)
        Chosen inside each training set.
    edge_share : float
        Share of these choices at either end of the grid.
    predictions : (n, v) or None
        Held-out predictions, if asked for.
    folds : list of (train, test)
    fold_r, fold_r2, inner_r2 : (folds, v)
        Scores by fold; ``inner_r2`` is the cross-validated share of variance inside the training rows.
    undefined : int
        Neuroids whose r has no value (constant responses, in all or in one fold); left out of means.
    normalised, normalised_r2 : float or None
        Mean r (r2) over the mean of what its ceiling allows, over neuroids that have both; ``None`` without a ceiling.
    n_normalised : int
        Neuroids in them.
    ceiling : (v,) or None
        Share of the variance of each neuroid that can be explained, as given.
    parameters : dict
        As resolved: alphas, selection, reduce and the record of a projection, standardize, seed.
    """

    r: FloatArray
    r2: FloatArray
    alpha: FloatArray
    edge_share: float
    predictions: npt.NDArray[Any] | None
    folds: list[Fold]
    fold_r: FloatArray
    fold_r2: FloatArray
    inner_r2: FloatArray
    undefined: int
    normalised: float | None = None
    normalised_r2: float | None = None
    n_normalised: int = 0
    ceiling: FloatArray | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def mean(self, quantity: str = "r") -> float:
        """Return the mean of "r" or "r2" over neuroids where it is defined; NaN where it is for none."""
        values = getattr(self, quantity)
        defined = np.isfinite(values)
        return float(values[defined].mean()) if defined.any() else float("nan")


def encode(
    X: Any,
    Y: Any,
    *,
    folds: Folds = 5,
    groups: npt.ArrayLike | Sequence[Any] | None = None,
    alphas: npt.ArrayLike | None = None,
    selection: str = "gcv",
    reduce: tuple[str, int] | None = None,
    standardize: bool = True,
    ceiling: Any | None = None,
    max_memory: int | str | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    predictions: bool = False,
) -> EncodingResult:
    """Predict responses from features by ridge regression, held out, with an alpha for every neuroid.

    Parameters
    ----------
    X : array, shape (n, p)
        Features; rows = stimuli.
    Y : array, shape (n, v)
        Responses; the same rows. They are centred by the training rows, never scaled.
    folds : int, list of (train, test), or scikit-learn splitter
        See `make_folds`.
    groups : sequence of length n, optional
        What folds must not split: the stimulus of each presentation, the source photograph of each stimulus.
    alphas, selection, reduce, standardize, max_memory, device, seed
        See `EncodingPlan`.
    ceiling : Ceiling, optional
        Of the responses, one value a neuroid, of a kind that bounds r.
    predictions : bool
        Also return held-out predictions.

    Returns
    -------
    EncodingResult
        Scored fold by fold and averaged: pooling held-out predictions over folds biases r below zero.

    Raises
    ------
    PairingError, ShapeError, NonFiniteError
        Rows that do not pair, wrong dimensions, NaN or inf.
    InputError
        Folds with under three training or two test stimuli, groups that a given fold splits, too small a budget.
    UndefinedError
        Features that do not vary.
    CeilingError
        A ceiling that is absent, does not bound r, or is of other neuroids.

    Warns
    -----
    UserWarning
        If more than half of the neuroids that can be predicted choose an alpha at the end of the grid.

    Notes
    -----
    Cost: see `EncodingPlan`. Method: Conwell et al. 2024, doi:10.1038/s41467-024-53147-y, with GCV over a wider grid.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 4))
    >>> Y = X @ rng.standard_normal((4, 2)) + rng.standard_normal((60, 2))
    >>> result = encode(X, Y)
    >>> result.alpha.shape, bool(result.mean("r") > 0.7)
    ((5, 2), True)
    """
    x, y = as_pair(X, Y, device=device)
    explainable = None if ceiling is None else explainable_share(ceiling, y.shape[1])
    plan = EncodingPlan(
        x,
        folds=folds,
        alphas=alphas,
        selection=selection,
        reduce=reduce,
        standardize=standardize,
        groups=groups,
        seed=seed,
        max_memory=max_memory,
    )
    fit = plan.fit(y, predictions=predictions)
    warn_at_edge(fit.edge_share_reliable, plan.alphas)
    return result_of_fit(fit, explainable)


def warn_at_edge(share: float, alphas: FloatArray) -> None:
    """Warn if most alphas of predictable targets lie at an end of the grid."""
    if share > 0.5:
        warnings.warn(
            f"{share:.0%} of the alphas of predictable targets lie at an end of the grid "
            f"{alphas[0]:.3g} … {alphas[-1]:.3g}: widen it with alphas=.",
            UserWarning,
            stacklevel=3,
        )


def explainable_share(ceiling: Any, n_targets: int) -> FloatArray:
    """Return what r2 of each of ``n_targets`` neuroids can reach (r: its root), (v,), from a ceiling."""
    share = np.asarray(ceiling.bound("r2"), dtype=np.float64)
    if share.ndim and share.shape != (n_targets,):
        raise CeilingError(f"the ceiling has shape {share.shape} and Y {n_targets} neuroids; give one value for each.")
    return np.broadcast_to(share, (n_targets,))


def result_of_fit(fit: EncodingFit, explainable: FloatArray | None) -> EncodingResult:
    """Return the result of a fit, normalised where a ceiling is known."""
    plan = fit.plan
    scores = {"fold_r": fit.r, "fold_r2": fit.r2, "inner_r2": fit.inner_r2, "alpha": fit.alpha}
    return result_of_scores(
        **scores,
        edge_share=fit.edge_share,
        predictions=fit.predictions,
        folds=plan.folds,
        explainable=explainable,
        parameters=plan.parameters,
    )


def result_of_scores(
    *, fold_r: FloatArray, fold_r2: FloatArray, explainable: FloatArray | None, **fields: Any
) -> EncodingResult:
    """Average scores (folds, v) over folds and divide them by what ``explainable`` (v,) allows."""
    r, r2 = fold_r.mean(axis=0), fold_r2.mean(axis=0)
    normalised: dict[str, Any] = {}
    if explainable is not None:
        with np.errstate(invalid="ignore"):  # a negative reliability bounds nothing: counted out
            usable = np.isfinite(r) & np.isfinite(r2) & (explainable > 0)
        share = explainable[usable]
        # sums are divided, not neuroids: the ratio of a neuroid near zero ceiling is noise without limit
        normalised = {
            "normalised": float(r[usable].sum() / np.sqrt(share).sum()) if len(share) else float("nan"),
            "normalised_r2": float(r2[usable].sum() / share.sum()) if len(share) else float("nan"),
            "n_normalised": len(share),
            "ceiling": explainable,
        }
    undefined = int(np.isnan(r).sum())
    return EncodingResult(r=r, r2=r2, fold_r=fold_r, fold_r2=fold_r2, undefined=undefined, **normalised, **fields)

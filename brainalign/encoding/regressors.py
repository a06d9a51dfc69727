"""Held-out prediction by any scikit-learn regressor: partial least squares, banded ridge, or one of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone

from brainalign.arrays import as_pair, to_numpy
from brainalign.encoding.checks import check_folds
from brainalign.encoding.encode import EncodingResult, explainable_share, result_of_scores
from brainalign.encoding.folds import Folds, make_folds
from brainalign.encoding.scoring import column_scores
from brainalign.encoding.system import no_variation, training_columns
from brainalign.errors import InputError

__all__ = ["encode_with"]


def encode_with(
    estimator: Any,
    X: Any,
    Y: Any,
    *,
    folds: Folds = 5,
    groups: npt.ArrayLike | Sequence[Any] | None = None,
    standardize: bool = True,
    ceiling: Any | None = None,
    seed: int = 0,
    predictions: bool = False,
) -> EncodingResult:
    """Predict responses by a scikit-learn regressor, with the folds and the scores of `encode`.

    Parameters
    ----------
    estimator : scikit-learn regressor
        Takes several targets; cloned for every fold. ``PLSRegression(25, scale=False)`` is the comparison that
        Brain-Score uses; `BandedRidgeCV` and `RidgeCV` fit, too.
    X : array, shape (n, p)
    Y : array, shape (n, v)
    folds, groups, ceiling, seed, predictions
        As of `encode`.
    standardize : bool
        Columns of ``X`` are centred and divided by their standard deviation over the training rows.

    Returns
    -------
    EncodingResult
        ``alpha`` and ``inner_r2`` are those of the estimator where it has ``alpha_`` and ``inner_r2_``, else NaN.

    Raises
    ------
    InputError
        If ``estimator`` is not one, or its predictions have another shape than the responses.
    PairingError, NonFiniteError, CeilingError
        As of `encode`.

    Notes
    -----
    Cost: one fit of the estimator a fold. Schrimpf et al. 2018, doi:10.1101/407007.

    Examples
    --------
    >>> from sklearn.cross_decomposition import PLSRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 10))
    >>> Y = X @ rng.standard_normal((10, 3)) + rng.standard_normal((60, 3))
    >>> bool(encode_with(PLSRegression(5, scale=False), X, Y).mean("r") > 0.8)
    True
    """
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict") and hasattr(estimator, "get_params")):
        raise InputError(f"estimator={estimator!r} is not a scikit-learn regressor with fit, predict and get_params.")
    x, y = as_pair(X, Y, device="cpu")
    explainable = None if ceiling is None else explainable_share(ceiling, y.shape[1])
    splits = make_folds(len(x), folds, groups, seed)
    check_folds(splits)
    shape = (len(splits), y.shape[1])
    scores = {name: np.full(shape, np.nan) for name in ("fold_r", "fold_r2", "alpha", "inner_r2")}
    held_out = np.zeros(tuple(y.shape))
    tested = np.zeros((len(y), 1))
    scale = (y - y.double().mean(dim=0)).square().sum(dim=0)
    for fold, (train, test) in enumerate(splits):
        rows = torch.as_tensor(np.concatenate([train, test]))
        features, varies = training_columns(x, rows, len(train), slice(None), standardize, intercept=True)
        if not varies:
            raise no_variation(f"fold {fold}", len(train), x.shape[1])
        model = clone(estimator).fit(to_numpy(features[: len(train)]), to_numpy(y[train]))
        predicted = _predicted(model, features[len(train) :], (len(test), y.shape[1]))
        shift = predicted.mean(dim=0)
        r, r2 = column_scores(predicted - shift, shift, y[test], scale)
        r = torch.where(y[train].amin(dim=0) < y[train].amax(dim=0), r, torch.nan)
        scores["fold_r"][fold], scores["fold_r2"][fold] = r.numpy(), r2.numpy()
        for name, attribute in (("alpha", "alpha_"), ("inner_r2", "inner_r2_")):
            scores[name][fold] = getattr(model, attribute, np.nan)
        held_out[test] += predicted.numpy()
        tested[test] += 1
    with np.errstate(invalid="ignore"):  # rows that no fold tests become NaN
        held_out /= tested
    return result_of_scores(
        **scores,
        explainable=explainable,
        edge_share=0.0,
        predictions=held_out if predictions else None,
        folds=splits,
        parameters={"estimator": repr(estimator), "standardize": standardize, "seed": seed},
    )


def _predicted(model: Any, features: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    predicted = np.asarray(model.predict(to_numpy(features)), dtype=np.float64)
    if predicted.ndim == 1:
        predicted = predicted[:, None]
    if predicted.shape != shape:
        raise InputError(f"{type(model).__name__} predicts shape {predicted.shape}; expected {shape}, one a target.")
    return torch.from_numpy(predicted)

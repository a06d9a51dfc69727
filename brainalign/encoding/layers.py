"""Encoding by the best of several layers, chosen inside the training folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_pair
from brainalign.encoding.encode import (
    EncodingResult,
    explainable_share,
    result_of_fit,
    result_of_scores,
    warn_at_edge,
)
from brainalign.encoding.folds import Folds, make_folds
from brainalign.encoding.plan import EncodingPlan
from brainalign.errors import ChoiceError, InputError, UndefinedError, near_names

__all__ = ["LayerSelection", "select_layer"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayerSelection:
    """Encoding with the layer that predicts the training rows best, fold by fold.

    Attributes
    ----------
    result : EncodingResult
        Of the chosen layers.
    layer : array of str, shape (folds,) or (folds, v)
        What was chosen.
    inner : (layers, folds) or (layers, folds, v)
        What it was chosen by: cross-validated r2 inside the training rows.
    by_layer : dict
        Result of each layer by itself.
    """

    result: EncodingResult
    layer: npt.NDArray[np.str_]
    inner: FloatArray
    by_layer: dict[str, EncodingResult]


def select_layer(
    layers: Mapping[str, Any],
    Y: Any,
    *,
    by: str = "mean",
    folds: Folds = 5,
    groups: npt.ArrayLike | None = None,
    ceiling: Any | None = None,
    predictions: bool = False,
    seed: int = 0,
    **options: Any,
) -> LayerSelection:
    """Encode responses with the best of several layers, without a test row in the choice.

    In each fold the layer with the largest cross-validated r2 inside the training rows is taken, and its held-out
    score counts. Choosing by the held-out score would find the luckiest layer: of 50 without any relation to the
    responses, the best reaches r = 0.10 at 100 test stimuli.

    Parameters
    ----------
    layers : mapping of name to array (n, p)
        Rows = stimuli.
    Y : array, shape (n, v)
    by : {"mean", "neuroid"}
        One layer for all neuroids, by the mean over those that have an inner score in all layers (and, with a ceiling,
        variance that can be explained), or one for each neuroid.
    folds, groups, ceiling, predictions, seed, **options
        As of `encode`.

    Returns
    -------
    LayerSelection

    Raises
    ------
    InputError
        Without layers.
    UndefinedError
        If no neuroid varies, so that there is nothing to choose by.
    ChoiceError
        For another ``by``; errors of `encode` besides.

    Notes
    -----
    Cost: that of `encode` for each layer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> layers = {"early": rng.standard_normal((80, 5)), "late": rng.standard_normal((80, 5))}
    >>> chosen = select_layer(layers, layers["late"] + 0.5 * rng.standard_normal((80, 5)))
    >>> sorted(set(chosen.layer.tolist()))
    ['late']
    """
    if by not in ("mean", "neuroid"):
        raise ChoiceError(f"by={by!r} is unknown.{near_names(str(by), ['mean', 'neuroid'])}")
    if not layers:
        raise InputError("layers is empty: give at least one name and matrix.")
    results: dict[str, EncodingResult] = {}
    edges = []
    explainable = None
    for name, X in layers.items():
        x, y = as_pair(X, Y, names=(f"layer {name!r}", "Y"), device=options.get("device"))
        if not results:
            folds = make_folds(len(x), folds, groups, seed)
            explainable = None if ceiling is None else explainable_share(ceiling, y.shape[1])
        plan = EncodingPlan(x, folds=folds, groups=groups, seed=seed, **options)
        fit = plan.fit(y, predictions=predictions)
        edges.append(fit.edge_share_reliable)
        results[name] = result_of_fit(fit, explainable)
    warn_at_edge(max(edges), plan.alphas)
    inner = np.stack([result.inner_r2 for result in results.values()])
    if by == "mean":
        inner = _mean(inner, explainable)
    if np.isnan(inner).all(axis=(0, 1)).all():
        raise UndefinedError("no neuroid has a score inside the training rows of all layers: nothing to choose by.")
    best = np.where(np.isnan(inner), -np.inf, inner).argmax(axis=0)
    names = np.array(list(results))
    return LayerSelection(_chosen(list(results.values()), best, explainable), names[best], inner, results)


def _mean(inner: FloatArray, explainable: FloatArray | None) -> FloatArray:
    counted = np.isfinite(inner).all(axis=(0, 1))
    if explainable is not None:
        with np.errstate(invalid="ignore"):
            counted &= explainable > 0
    if not counted.any():
        return np.full(inner.shape[:2], np.nan)
    return np.asarray(inner[..., counted].mean(axis=-1))


def _chosen(
    results: list[EncodingResult], best: npt.NDArray[np.intp], explainable: FloatArray | None
) -> EncodingResult:
    """Put a result together from the layer chosen in each fold, (folds,), or fold and neuroid, (folds, v)."""
    first = results[0]
    choice = np.broadcast_to(best[:, None] if best.ndim == 1 else best, first.fold_r.shape)
    fields = {
        name: np.take_along_axis(np.stack([getattr(r, name) for r in results]), choice[None], axis=0)[0]
        for name in ("fold_r", "fold_r2", "alpha", "inner_r2")
    }
    alphas = np.asarray(first.parameters["alphas"])
    at_edge = (fields["alpha"] == alphas[0]) | (fields["alpha"] == alphas[-1])
    defined = np.isfinite(fields["alpha"])
    predicted = None
    if first.predictions is not None:
        predicted = np.full_like(first.predictions, np.nan)
        for fold, (_, test) in enumerate(first.folds):
            for layer, result in enumerate(results):
                columns = np.flatnonzero(choice[fold] == layer)
                assert result.predictions is not None
                predicted[np.ix_(test, columns)] = result.predictions[np.ix_(test, columns)]
    return result_of_scores(
        **fields,
        explainable=explainable,
        edge_share=float(at_edge[defined].mean()) if len(alphas) > 1 and defined.any() else 0.0,
        predictions=predicted,
        folds=first.folds,
        parameters=first.parameters,
    )

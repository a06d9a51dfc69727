"""Any metric, by id or callable, against the null that stimuli are paired at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_pair
from brainalign.errors import ChoiceError, InputError
from brainalign.metrics.scorers import MetricLike, evaluated_anew, permuted_scores
from brainalign.metrics.shared import Preparation, matrices
from brainalign.metrics.table import get_metric
from brainalign.stats import Calibrated, PairForm, draw_permutations
from brainalign.stats.best import EQUAL, best_of
from brainalign.stats.crossed import CrossedPermutations, draw_crossed
from brainalign.stats.forms import CrossedForm
from brainalign.stats.permutation import calibrated, calibrated_by_moments

__all__ = ["calibrate", "calibrate_prepared"]

IndexArray = npt.NDArray[np.intp]

PERMUTATIONS, PERMUTATIONS_ANEW = 1000, 200


def calibrate(
    metric: MetricLike | Sequence[MetricLike],
    X: Any,
    Y: Any,
    *,
    n_permutations: int | None = None,
    groups: npt.ArrayLike | None = None,
    permute: str = "within",
    seed: int = 0,
) -> Calibrated:
    """Score two representations against the null that their stimuli are paired at random.

    Parameters
    ----------
    metric : str or callable, or list of them
        Metric id, or any ``metric(X, Y) -> float``. Several (``mutual-knn.k5``, ``mutual-knn.k10``): the best counts.
    X : array-like (n_stimuli, p), or list or mapping of them
        Several (the layers of a network): the best counts.
    Y : array-like (n_stimuli, q)
        Its rows are permuted.
    n_permutations : int, optional
        Sampled permutations. Unless given, p is in closed form where one is known, and else from 1000 permutations, or
        200 of measures that are fitted or evaluated anew for each (encoding, tau, Procrustes). 0 asks for z alone,
        from mean and sd in closed form: p is NaN, and the n³ product that it takes is saved.
    groups, permute
        What may be exchanged; see `brainalign.stats.draw_permutations`.
    seed : int
        Seed of the permutations.

    Returns
    -------
    Calibrated
        ``score``, ``null_mean``, ``null_sd``, ``z``, ``p``, ``excess`` (score less null mean). Under free permutations
        mean and sd of CKA, RSA and mutual kNN are in closed form, and p of CKA and RSA too, by the first three moments
        over all permutations; exchangeability groups take sampled permutations. Encoding is refitted for every
        permutation, alpha chosen anew: permuting against predictions that stay fixed gives too many false positives,
        because folds share training rows.
    CalibratedBest
        With several layers or metrics: the best against the best of the same permutations for all, always sampled, and
        which it was. The best of distances is the smallest.

    Raises
    ------
    ChoiceError, PairingError, NonFiniteError, UndefinedError, InputError
        Unknown id, metrics of which some are higher and some lower when aligned, rows that do not pair, NaN or inf, a
        null without spread, no permutations where no closed form is known.

    Notes
    -----
    Cost: n³ in closed form (CKA, RSA), n² for z alone; n² a permutation (CKA, RSA), n k (mutual kNN), one product of
    n² q a fold (encoding).
    """
    metrics: list[MetricLike] = [metric] if isinstance(metric, str) or callable(metric) else list(metric)
    layers = _layers(X)
    if not metrics or not layers:
        raise InputError("calibrate needs at least one metric and one matrix X.")
    names = ["X" if layer is None else f"layer {layer!r}" for layer in layers]
    pairs = [as_pair(x, Y, names=(name, "Y")) for name, x in zip(names, layers.values(), strict=True)]
    xs = [Preparation(x, name) for name, (x, _) in zip(names, pairs, strict=True)]
    y = Preparation(pairs[0][1], "Y")
    exchange: dict[str, Any] = {"groups": groups, "permute": permute, "seed": seed}
    if len(metrics) == 1 and layers.keys() == {None}:
        return calibrate_prepared(metrics[0], xs[0], y, n_permutations=n_permutations, **exchange)
    lower = _all_lower(metrics)
    count = _count(metrics) if n_permutations is None else n_permutations
    permutations = _drawn(metrics, y.n, count, **exchange)
    parts = [permuted_scores(one, xs, y, permutations, groups) for one in metrics]
    scores, null = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    labels = [_name(layer, one, len(metrics)) for one in metrics for layer in layers]
    return best_of(labels, scores, null, standardize=len(metrics) > 1, lower=lower)


def calibrate_prepared(
    metric: MetricLike,
    x: Preparation,
    y: Preparation,
    *,
    n_permutations: int | None = None,
    groups: npt.ArrayLike | None = None,
    permute: str = "within",
    seed: int = 0,
) -> Calibrated:
    """Calibrate one metric on one representation, both sides prepared; arguments and errors as in `calibrate`."""
    record = None if callable(metric) else get_metric(metric)
    lower = _all_lower([metric])
    moments = None
    if record is not None and record.form is not None and groups is None:
        form: PairForm = record.form
        a, b = x.of(form), y.of(form)
        moments = form.null_moments(a, b)
        if moments is not None and n_permutations == 0:
            return calibrated_by_moments(form.score(a, b), moments, None, y.n, lower=lower)
        skewness = form.null_skewness(a, b) if moments is not None and n_permutations is None else None
        if moments is not None and skewness is not None:
            return calibrated_by_moments(form.score(a, b), moments, skewness, y.n, lower=lower)
    if n_permutations == 0:
        raise InputError(
            f"n_permutations=0 asks for z from a null in closed form; none is known of {metric!r}"
            f"{' with groups' if groups is not None else ''}. Give a positive number, or leave it out."
        )
    count = _count([metric]) if n_permutations is None else n_permutations
    permutations = _drawn([metric], y.n, count, groups=groups, permute=permute, seed=seed)
    scores, null = permuted_scores(metric, [x], y, permutations, groups)
    return calibrated(float(scores[0]), null[0], moments=moments, at_least=EQUAL, lower=lower)


def _count(metrics: Sequence[MetricLike]) -> int:
    return PERMUTATIONS_ANEW if any(evaluated_anew(one) for one in metrics) else PERMUTATIONS


def _drawn(metrics: Sequence[MetricLike], n: int, count: int, **exchange: Any) -> CrossedPermutations | IndexArray:
    """Draw permutations of both sides where a metric scores their pairs at once; all metrics take the same."""
    forms = [None if callable(one) else get_metric(one).form_for(exchange["groups"]) for one in metrics]
    draw = draw_crossed if any(isinstance(form, CrossedForm) for form in forms) else draw_permutations
    return draw(n, count, **exchange)


def _all_lower(metrics: Sequence[MetricLike]) -> bool:
    """Whether small scores are aligned; of a callable large ones are."""
    lower = [not (callable(one) or get_metric(one).higher_is_better) for one in metrics]
    if any(lower) and not all(lower):
        first, other = (str(metrics[lower.index(side)]) for side in (True, False))
        raise ChoiceError(
            f"{first} is lower and {other} higher when aligned: the best of both is not defined; "
            "calibrate metrics of one direction together."
        )
    return all(lower)


def _layers(X: Any) -> dict[Any, Any]:
    if isinstance(X, Mapping):
        return dict(X)
    several = matrices(X)
    return {None: X} if several[0] is X else dict(enumerate(several))


def _name(layer: Any, metric: MetricLike, n_metrics: int) -> Any:
    if n_metrics == 1:
        return layer
    label = metric if isinstance(metric, str) else getattr(metric, "__name__", repr(metric))
    return label if layer is None else (layer, label)

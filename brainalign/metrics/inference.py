"""Intervals and paired comparison of any metric, by id or callable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from brainalign.arrays import as_pair
from brainalign.errors import ChoiceError, InputError, near_names
from brainalign.metrics.scorers import METHODS, MetricLike, Scorer, natural_method
from brainalign.metrics.shared import Preparation, matrices
from brainalign.stats.multiple import holm
from brainalign.stats.resampling import Interval
from brainalign.stats.spread import Spread

__all__ = ["Paired", "paired", "paired_all", "resample"]


@dataclass(frozen=True)
class Paired:
    """Difference of two scores on the same stimuli, first minus second, with interval and two-sided p.

    ``p_holm`` is p corrected over all comparisons made together (`paired_all`).
    """

    difference: float
    low: float
    high: float
    p: float
    se: float = float("nan")
    level: float = 0.95
    p_holm: float = float("nan")


def resample(
    metric: MetricLike,
    X: Any,
    Y: Any,
    *,
    method: str | None = None,
    groups: npt.ArrayLike | None = None,
    n: int | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of a score over stimuli, or over stimuli and subjects.

    Parameters
    ----------
    metric : str or callable
        Metric id, or any ``metric(X, Y) -> float``.
    X : array-like, shape (n_stimuli, p)
    Y : array-like, shape (n_stimuli, q), or list of them
        A list holds subjects: the interval is that of their mean, for new stimuli and new subjects.
    method : {None, "jackknife", "subsample", "bootstrap"}
        ``None`` takes what is right for the metric: the delete-block jackknife for smooth statistics, half-sampling
        without replacement for the rest (neighbours, CCA). ``bootstrap`` is for RSA: stimuli are drawn with
        replacement, and pairs of one stimulus with itself left out.
    groups : array, optional
        Source of each stimulus; groups are left out or drawn whole.
    n : int, optional
        Samples drawn: 200 unless given, or 60 of measures that are fitted or evaluated anew for each.
    level : float
        Nominal coverage.
    seed : int
        Seed of the samples.

    Returns
    -------
    Interval
        ``estimate``, ``low``, ``high``, ``se``.

    Raises
    ------
    ChoiceError
        An unknown id or method, or the bootstrap of a measure for which it is wrong.
    PairingError, NonFiniteError, UndefinedError, InputError
        Rows that do not pair, NaN or inf, a score that some block leaves without value, fewer than 20 samples.
    """
    if method not in (None, *METHODS):
        raise ChoiceError(f"method={method!r} is unknown.{near_names(str(method), METHODS)}")
    return _spread(metric, X, Y, method or natural_method(metric), groups, n, seed).interval(level)


def paired(
    metric: MetricLike,
    X1: Any,
    X2: Any,
    Y: Any,
    *,
    Y2: Any = None,
    groups: npt.ArrayLike | None = None,
    n: int | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Paired:
    """Compare two representations of the same stimuli by their scores.

    Parameters
    ----------
    metric : str or callable
        As in `resample`. Callables are compared by half-sampling, as nothing is known of their smoothness.
    X1, X2 : array-like, shapes (n_stimuli, p1), (n_stimuli, p2)
        Two models; the same matrix twice to compare ROIs.
    Y : array-like (n_stimuli, q), or list of subjects
        Responses that ``X1`` is scored against, and ``X2`` unless ``Y2`` is given.
    Y2 : as ``Y``, optional
        Responses that ``X2`` is scored against: a second ROI.
    groups, n, level, seed
        As in `resample`; the stimuli left out or drawn are the same for both.

    Returns
    -------
    Paired
        ``difference`` (first minus second), ``low``, ``high``, two-sided ``p`` from the same law as the interval.
    """
    method = "subsample" if callable(metric) else natural_method(metric)
    first = _spread(metric, X1, Y, method, groups, n, seed, names=("X1", "Y"))
    second_names = ("X2", "Y" if Y2 is None else "Y2")
    second = _spread(metric, X2, Y if Y2 is None else Y2, method, groups, n, seed, names=second_names)
    return _paired(first.minus(second), level)


def paired_all(
    metric: MetricLike,
    X: Any,
    Y: Any,
    *,
    groups: npt.ArrayLike | None = None,
    n: int | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> dict[tuple[str, str], Paired]:
    """Compare several models, or several ROIs, each with each, p corrected by Holm's method.

    Parameters
    ----------
    X, Y
        As in `paired`, one of the two a mapping of name to matrix (or list of subjects): models or ROIs.
    metric, groups, n, level, seed
        As in `paired`.

    Returns
    -------
    dict
        (first, second) to `Paired`, whose ``p_holm`` is corrected over all.

    Raises
    ------
    InputError
        Unless exactly one of ``X`` and ``Y`` is a mapping, of at least two.
    """
    if isinstance(X, Mapping) == isinstance(Y, Mapping):
        raise InputError("give models as a mapping X, or ROIs as a mapping Y, and one matrix as the other.")
    sides = {name: (x, Y) for name, x in X.items()} if isinstance(X, Mapping) else {k: (X, y) for k, y in Y.items()}
    if len(sides) < 2:
        raise InputError(f"{len(sides)} to compare: give at least two.")
    method = "subsample" if callable(metric) else natural_method(metric)
    spreads = {name: _spread(metric, x, y, method, groups, n, seed) for name, (x, y) in sides.items()}
    names = list(spreads)
    out = {(a, b): _paired(spreads[a].minus(spreads[b]), level) for i, a in enumerate(names) for b in names[i + 1 :]}
    corrected = holm([comparison.p for comparison in out.values()])
    return {pair: replace(out[pair], p_holm=float(p)) for pair, p in zip(out, corrected, strict=True)}


def _paired(difference: Spread, level: float) -> Paired:
    interval = difference.interval(level)
    return Paired(interval.estimate, interval.low, interval.high, difference.p(), interval.se, level)


def _spread(
    metric: MetricLike,
    X: Any,
    Y: Any,
    method: str,
    groups: npt.ArrayLike | None,
    n: int | None,
    seed: int,
    names: tuple[str, str] = ("X", "Y"),
) -> Spread:
    pairs = [as_pair(X, y, names=names) for y in matrices(Y)]
    scorer = Scorer(metric, Preparation(pairs[0][0], names[0]), groups, seed)
    return scorer.spread([Preparation(y, names[1]) for _, y in pairs], method, n)

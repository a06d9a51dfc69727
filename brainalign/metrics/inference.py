"""Calibration, intervals and paired comparison, by metric id or for any callable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from brainalign.arrays import as_pair, to_numpy
from brainalign.encoding import EncodingPlan, make_folds
from brainalign.errors import ChoiceError, near_names
from brainalign.metrics.table import Metric, get_metric
from brainalign.stats import Calibrated, Interval, draw_permutations, jackknife_interval, make_blocks
from brainalign.stats.permutation import PERMUTATIONS, calibrate_callable, calibrate_form, calibrated
from brainalign.stats.resampling import (
    half_samples,
    resample_callable,
    resample_form,
    subsample_interval,
)

__all__ = ["Paired", "calibrate", "calibrate_encoding", "paired", "resample", "resample_encoding"]

FloatArray = npt.NDArray[np.float64]
MetricLike = str | Callable[[Any, Any], float]

ENCODING_FOLDS = 5


@dataclass(frozen=True)
class Paired:
    """Difference of two scores on the same stimuli, first minus second, with interval and two-sided p."""

    difference: float
    low: float
    high: float
    p: float
    se: float = float("nan")
    level: float = 0.95


def calibrate(
    metric: MetricLike,
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
    metric : str or callable
        Metric id, or any ``metric(X, Y) -> float``.
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Rows of ``Y`` are permuted.
    n_permutations : int, optional
        Sampled permutations. Unless given, p is in closed form where one is known, and else from 1000 permutations (200
        where each costs a full evaluation).
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

    Raises
    ------
    ChoiceError, PairingError, NonFiniteError, UndefinedError
        Unknown id, rows that do not pair, NaN or inf, a null without spread.

    Notes
    -----
    Cost: n³ in closed form (CKA, RSA); n² a permutation (CKA, RSA), n k (mutual kNN), one product of n² q a fold
    (encoding).
    """
    x, y = as_pair(X, Y)
    exchange: dict[str, Any] = {"groups": groups, "permute": permute, "seed": seed}
    count = PERMUTATIONS if n_permutations is None else n_permutations
    if callable(metric):
        return calibrate_callable(metric, to_numpy(x), to_numpy(y), n_permutations=count, **exchange)
    record = get_metric(metric)
    form = record.form_for(groups)
    if form is not None:
        a, b = form.prepare(x, name="X"), form.prepare(y, name="Y")
        lower = not record.higher_is_better
        return calibrate_form(form, a, b, len(x), n_permutations=n_permutations, lower=lower, **exchange)
    return calibrate_encoding(record, x, y, n_permutations=count, **exchange)


def calibrate_encoding(
    record: Metric,
    x: Any,
    y: Any,
    *,
    n_permutations: int,
    groups: npt.ArrayLike | None = None,
    permute: str = "within",
    seed: int = 0,
) -> Calibrated:
    """Calibrate an encoding metric on checked matrices: every permutation is fitted anew."""
    plan, targets = _encoding_plan(x, groups, seed), to_numpy(y)
    permutations = draw_permutations(len(x), n_permutations, groups=groups, permute=permute, seed=seed)
    everything = [np.arange(targets.shape[1])]
    null = plan.permuted(targets, permutations, quantity=str(record.quantity), segments=everything).mean(axis=1)[:, 0]
    return calibrated(float(np.nanmean(getattr(plan.fit(targets), str(record.quantity)))), null)


def resample(
    metric: MetricLike,
    X: Any,
    Y: Any,
    *,
    method: str | None = None,
    groups: npt.ArrayLike | None = None,
    n: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of a score over stimuli.

    Parameters
    ----------
    metric : str or callable
        Metric id, or any ``metric(X, Y) -> float``.
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        The representations.
    method : {None, "jackknife", "subsample"}
        ``None`` takes what is right for the metric: the delete-block jackknife for smooth statistics, half-sampling
        without replacement for mutual kNN. Sampling stimuli with replacement would pair a stimulus with itself.
    groups : array, optional
        Source of each stimulus; groups are left out or drawn whole.
    n : int
        Subsamples drawn.
    level : float
        Nominal coverage.
    seed : int
        Seed of the subsamples.

    Returns
    -------
    Interval
        ``estimate``, ``low``, ``high``, ``se``.
    """
    if method not in (None, "jackknife", "subsample"):
        raise ChoiceError(f"method={method!r} is unknown.{near_names(str(method), ['jackknife', 'subsample'])}")
    x, y = as_pair(X, Y)
    arrays = to_numpy(x), to_numpy(y)
    options: dict[str, Any] = {"groups": groups, "level": level}
    if callable(metric):
        return resample_callable(metric, *arrays, method=method or "jackknife", n_samples=n, seed=seed, **options)
    record = get_metric(metric)
    natural = "jackknife" if record.form is None or record.form.smooth else "subsample"
    if method is not None and method != natural:
        return resample_callable(record.function, *arrays, method=method, n_samples=n, seed=seed, **options)
    form = record.form_for(groups)
    if form is not None:
        return resample_form(form, form.prepare(x), form.prepare(y), len(x), n_samples=n, seed=seed, **options)
    return resample_encoding(record, x, y, groups=groups, level=level, seed=seed)


def resample_encoding(
    record: Metric, x: Any, y: Any, *, groups: npt.ArrayLike | None = None, level: float = 0.95, seed: int = 0
) -> Interval:
    """Delete-block jackknife interval of an encoding metric on checked matrices."""
    full, left_out, sizes = _left_out(record, x, y, groups, seed)
    return jackknife_interval(full, left_out, sizes, len(x), level=level)


def paired(
    metric: MetricLike,
    X1: Any,
    X2: Any,
    Y: Any,
    *,
    groups: npt.ArrayLike | None = None,
    n: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Paired:
    """Compare two representations of the same stimuli by their scores against ``Y``.

    Arguments as in `resample`; the stimuli left out or drawn are the same for both. Two ROIs are compared by giving
    them as ``X1`` and ``X2`` and the model as ``Y`` for symmetric measures.

    Returns
    -------
    Paired
        ``difference`` (first minus second), ``low``, ``high``, two-sided ``p``.
    """
    x1, y = as_pair(X1, Y, names=("X1", "Y"))
    x2, _ = as_pair(X2, Y, names=("X2", "Y"))
    record = None if callable(metric) else get_metric(metric)
    if record is None or (record.form is not None and not record.form.smooth):
        interval = _subsampled_difference(metric, record, (x1, x2, y), groups, n, level, seed)
    else:
        first, one, sizes = _left_out(record, x1, y, groups, seed)
        second, two, _ = _left_out(record, x2, y, groups, seed)
        interval = jackknife_interval(first - second, one - two, sizes, len(y), level=level)
    p = float(2 * scipy_stats.norm.sf(abs(interval.estimate) / interval.se)) if interval.se > 0 else float("nan")
    return Paired(interval.estimate, interval.low, interval.high, p, interval.se, level)


def _subsampled_difference(
    metric: MetricLike,
    record: Metric | None,
    tensors: tuple[Any, Any, Any],
    groups: npt.ArrayLike | None,
    n: int,
    level: float,
    seed: int,
) -> Interval:
    function = metric if callable(metric) else record.function if record is not None else None
    assert function is not None  # one of the two is given
    x1, x2, y = (to_numpy(t) for t in tensors)
    samples = half_samples(len(y), n, groups=groups, seed=seed)
    values = [function(x1[rows], y[rows]) - function(x2[rows], y[rows]) for rows in samples]
    full = float(function(x1, y) - function(x2, y))
    return subsample_interval(full, values, [len(rows) for rows in samples], len(y), level=level)


def _left_out(
    record: Metric, x: Any, y: Any, groups: npt.ArrayLike | None, seed: int
) -> tuple[float, FloatArray, Sequence[int]]:
    labels = None if groups is None else np.asarray(groups)
    n = len(x)
    form = record.form_for(groups)
    if form is not None:
        limit = n if labels is None and not form.recomputed else 100
        blocks = make_blocks(n, groups=labels, limit=limit)
        a, b = form.prepare(x), form.prepare(y)
        values = form.leave_blocks_out(a, b, blocks)
        return form.score(a, b), values, [len(block) for block in blocks]
    blocks = make_blocks(n, groups=labels, limit=50)
    fit = _encoding_plan(x, groups, seed).fit(to_numpy(y))
    quantity = str(record.quantity)
    left_out = np.nanmean(fit.leave_blocks_out(blocks, quantity=quantity), axis=(1, 2))
    return float(np.nanmean(getattr(fit, quantity))), left_out, [len(block) for block in blocks]


def _encoding_plan(x: Any, groups: npt.ArrayLike | None, seed: int) -> EncodingPlan:
    labels = None if groups is None else np.asarray(groups)
    return EncodingPlan(x, folds=make_folds(len(x), ENCODING_FOLDS, groups=labels, seed=seed), seed=seed)

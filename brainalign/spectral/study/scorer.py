"""Scores of sentence tasks, as GLUE takes them: eight tasks, from Matthews' correlation to Spearman's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, InputError, ShapeError, near_names

__all__ = ["GLUE_METRICS", "glue_average", "glue_scores", "score"]

FloatArray = npt.NDArray[np.float64]

GLUE_METRICS: dict[str, tuple[str, ...]] = {
    "cola": ("matthews",),
    "sst2": ("accuracy",),
    "mrpc": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "qqp": ("accuracy", "f1"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
}


def score(metric: str, predicted: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """Score predictions by one metric.

    Parameters
    ----------
    metric : {"accuracy", "f1", "matthews", "pearson", "spearman"}
        ``f1`` is that of class 1; ``matthews`` and ``f1`` are 0 where they would divide by zero, a correlation with a
        constant is NaN.
    predicted, true : arrays, shape (n,)
        Classes, or values for correlations.

    Raises
    ------
    ChoiceError, ShapeError, InputError
        Another metric, other lengths, none at all, or values that are not finite.
    """
    p, t = (np.asarray(values, dtype=np.float64) for values in (predicted, true))
    if p.shape != t.shape or p.ndim != 1 or not len(p):
        raise ShapeError(f"one prediction for each of the answers is needed, got shapes {p.shape} and {t.shape}.")
    if not (np.isfinite(p).all() and np.isfinite(t).all()):
        raise InputError("predictions and answers must be finite.")
    if metric == "accuracy":
        return float((p == t).mean())
    if metric == "f1":
        hits = float(((p == 1) & (t == 1)).sum())
        wrong = float(((p == 1) != (t == 1)).sum())
        return 2 * hits / (2 * hits + wrong) if hits + wrong else 0.0
    if metric == "matthews":
        return _matthews(p, t)
    if metric == "pearson":
        return _pearson(p, t)
    if metric == "spearman":
        from scipy.stats import rankdata

        return _pearson(rankdata(p), rankdata(t))
    raise ChoiceError(f"metric {metric!r} is unknown." + near_names(metric, ("accuracy", "f1", "matthews", "pearson")))


def glue_scores(task: str, predicted: npt.ArrayLike, true: npt.ArrayLike) -> dict[str, float]:
    """Score predictions of one GLUE task by its metrics.

    Examples
    --------
    >>> glue_scores("mrpc", [1, 1, 0, 1], [1, 0, 0, 1])
    {'accuracy': 0.75, 'f1': 0.8}
    """
    if task not in GLUE_METRICS:
        raise ChoiceError(f"{task!r} is no GLUE task." + near_names(task, GLUE_METRICS))
    return {metric: score(metric, predicted, true) for metric in GLUE_METRICS[task]}


def glue_average(scores: Mapping[str, Mapping[str, float]]) -> float:
    """Average over tasks, each the mean of its metrics; all tasks that are given count alike.

    MNLI counts once: give the mean of its matched and mismatched accuracy.
    """
    if not scores:
        raise InputError("no scores to average.")
    for task, found in scores.items():
        if task not in GLUE_METRICS or set(found) != set(GLUE_METRICS[task]):
            raise InputError(f"{task}: the metrics {', '.join(GLUE_METRICS.get(task, ()))} are needed.")
    return float(np.mean([np.mean(list(found.values())) for found in scores.values()]))


def _matthews(p: FloatArray, t: FloatArray) -> float:
    classes = np.unique(np.concatenate([p, t]))
    P, T = (np.equal.outer(values, classes).astype(np.float64) for values in (p, t))
    P, T = P - P.mean(axis=0), T - T.mean(axis=0)
    spread = (P * P).sum() * (T * T).sum()
    return float((P * T).sum() / np.sqrt(spread)) if spread > 0 else 0.0


def _pearson(p: FloatArray, t: FloatArray) -> float:
    p, t = p - p.mean(), t - t.mean()
    spread = float(np.sqrt((p * p).sum() * (t * t).sum()))
    return float((p * t).sum() / spread) if spread > 0 else float("nan")

"""Two bare matrices, every measure that applies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from brainalign.arrays import as_pair
from brainalign.errors import BrainalignError
from brainalign.metrics.calibration import calibrate_prepared
from brainalign.metrics.record import Metric
from brainalign.metrics.scorers import Scorer, natural_method
from brainalign.metrics.shared import Preparation
from brainalign.metrics.table import METRICS, get_metric
from brainalign.stats import Calibrated, Interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "compare"]

COLUMNS = (
    "metric",
    "value",
    "low",
    "high",
    "se",
    "chance",
    "null_mean",
    "null_sd",
    "z",
    "p",
    "excess",
    "n_permutations",
    "interval",
    "direction",
    "n_stimuli",
    "reason",
)


def compare(
    X: Any,
    Y: Any,
    *,
    metrics: str | Sequence[str] | None = None,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare two matrices of the same stimuli by every measure that applies.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Rows are the same stimuli in the same order. Encoding predicts ``Y`` from ``X``.
    metrics : str or sequence of str, optional
        Metric ids; all of the table unless given. Those that would take long at this size are then left undone, and
        their row says so; named, they are computed.
    groups : array of length n_stimuli, optional
        Source of each stimulus: left out, drawn and permuted within as wholes.
    seed : int
        Of permutations and subsamples.

    Returns
    -------
    DataFrame
        One row a metric: ``value``; 95 % interval ``low``, ``high``, its ``se``, and how it was made (``interval``);
        ``chance``, the expectation for unrelated matrices where it is known without data; ``null_mean``, ``null_sd``,
        ``z``, ``p`` of the permutation null; ``excess``, the value less the null mean; ``direction``; ``n_stimuli``.
        What is undefined is NaN, with the ``reason``.

    Raises
    ------
    ChoiceError
        For an unknown id.
    PairingError, InputError, ShapeError, NonFiniteError
        Rows that do not pair, values that cannot be used.

    Notes
    -----
    RDMs and neighbour lists are made once for all measures that need them. Cost: dominated by measures whose every
    resample is a full evaluation (Kendall's tau, Procrustes, CCA, soft matching, Gromov-Wasserstein).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(40, 5))
    >>> compare(X, X + 1, metrics=["cka.linear.debiased", "mutual-knn.k5"])["value"].round(3).tolist()
    [1.0, 0.665]
    """
    import pandas as pd

    x, y = as_pair(X, Y)
    named = [metrics] if isinstance(metrics, str) else metrics
    records = [get_metric(name) for name in named] if named is not None else list(METRICS.values())
    sides = Preparation(x, "X"), Preparation(y, "Y")
    rows = [_row(record, *sides, groups, seed, asked=named is not None) for record in records]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    record: Metric, x: Preparation, y: Preparation, groups: npt.ArrayLike | None, seed: int, *, asked: bool
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, float("nan"))
    row |= {"metric": record.id, "direction": record.direction, "n_stimuli": y.n, "chance": record.chance(y.n)}
    row |= {"n_permutations": 0, "interval": "", "reason": ""}
    if not asked and not record.unasked(y.n, x.X.shape[1], y.X.shape[1]):
        return row | {"reason": f"takes long at this size; metrics={record.id!r} computes it"}
    try:
        scorer = Scorer(record.id, x, groups, seed)
        row["value"] = scorer.score(y)
    except BrainalignError as error:
        return row | {"reason": f"value: {error}"}
    reasons = []
    try:
        row |= _interval_cells(scorer.spread([y], natural_method(record.id)).interval())
    except BrainalignError as error:
        reasons.append(f"interval: {error}")
    try:
        row |= _null_cells(calibrate_prepared(record.id, x, y, groups=groups, seed=seed))
    except BrainalignError as error:
        reasons.append(f"z and p: {error}")
    return row | {"reason": "; ".join(reasons)}


def _interval_cells(interval: Interval) -> dict[str, Any]:
    return {"low": interval.low, "high": interval.high, "se": interval.se, "interval": interval.method}


def _null_cells(null: Calibrated) -> dict[str, Any]:
    names = ("null_mean", "null_sd", "z", "p", "excess", "n_permutations")
    return {name: getattr(null, name) for name in names}

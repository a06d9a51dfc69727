"""Two bare matrices, every measure that applies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_pair
from brainalign.errors import BrainalignError
from brainalign.metrics.inference import calibrate_encoding, resample_encoding
from brainalign.metrics.record import Metric
from brainalign.metrics.shared import Preparation
from brainalign.metrics.table import METRICS, get_metric
from brainalign.stats import Calibrated, Interval
from brainalign.stats.permutation import calibrate_form
from brainalign.stats.resampling import resample_form

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
ENCODING_PERMUTATIONS = 200
HALVES, RECOMPUTED_HALVES = 200, 60


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
        Of permutations, subsamples and folds.

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
    >>> X = np.random.default_rng(0).normal(size=(40, 5))
    >>> compare(X, X + 1, metrics=["cka.linear.debiased", "mutual-knn.k5"])["value"].round(3).tolist()
    [1.0, 0.665]
    """
    import pandas as pd

    x, y = as_pair(X, Y)
    named = [metrics] if isinstance(metrics, str) else metrics
    records = [get_metric(name) for name in named] if named is not None else list(METRICS.values())
    sides = Preparation(x, "X"), Preparation(y, "Y")
    rows = [_row(record, x, y, sides, groups, seed, asked=named is not None) for record in records]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    record: Metric,
    x: torch.Tensor,
    y: torch.Tensor,
    sides: tuple[Preparation, Preparation],
    groups: npt.ArrayLike | None,
    seed: int,
    *,
    asked: bool,
) -> dict[str, Any]:
    n = len(x)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, float("nan"))
    row |= {"metric": record.id, "direction": record.direction, "n_stimuli": n, "chance": record.chance(n)}
    row |= {"n_permutations": 0, "interval": "", "reason": ""}
    if not asked and not record.unasked(n, x.shape[1], y.shape[1]):
        return row | {"reason": f"takes long at this size; metrics={record.id!r} computes it"}
    reasons, form = [], record.form_for(groups)
    try:
        if form is None:
            interval = resample_encoding(record, x, y, groups=groups, seed=seed)
        else:
            a, b = (side.of(form) for side in sides)
            row["value"] = form.score(a, b)
            halves = RECOMPUTED_HALVES if form.recomputed else HALVES
            interval = resample_form(form, a, b, n, groups=groups, n_samples=halves, seed=seed)
        row |= _interval_cells(interval)
    except BrainalignError as error:
        reasons.append(f"{'interval' if np.isfinite(row['value']) else 'value'}: {error}")
    if np.isfinite(row["value"]):
        try:
            if form is None:
                null = calibrate_encoding(record, x, y, n_permutations=ENCODING_PERMUTATIONS, groups=groups, seed=seed)
            else:
                lower = not record.higher_is_better
                null = calibrate_form(form, a, b, n, groups=groups, seed=seed, lower=lower)
            row |= _null_cells(null)
        except BrainalignError as error:
            reasons.append(f"z and p: {error}")
    return row | {"reason": "; ".join(reasons)}


def _interval_cells(interval: Interval) -> dict[str, Any]:
    cells: dict[str, Any] = {"value": interval.estimate}
    if np.isfinite(interval.se):
        cells |= {"low": interval.low, "high": interval.high, "se": interval.se, "interval": interval.method}
    return cells


def _null_cells(null: Calibrated) -> dict[str, Any]:
    names = ("null_mean", "null_sd", "z", "p", "excess", "n_permutations")
    return {name: getattr(null, name) for name in names}

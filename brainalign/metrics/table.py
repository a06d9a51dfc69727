"""THE table of metrics: one record each; commands, docs, contract tests and result ids are derived from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainalign.encoding import encode
from brainalign.errors import ChoiceError, near_names
from brainalign.metrics.composed_records import composed_records
from brainalign.metrics.record import POINTS, Metric, unknown, zero
from brainalign.metrics.similarity_records import similarity_records

__all__ = ["METRICS", "Metric", "get_metric"]


def _encoding(quantity: str, bounds: tuple[float, float]) -> Metric:
    def function(X: Any, Y: Any) -> float:
        return float(np.nanmean(getattr(encode(X, Y), quantity)))

    return Metric(
        id=f"encoding.ridge.{quantity}",
        version=1,
        family="encoding",
        title=f"Held-out {quantity} of ridge regression, mean over neuroids",
        function=function,
        form=None,
        quantity=quantity,
        bounds=bounds,
        chance=zero,
        invariances=frozenset({"translation", "scale", "permutation"}),
        applies_to=POINTS,
        cost="n² p + n³ a fold for the decomposition, n² v a fold for all targets",
        source="ridge with generalised cross-validation: Golub et al. 1979, doi:10.1080/00401706.1979.10489751",
        params={"selection": "gcv", "standardize": True},
        identity=unknown,
        symmetric=False,
    )


def _table() -> dict[str, Metric]:
    rows = [
        _encoding("r", (-1.0, 1.0)),
        _encoding("r2", (-np.inf, 1.0)),
        *composed_records(),
        *similarity_records(),
    ]
    return {metric.id: metric for metric in rows}


METRICS: dict[str, Metric] = _table()


def get_metric(metric_id: str) -> Metric:
    """Return the record of a metric.

    Raises
    ------
    ChoiceError
        For an unknown id, with near names.
    """
    if metric_id not in METRICS:
        raise ChoiceError(f"metric {metric_id!r} is unknown.{near_names(metric_id, METRICS)}")
    return METRICS[metric_id]

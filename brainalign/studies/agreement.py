"""Do the measures agree? Rank correlation between measures over models and layers, from result files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from brainalign.errors import InputError
from brainalign.metrics.record import LOWER
from brainalign.results import iter_results
from brainalign.results.schema import SELECTED

__all__ = ["measure_agreement", "measure_table"]

LEAST_SHARED = 3


def measure_table(
    results: str | Path, benchmarks: str | Sequence[str], *, rows: str = "layers", roi: str | None = None
) -> pd.DataFrame:
    """Collect what every measure says of every model, from result files of one dataset.

    Parameters
    ----------
    results : path
        Root of the results.
    benchmarks : str or sequence of str
        Ids of benchmarks of the same responses, which may share the measures between them.
    rows : {"layers", "selected"}
        One row for each layer of each model, or one for each model: the layer chosen on other stimuli.
    roi : str, optional
        Of this region only; default the mean over all.

    Returns
    -------
    DataFrame
        Columns: metric ids. Mean over subjects and regions; distances have their sign turned, so that more is more
        aligned everywhere. NaN where a score is undefined or absent.

    Raises
    ------
    InputError
        If there is no such result, ``rows`` is unknown, or a measure occurs in several of the benchmarks.
    """
    if rows not in ("layers", "selected"):
        raise InputError(f"rows={rows!r}: give 'layers' or 'selected'.")
    wanted = [benchmarks] if isinstance(benchmarks, str) else list(benchmarks)
    found: dict[str, str] = {}
    lines = []
    for _, result in iter_results(results):
        if result.benchmark.id not in wanted:
            continue
        metric, model = result.metric.id, f"{result.embedding.model}@{result.embedding.revision}"
        if found.setdefault(metric, result.benchmark.id) != result.benchmark.id:
            raise InputError(f"{metric} was scored on {found[metric]} and on {result.benchmark.id}; name one of them.")
        for row in result.rows:
            if (row.layer == SELECTED) == (rows == "selected") and roi in (None, row.roi):
                value = np.nan if row.value is None else row.value
                lines.append((model, row.layer, metric, -value if row.direction == LOWER else value))
    if not lines:
        raise InputError(f"no result below {results} is of {', '.join(wanted)}{'' if roi is None else f' and {roi}'}.")
    long = pd.DataFrame(lines, columns=["model", "layer", "metric", "value"])
    # a mean over fewer subjects than others have would not compare
    means = long.groupby(["model", "layer", "metric"])["value"].agg(lambda part: part.mean(skipna=False))
    return pd.DataFrame(means.unstack("metric"))


def measure_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return Kendall's tau-b between all columns of a `measure_table`, each over the rows that both have.

    One means that two measures order the rows alike. Rows are layers of the same networks, or networks of one family:
    they are no independent sample, and no p is given. NaN where two measures share fewer than three rows.
    """
    values = table.to_numpy(dtype=np.float64)
    n = values.shape[1]
    tau = np.full((n, n), np.nan)
    for i in range(n):
        for j in range(i + 1):
            both = np.isfinite(values[:, i]) & np.isfinite(values[:, j])
            if both.sum() >= LEAST_SHARED:
                tau[i, j] = tau[j, i] = kendalltau(values[both, i], values[both, j]).statistic
    return pd.DataFrame(tau, index=table.columns, columns=table.columns)

"""What the page shows of one model beside its scores: layers by region, the layers chosen, provenance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainalign.leaderboard.collect import MetricKey, Model
from brainalign.leaderboard.table import Column

__all__ = ["Pool", "chosen_layers", "heat_maps", "metric_label", "provenance", "short"]


def metric_label(metric: MetricKey) -> str:
    """Return the metric with its version, as in the names of result files."""
    return f"{metric[0]}.v{metric[1]}"


def short(value: float | None, digits: int = 5) -> float | None:
    """Round to significant digits: the page shows three decimals, the data files keep all."""
    return None if value is None else float(f"{value:.{digits}g}")


class Pool:
    """Values that many results share (package versions, parameters), held once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._known: dict[str, int] = {}

    def put(self, value: Any) -> Any:
        """Return a short value itself, else a reference to the one copy of it."""
        if not isinstance(value, dict | list) and not (isinstance(value, str) and len(value) > 24):
            return value
        text = json.dumps(value, sort_keys=True, default=str)
        if text not in self._known:
            self._known[text] = len(self.values)
            self.values.append(json.loads(text))
        return {"pooled": self._known[text]}


def chosen_layers(model: Model, column: Column) -> str | None:
    """Say which layer was chosen in how many of the training folds, over all subjects."""
    entry = model.entries.get(column.metric)
    region = None if entry is None else entry.regions.get(column.roi)
    if region is None or not region.choice:
        return None
    total = sum(n for _, n in region.choice)
    listed = [f"{layer} ({n} of {total})" for layer, n in region.choice[:3]]
    more = len(region.choice) - len(listed)
    return ", ".join(listed) + (f", {more} more" if more > 0 else "")


def heat_maps(model: Model, columns: Sequence[Column], pool: Pool) -> list[dict[str, Any]]:
    """Return layers x regions for each metric, mean over subjects; null where a subject has no value.

    Values are whole multiples of ``unit``, to four digits of the largest: half the size of decimals.
    """
    maps = []
    for metric in dict.fromkeys(column.metric for column in columns):
        entry = model.entries.get(metric)
        if entry is None or not entry.layers.layers:
            continue
        own = [column for column in columns if column.metric == metric]
        values = np.full((len(entry.layers.layers), len(own)), np.nan)
        for j, column in enumerate(own):
            region = entry.regions.get(column.roi)
            if region is not None and region.subjects == column.subjects:
                values[:, j] = entry.layers.values[:, entry.layers.rois.index(column.roi)]
        largest = float(np.nanmax(np.abs(values), initial=0.0))
        unit = 10.0 ** (np.ceil(np.log10(largest)) - 4) if largest > 0 else 1.0
        whole = np.round(values / unit)
        maps.append(
            {
                "metric": metric_label(metric),
                "rois": pool.put([column.roi for column in own]),
                "layers": pool.put(list(entry.layers.layers)),
                "unit": float(f"{unit:.0e}"),
                "values": [[None if np.isnan(v) else int(v) for v in row] for row in whole],
            }
        )
    return maps


def provenance(model: Model, pool: Pool) -> list[dict[str, Any]]:
    """Return, for each metric, what made the result: code, versions, hashes, device, seconds."""
    described = []
    for metric, entry in sorted(model.entries.items()):
        result = entry.result
        facts: list[tuple[str, Any]] = [
            ("code", "uncommitted" if entry.uncommitted else "committed"),
            ("embedding sha256", result.embedding.entry_sha256),
            ("benchmark sha256", result.benchmark.sha256),
            ("data", [f"{item.subject} {item.variant} {item.entry_sha256}" for item in result.benchmark.data]),
            ("blocks", None if result.files is None else f"{result.files.blocks.name} {result.files.blocks.sha256}"),
            ("protocol", result.protocol),
            *result.provenance.items(),
        ]
        described.append({"metric": metric_label(metric), "facts": [(name, pool.put(v)) for name, v in facts]})
    return described

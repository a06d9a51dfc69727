"""What the page shows of one model beside its scores: layers by region, the layers chosen, provenance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from brainalign.leaderboard.collect import SELECTED, Entry, MetricKey, Model
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
        if not isinstance(value, dict | list):
            return value
        text = json.dumps(value, sort_keys=True, default=str)
        if text not in self._known:
            self._known[text] = len(self.values)
            self.values.append(json.loads(text))
        return {"pooled": self._known[text]}


def chosen_layers(model: Model, column: Column) -> str | None:
    """Say which layer was chosen in how many of the training folds, over all subjects."""
    entry = model.entries.get(column.metric)
    if entry is None:
        return None
    choices = Counter(layer for row in entry.selected if row.roi == column.roi for layer in row.choice or ())
    total = choices.total()
    listed = [f"{layer} ({n} of {total})" for layer, n in choices.most_common(3)]
    more = len(choices) - len(listed)
    return ", ".join(listed) + (f", {more} more" if more > 0 else "") if listed else None


def heat_maps(model: Model, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return layers x regions for each metric, mean over subjects; null where a subject has no value."""
    maps = []
    for metric in dict.fromkeys(column.metric for column in columns):
        entry = model.entries.get(metric)
        if entry is None:
            continue
        rois = [column.roi for column in columns if column.metric == metric]
        layers, values = _layer_means(entry, {c.roi: c.subjects for c in columns if c.metric == metric})
        if layers:
            maps.append({"metric": metric_label(metric), "rois": rois, "layers": layers, "values": values})
    return maps


def _layer_means(entry: Entry, subjects: dict[str, tuple[str, ...]]) -> tuple[list[str], list[list[float | None]]]:
    found = {(row.layer, row.roi, row.subject): row.value for row in entry.result.rows if row.layer != SELECTED}
    layers = list(dict.fromkeys(layer for layer, _, _ in found))

    def mean(layer: str, roi: str) -> float | None:
        values = [found.get((layer, roi, subject)) for subject in subjects[roi]]
        known = [value for value in values if value is not None]
        return short(sum(known) / len(known), 4) if known and len(known) == len(values) else None

    return layers, [[mean(layer, roi) for roi in subjects] for layer in layers]


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

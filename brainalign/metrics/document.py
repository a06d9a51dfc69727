"""The page of metrics, from their table: ``python -m brainalign.metrics.document > docs/metrics.md``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

from brainalign.metrics.record import INVARIANCES, Metric
from brainalign.metrics.table import METRICS

__all__ = ["metrics_page"]

N_STIMULI = 100

_INTRODUCTION = f"""# Metrics

Made from the table of metrics by `python -m brainalign.metrics.document > docs/metrics.md`; a test compares the two.

- **Identity** is the value of a representation with itself, **chance** the expectation for unrelated ones, both at
  {N_STIMULI} stimuli. "–": depends on the data. A value without known chance is read by its excess over the mean of its
  permutation null, its z and its p.
- **Invariant to** what the units of either side may undergo (encoding: of the responses): adding one vector to all
  stimuli (t), one factor (s), another order of units (p), a rotation (o), any invertible linear map (l). Declared ones
  hold, and those that are not declared break, in `tests/property`.
- **Sym.**: whether the two sides can be swapped. **RDM**: whether responses that exist only as RDMs can be scored.
- **Null**: how mean and standard deviation (z), and p, of free permutations are known: in closed form over all of them,
  or from those sampled. **Interval**: the jackknife that leaves out stimuli, or half-sampling where that is not valid.

A lower-case name after `rsa.` is the distance, then the comparator; `k` is the number of neighbours.
"""


def metrics_page() -> str:
    """Return ``docs/metrics.md``: one section a family of ids, one row a metric."""
    families: dict[str, list[Metric]] = {}
    for metric in METRICS.values():
        families.setdefault(metric.id.split(".")[0], []).append(metric)
    return "\n".join([_INTRODUCTION, *(_section(name, metrics) for name, metrics in families.items())])


def _section(name: str, metrics: list[Metric]) -> str:
    head = ("id", "what", "better", "bounds", "identity", "chance", "invariant to", "sym.", "RDM", "null", "interval")
    costs, sources = (_distinct(getattr(metric, field) for metric in metrics) for field in ("cost", "source"))
    lines = [f"## {name}", "", _line(head), _line("---" for _ in head)]
    lines += [_line(_cells(metric)) for metric in metrics]
    return "\n".join([*lines, "", f"Cost: {'; '.join(costs)}.", "", f"Source: {'; '.join(sources)}.", ""])


def _cells(metric: Metric) -> Iterable[str]:
    yield f"`{metric.id}`"
    yield metric.title
    yield "higher" if metric.higher_is_better else "lower"
    yield f"{_number(metric.bounds[0])} to {_number(metric.bounds[1])}"
    yield _number(metric.identity(N_STIMULI))
    yield _number(metric.chance(N_STIMULI))
    yield "".join(name[0] for name in INVARIANCES if name in metric.invariances)
    yield "yes" if metric.symmetric else "no"
    yield "yes" if "rdms" in metric.applies_to else "no"
    yield _null(metric)
    yield "jackknife" if metric.form is None or metric.form.smooth else "half-sampling"


def _null(metric: Metric) -> str:
    if metric.form is None or metric.form.recomputed:
        return "z, p sampled"
    import torch

    X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    a = metric.form.prepare(X)
    if metric.form.null_moments(a, a) is None:
        return "z, p sampled"
    return "z, p closed" if metric.form.null_skewness(a, a) is not None else "z closed, p sampled"


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    return ("∞" if value > 0 else "-∞") if math.isinf(value) else f"{value:.3g}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(part for text in texts for part in text.split("; ")))


if __name__ == "__main__":
    sys.stdout.write(metrics_page())

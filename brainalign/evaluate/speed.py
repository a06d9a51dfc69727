"""How fast this machine scores: a short measurement, so that a plan can give a time."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainalign.benchmarks import Benchmark
from brainalign.evaluate.cost import Sizes, family_of, operations, sizes_of
from brainalign.evaluate.encoding_cells import encoding_cells
from brainalign.evaluate.panels import Panel, Subject
from brainalign.evaluate.similarity_cells import similarity_cells
from brainalign.evaluate.units import Unit
from brainalign.metrics import get_metric
from brainalign.stats import as_repeats

__all__ = ["Estimate", "estimate"]

_LARGEST_N = 400
_LAYERS, _REGIONS, _NEUROIDS, _WIDTH, _REPEATS = 1, 3, 100, 512, 3


@dataclass(frozen=True)
class Estimate:
    """Seconds of all units on one thread, by family, and operations a second by family as measured."""

    seconds: dict[str, float]
    rates: dict[str, float]
    measured_in: float

    @property
    def total(self) -> float:
        """Seconds of all units, one after the other."""
        return sum(self.seconds.values())


def estimate(units: Sequence[Unit]) -> Estimate:
    """Measure every family once on random numbers of smaller size, and scale by the counted operations.

    Takes some seconds for each family. Reading is not counted.
    """
    started = time.perf_counter()
    rates: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for unit in units:
        family = family_of(unit)
        if unit.subjects[0].kind != "responses":
            continue
        if family not in rates:
            rates[family] = _rate(family, unit)
        seconds[family] = seconds.get(family, 0.0) + operations(family, sizes_of(unit)) / rates[family]
    return Estimate(seconds, rates, time.perf_counter() - started)


def _rate(family: str, unit: Unit) -> float:
    s = sizes_of(unit)
    small = dataclasses.replace(
        s,
        n=min(s.n, _LARGEST_N),
        widths=(min(max(s.widths), _WIDTH),) * min(len(s.widths), _LAYERS),
        rois=_REGIONS,
        neuroids=_REGIONS * _NEUROIDS,
    )
    panel = _panel(small, unit.benchmark)
    began = time.perf_counter()
    metrics = [get_metric(name) for name in unit.metrics]
    if family == "encoding":
        encoding_cells(panel, metrics)
    else:
        similarity_cells(panel, metrics[0])
    return operations(family, small) / (time.perf_counter() - began)


def _panel(s: Sizes, benchmark: Benchmark) -> Panel:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((s.n, 10))
    layers = {
        f"layer{i}": (code @ rng.standard_normal((10, width)) + rng.standard_normal((s.n, width))).astype(np.float32)
        for i, width in enumerate(s.widths)
    }
    signal = code @ rng.standard_normal((10, s.neuroids))
    presented = signal[:, None, :] + rng.standard_normal((s.n, _REPEATS, s.neuroids))
    repeats = as_repeats(presented.astype(np.float32))
    rois = {f"r{i}": part for i, part in enumerate(np.array_split(np.arange(s.neuroids), s.rois))}
    averaged = presented.mean(axis=1).astype(np.float32)
    # a hash of its own, so that what is prepared here is never taken for anything else
    sha256 = f"probe-{uuid.uuid4().hex}"
    subject = Subject("probe", "", sha256, "responses", rois, averaged, repeats)
    plain = benchmark.model_copy(update={"split": None, "groups": None})
    stimuli = np.array([f"s{i}" for i in range(s.n)], dtype=object)
    return Panel(stimuli, None, layers, [subject], plain, "probe")

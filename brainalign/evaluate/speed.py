"""How fast this machine scores: a short measurement, so that a plan can give a time."""

from __future__ import annotations

import dataclasses
import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brainalign.benchmarks import Benchmark
from brainalign.evaluate.cost import Sizes, family_of, operations, sizes_of, subject_operations
from brainalign.evaluate.encoding_cells import encoding_cells
from brainalign.evaluate.panels import Panel
from brainalign.evaluate.similarity_cells import similarity_cells
from brainalign.evaluate.subjects import Subject
from brainalign.evaluate.units import Unit
from brainalign.metrics import get_metric
from brainalign.stats import as_repeats

__all__ = ["Estimate", "estimate"]

Count = Callable[[str, Sizes], float]

_TINY, _SMALL, _LARGE = 60, 200, 500  # stimuli of the probes
_FEW = {"n_permutations": 20, "encoding_permutations": 20, "half_samples": 20, "blocks": 10}
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


@dataclass(frozen=True)
class _Speed:
    """Seconds of a probe, and how they grow with the operations when the number of stimuli grows."""

    family: str
    count: Count
    probe: Sizes
    seconds: float
    exponent: float

    @classmethod
    def of_probes(cls, family: str, count: Count, sizes: tuple[Sizes, Sizes], seconds: tuple[float, float]) -> _Speed:
        """From the seconds of a small probe and a large one."""
        small, large = sizes
        more = math.log(count(family, large) / count(family, small))
        exponent = math.log(max(seconds[1], 1e-6) / max(seconds[0], 1e-6)) / more if more > 0 else 1.0
        return cls(family, count, large, seconds[1], min(1.0, max(0.3, exponent)))

    def of(self, s: Sizes) -> float:
        """Seconds of some sizes: grown in stimuli as measured, in everything else in proportion."""
        taller = self.count(self.family, dataclasses.replace(self.probe, n=s.n))
        grown = math.pow(taller / self.count(self.family, self.probe), self.exponent)
        return self.seconds * grown * self.count(self.family, s) / taller


def estimate(units: Sequence[Unit]) -> Estimate:
    """Measure every family on random numbers of two smaller sizes, and extrapolate by the counted operations.

    What a family makes of subjects is counted once, though every worker makes it. Takes some seconds for each family.
    Reading is not counted, and RDMs are not measured.
    """
    started = time.perf_counter()
    speeds: dict[str, tuple[_Speed, _Speed]] = {}
    seconds: dict[str, float] = {}
    prepared: set[tuple[str, ...]] = set()
    for unit in units:
        family = family_of(unit)
        if unit.subjects[0].kind != "responses":
            continue
        if family not in speeds:
            speeds[family] = _measured(family, unit)
        own, of_subjects = speeds[family]
        block = (family, *(subject.entry_sha256 for subject in unit.subjects))
        taken = own.of(sizes_of(unit)) + (0.0 if block in prepared else of_subjects.of(sizes_of(unit)))
        prepared.add(block)
        seconds[family] = seconds.get(family, 0.0) + taken
    rates = {family: operations(family, own.probe) / own.seconds for family, (own, _) in speeds.items()}
    return Estimate(seconds, rates, time.perf_counter() - started)


def _measured(family: str, unit: Unit) -> tuple[_Speed, _Speed]:
    """Speeds of what an embedding takes, and of what its subjects take once."""
    s = sizes_of(unit)
    large = dataclasses.replace(
        s,
        n=min(s.n, _LARGE),
        widths=(min(max(s.widths), _WIDTH),) * min(len(s.widths), _LAYERS),
        rois=_REGIONS,
        neuroids=_REGIONS * _NEUROIDS,
    )
    small = dataclasses.replace(large, n=min(s.n, _SMALL))
    tiny = dataclasses.replace(large, n=min(s.n, _TINY), rois=1, neuroids=10)
    # what is imported and compiled on first use
    _seconds(_panel(tiny, unit.benchmark.model_copy(update=_FEW)), unit)
    first, again = [], []
    for sizes in (small, large):
        panel = _panel(sizes, unit.benchmark)
        first.append(_seconds(panel, unit))
        again.append(
            _seconds(dataclasses.replace(panel, layers=_layers(sizes, seed=1), embedding_sha256="other"), unit)
        )
    probes = small, large
    own = _Speed.of_probes(family, operations, probes, (again[0], again[1]))
    more = (max(first[0] - again[0], 0.0), max(first[1] - again[1], 0.0))
    return own, _Speed.of_probes(family, subject_operations, probes, more)


def _seconds(panel: Panel, unit: Unit) -> float:
    metrics = [get_metric(name) for name in unit.metrics]
    began = time.perf_counter()
    if metrics[0].family == "encoding":
        encoding_cells(panel, metrics)
    else:
        similarity_cells(panel, metrics[0])
    return time.perf_counter() - began


def _layers(s: Sizes, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    code = np.random.default_rng(0).standard_normal((s.n, 10))  # that of the responses
    return {
        f"layer{i}": (code @ rng.standard_normal((10, width)) + rng.standard_normal((s.n, width))).astype(np.float32)
        for i, width in enumerate(s.widths)
    }


def _panel(s: Sizes, benchmark: Benchmark) -> Panel:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((s.n, 10))
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
    return Panel(stimuli, None, _layers(s, seed=2), [subject], plain, "probe")

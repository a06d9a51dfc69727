"""Units of scoring: some subjects, one family of metrics, all layers; what a worker computes in one go."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from brainalign.benchmarks import Benchmark
from brainalign.errors import ScheduleError
from brainalign.evaluate.cells import Cell, block_table, result_row
from brainalign.evaluate.encoding_cells import encoding_cells
from brainalign.evaluate.inputs import EmbeddingInput, SubjectInput
from brainalign.evaluate.panels import HeldSubjects, Panel, load_panels
from brainalign.evaluate.similarity_cells import similarity_cells
from brainalign.metrics import Metric, get_metric
from brainalign.results import environment
from brainalign.store import Finding, Store

__all__ = ["Part", "Unit", "compute_unit", "forget_panels", "make_units", "subject_blocks"]

Tick = Callable[[str, int], None]

TARGETS_PER_STIMULUS = 4
"""Neuroids for each stimulus from which on a block of subjects shares enough: the decomposition of a layer costs some
n³ operations, its use for v neuroids some n² v."""


@dataclass(frozen=True)
class Part:
    """The rows of one metric for the subjects of one unit, and the tables beside them."""

    rows: list[dict[str, Any]]
    blocks: pd.DataFrame
    neuroids: pd.DataFrame | None
    seconds: float
    environment: dict[str, Any]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Unit:
    """One unit of scoring.

    All layers stay together, since the ``selected`` row compares them, and all encoding metrics, since they share the
    decompositions. ``code`` says which code and packages compute it.
    """

    embedding: EmbeddingInput
    benchmark: Benchmark
    subjects: tuple[SubjectInput, ...]
    metrics: tuple[str, ...]
    store: Store = field(repr=False)
    code: dict[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        """The unit in words."""
        family = "encoding" if get_metric(self.metrics[0]).family == "encoding" else self.metrics[0]
        names = [subject.name for subject in self.subjects]
        return f"{self.embedding.name} on {self.benchmark.key}, {family}, {_span(names)}"

    @property
    def n_cells(self) -> int:
        """Layers x regions of subjects x metrics."""
        return len(self.embedding.layers) * sum(len(s.rois) for s in self.subjects) * len(self.metrics)

    def key(self, metrics: Sequence[str] | None = None) -> str:
        """Hash of everything that decides the outcome, of all metrics or of some."""
        named = [get_metric(name) for name in metrics or self.metrics]
        content = {
            "embedding": [self.embedding.model, self.embedding.revision, self.embedding.entry_sha256],
            "benchmark": [self.benchmark.id, self.benchmark.version, self.benchmark.fields()],
            "subjects": [[s.name, s.variant, s.entry_sha256, s.split] for s in self.subjects],
            "metrics": [[metric.id, metric.version, dict(metric.params)] for metric in named],
            "code": self.code,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def _span(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def subject_blocks(subjects: Sequence[SubjectInput], *, largest: int | None = None) -> list[tuple[SubjectInput, ...]]:
    """Put subjects, in order, into blocks that are worth a decomposition of their own.

    A block is full once it holds four neuroids for each stimulus, so small data stay in one. Subjects with RDMs alone
    stay together: they are each other's ceiling. ``largest``: subjects in a block, where memory is short.
    """
    if any(subject.kind != "responses" for subject in subjects):
        return [tuple(subjects)]
    blocks: list[list[SubjectInput]] = [[]]
    for subject in subjects:
        held = sum(s.n_neuroids for s in blocks[-1])
        full = blocks[-1] and held >= TARGETS_PER_STIMULUS * max(s.n_stimuli for s in blocks[-1])
        if full or (largest is not None and len(blocks[-1]) == largest):
            blocks.append([])
        blocks[-1].append(subject)
    return [tuple(block) for block in blocks]


def make_units(
    embedding: EmbeddingInput,
    benchmark: Benchmark,
    blocks: Sequence[tuple[SubjectInput, ...]],
    metrics: Sequence[Metric],
    store: Store,
    code: dict[str, Any],
) -> list[Unit]:
    """Return the units of some metrics, block by block."""
    encoding = tuple(metric.id for metric in metrics if metric.family == "encoding")
    families = [encoding] if encoding else []
    families += [(metric.id,) for metric in metrics if metric.family != "encoding"]
    return [Unit(embedding, benchmark, block, family, store, code) for block in blocks for family in families]


def compute_unit(unit: Unit, tick: Tick) -> dict[str, Part]:
    """Read, join and measure; return a part for each metric of the unit.

    Raises
    ------
    ScheduleError
        On a worker with other versions than the client's: its numbers could differ in silence.
    JoinError, StoreError, ChoiceError
        As in `score`.
    """
    here = environment()
    _same_versions(unit.code.get("packages", {}), here["packages"])
    started = time.perf_counter()
    panels = _panels(unit)
    metrics = [get_metric(name) for name in unit.metrics]
    if metrics[0].family != "encoding":
        metric = metrics[0]
        cells = [similarity_cells(panel, metric, lambda done: tick(metric.id, done)) for panel in panels]
        return {metric.id: _part(unit, metric, panels, cells, None, started, here)}
    steps = len(metrics)
    parts = [encoding_cells(panel, metrics, lambda done: tick("encoding", steps * done)) for panel in panels]
    neuroids = pd.concat([part.neuroids for part in parts], ignore_index=True)
    return {
        metric.id: _part(unit, metric, panels, [part.cells[metric.id] for part in parts], neuroids, started, here)
        for metric in metrics
    }


def _part(
    unit: Unit,
    metric: Metric,
    panels: list[Panel],
    cells: list[list[Cell]],
    neuroids: pd.DataFrame | None,
    started: float,
    here: dict[str, Any],
) -> Part:
    rows, blocks = [], []
    for panel, panel_cells in zip(panels, cells, strict=True):
        sizes = [len(block) for block in panel.blocks]
        rows += [result_row(cell, metric, sizes, unit.benchmark.level) for cell in panel_cells]
        blocks.append(block_table(panel_cells, sizes))
    findings = tuple(dict.fromkeys(finding for panel in panels for finding in panel.findings))
    return Part(rows, pd.concat(blocks, ignore_index=True), neuroids, time.perf_counter() - started, here, findings)


class _Held(threading.local):
    """What this thread read last: the next unit is most often on the same subjects, and of the same family."""

    block: object = None
    family: object = None
    embedding: object = None
    subjects: HeldSubjects | None = None


_HELD = _Held()


def forget_panels() -> None:
    """Free what this thread read last, and what was made of it."""
    _HELD.block = _HELD.family = _HELD.embedding = _HELD.subjects = None


def _panels(unit: Unit) -> list[Panel]:
    """Join the embedding of a unit with its subjects, which are read again only where others were scored before."""
    known, subjects = unit.embedding, unit.subjects
    facts = tuple((s.name, s.variant, s.entry_sha256, s.split) for s in subjects)
    block = (unit.store.url, unit.benchmark.sha256(), facts)
    if _HELD.subjects is None or block != _HELD.block:
        forget_panels()
        _HELD.block, _HELD.subjects = block, HeldSubjects()
    held, family = _HELD.subjects, get_metric(unit.metrics[0]).family
    if family != _HELD.family:
        for panel in held.panels:
            panel.shared.clear()
        _HELD.family = family
    if known.entry_sha256 != _HELD.embedding:
        _HELD.embedding = None
        variants = {subject.name: subject.variant for subject in subjects}
        load_panels(known.model, unit.benchmark, unit.store, revision=known.revision, subjects=variants, held=held)
        _HELD.embedding = known.entry_sha256
    return held.panels


def _same_versions(asked: dict[str, str], here: dict[str, str]) -> None:
    names = [name for name in sorted(asked.keys() | here.keys()) if asked.get(name) != here.get(name)]
    if asked and names:
        said = "; ".join(f"{name} {here.get(name)} here, {asked.get(name)} there" for name in names)
        raise ScheduleError(f"this worker has other versions than the process that sent the task: {said}")

"""A result that is put together from parts, in an order that does not depend on which came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.benchmarks import Benchmark
from brainalign.evaluate.inputs import EmbeddingInput, SubjectInput
from brainalign.evaluate.parts import forget_parts, keep_part, part_name
from brainalign.evaluate.units import Part, Unit
from brainalign.metrics import Metric
from brainalign.results import Result, find_result, provenance, write_result
from brainalign.store import Finding

__all__ = ["Assembly", "assemblies"]


@dataclass
class Assembly:
    """The result of one embedding by one metric: where it was found, or the parts of it that are there."""

    embedding: EmbeddingInput
    benchmark: Benchmark
    subjects: Sequence[SubjectInput]
    metric: Metric
    base: dict[str, Any]
    found: Path | None = None
    blocks: Sequence[tuple[SubjectInput, ...]] = ()
    findings: list[Finding] = field(default_factory=list)
    _parts: dict[tuple[str, ...], Part] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``model@revision metric``."""
        return f"{self.embedding.name} {self.metric.id}"

    key = label

    def add(self, unit: Unit, part: Part, root: Path | None) -> bool:
        """Take a part in, and keep it on disk if others are still to come; return whether it was the last."""
        self._parts[tuple(subject.name for subject in unit.subjects)] = part
        whole = len(self._parts) == len(self.blocks)
        if root is not None and not whole:
            keep_part(root, part_name(unit, self.metric.id), part)
        return whole

    def finish(self, root: Path | None) -> Result | Path:
        """Put the parts together; write the result where there is a folder for it, and return its path."""
        parts = [self._parts[tuple(subject.name for subject in block)] for block in self.blocks]
        rows = [row for part in parts for row in part.rows]
        seconds = sum(part.seconds for part in parts)
        computed_in = parts[0].environment
        self.findings = list(dict.fromkeys(finding for part in parts for finding in part.findings))
        source = {**self.base, **computed_in, "seconds": round(seconds, 3), "findings": list(map(str, self.findings))}
        result = self.result(rows, source)
        self._parts = {}
        if root is None:
            return result
        blocks = pd.concat([part.blocks for part in parts], ignore_index=True)
        tables = [part.neuroids for part in parts if part.neuroids is not None]
        path = write_result(root, result, blocks, pd.concat(tables, ignore_index=True) if tables else None)
        forget_parts(root, self.embedding.name, self.benchmark.id, self.metric.id)
        return path

    def result(self, rows: list[dict[str, Any]], source: dict[str, Any]) -> Result:
        """Return the result with these rows and this provenance."""
        bench = self.benchmark
        fields: dict[str, Any] = {
            "embedding": {
                "model": self.embedding.model,
                "revision": self.embedding.revision,
                "entry_sha256": self.embedding.entry_sha256,
                "attributes": self.embedding.attributes,
            },
            "benchmark": {
                "id": bench.id,
                "version": bench.version,
                "sha256": bench.sha256(),
                "aggregation": bench.aggregation.model_dump(),
                "groups": bench.groups,
                "splits": dict(s.split for s in self.subjects if s.split is not None),
                "data": [
                    {"subject": s.name, "variant": s.variant, "entry_sha256": s.entry_sha256} for s in self.subjects
                ],
            },
            "metric": {"id": self.metric.id, "version": self.metric.version, "params": dict(self.metric.params)},
            "protocol": bench.fields(without=frozenset({"metrics", "aggregation"})),
            "passed": {"embedding": self.embedding.asked, "benchmark": bench.id},
            "simulated": any(s.simulated for s in self.subjects),
            "rows": rows,
            "provenance": source,
        }
        return Result.model_validate(fields)


def assemblies(
    embeddings: Sequence[EmbeddingInput],
    benchmark: Benchmark,
    subjects: Sequence[SubjectInput],
    metrics: Sequence[Metric],
    root: Path | None,
) -> list[Assembly]:
    """Return one assembly for each embedding and metric, with the result that is there already.

    Raises
    ------
    ResultConflictError
        If a result of this name was made from other inputs or parameters.
    """
    base = provenance(seed=benchmark.seed)
    made = [Assembly(embedding, benchmark, subjects, metric, base) for embedding in embeddings for metric in metrics]
    if root is not None:
        for assembly in made:
            assembly.found = find_result(root, assembly.result([], base))
    return made

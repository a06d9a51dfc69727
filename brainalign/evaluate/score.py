"""Score one embedding on one benchmark: read, join, measure, write one result a metric."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.benchmarks import Benchmark, load_benchmark
from brainalign.errors import InputError, ResponseKindError
from brainalign.evaluate.cells import Cell, block_table, result_row
from brainalign.evaluate.encoding_cells import encoding_cells
from brainalign.evaluate.panels import Panel, load_panels
from brainalign.evaluate.similarity_cells import similarity_cells
from brainalign.metrics import METRICS, Metric, get_metric
from brainalign.results import Result, find_result, provenance, read_result, write_result
from brainalign.store import Finding, Store, open_store

__all__ = ["Results", "score"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Results:
    """Scores of one embedding on one benchmark.

    Attributes
    ----------
    table : DataFrame
        One row for each metric, subject, ROI and layer, with the columns of a result file and model, revision,
        benchmark, metric, simulated.
    files : list of Path
        Result files, where they were written or found.
    reused : list of str
        Metrics whose result was there already, with the same inputs and parameters.
    findings : list of Finding
        What may be wrong with the data, as the joins have seen it; also in the provenance of the result files.
    """

    table: pd.DataFrame
    files: list[Path] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def score(
    embedding: str,
    benchmark: str | Path | Benchmark,
    store: Store | str | Path | None = None,
    *,
    metrics: Sequence[str] | None = None,
    results: str | Path | None = None,
    scheduler: None = None,
    progress: Progress | None = None,
) -> Results:
    """Score an embedding on a benchmark: every layer, subject, ROI and metric.

    Parameters
    ----------
    embedding : str
        ``model`` or ``model@revision``, as the store lists it.
    benchmark : str, Path or Benchmark
        Id, YAML file, dataset in the store (its default benchmark), or a `Benchmark`.
    store : Store, str or Path, optional
        Store or its URL; the default store if not given.
    metrics : sequence of str, optional
        Metric ids; those of the benchmark if not given.
    results : path, optional
        Folder of result files. A result that is there with the same inputs, parameters and metric version is read
        instead of computed; one with others stops the run. Nothing is written if not given.
    scheduler : None
        Work runs in this process.
    progress : callable, optional
        Called with a description, the number of cells done and the number of all.

    Returns
    -------
    Results

    Raises
    ------
    ManifestError, ChoiceError, EntryNotFoundError, VariantError, JoinError
        What was asked for does not exist, or cannot be joined without guessing.
    ResponseKindError
        If no metric applies to this kind of responses.
    ResultConflictError
        If a result of this name was made from other inputs or parameters.
    """
    if scheduler is not None:
        raise InputError(f"scheduler={scheduler!r}: work runs in this process; leave it None.")
    opened = store if isinstance(store, Store) else open_store(None if store is None else str(store))
    bench = load_benchmark(benchmark, datasets=_dataset_kinds(opened))
    panels = load_panels(embedding, bench, opened)
    wanted = _applicable([get_metric(name) for name in (metrics or bench.metrics)], panels, explicit=bool(metrics))
    run = _Run(embedding, bench, panels, results, opened)
    found = {metric.id: run.find(metric) for metric in wanted}
    missing = [metric for metric in wanted if found[metric.id] is None]
    done = run.compute(missing, progress)
    paths, reused, tables = [], [], []
    for metric in wanted:
        path = found[metric.id]
        if path is not None:
            reused.append(metric.id)
            tables.append(_table(read_result(path)))
        else:
            result, path = done[metric.id]
            tables.append(_table(result))
        if path is not None:
            paths.append(path)
    return Results(pd.concat(tables, ignore_index=True), paths, reused, run.findings)


def _dataset_kinds(store: Store) -> dict[str, str]:
    entries = store.entries()
    kinds = entries[entries["kind"].isin(["responses", "rdms"])]
    return dict(zip(kinds["dataset"], kinds["kind"], strict=True))


def _applicable(metrics: list[Metric], panels: list[Panel], *, explicit: bool) -> list[Metric]:
    kinds = {subject.kind for panel in panels for subject in panel.subjects}
    refused = [metric.id for metric in metrics if not kinds <= metric.applies_to]
    if refused and (explicit or len(refused) == len(metrics)):
        fit = [name for name, metric in METRICS.items() if kinds <= metric.applies_to]
        raise ResponseKindError(
            f"{', '.join(refused)} cannot be computed from {' and '.join(sorted(kinds))}: responses that exist only as "
            f"RDMs have no single neuroids. Metrics that apply: {', '.join(fit[:4])}, …"
        )
    return [metric for metric in metrics if metric.id not in refused]


@dataclass
class _Run:
    embedding: str
    benchmark: Benchmark
    panels: list[Panel]
    results: str | Path | None
    store: Store

    @property
    def findings(self) -> list[Finding]:
        """What the joins found that may be wrong, each once."""
        return list(dict.fromkeys(finding for panel in self.panels for finding in panel.findings))

    def find(self, metric: Metric) -> Path | None:
        if self.results is None:
            return None
        return find_result(Path(self.results), self.result(metric, []))

    def compute(self, metrics: list[Metric], progress: Progress | None) -> dict[str, tuple[Result, Path | None]]:
        cells_each = sum(len(p.layers) * sum(len(s.rois) for s in p.subjects) for p in self.panels)
        total, count = cells_each * len(metrics), 0
        out: dict[str, tuple[Result, Path | None]] = {}

        def ticker(what: str) -> Callable[[int], None]:
            def tick(cells: int) -> None:
                nonlocal count
                count += cells
                if progress is not None:
                    progress(what, min(count, total), total)

            return tick

        encoding = [metric for metric in metrics if metric.family == "encoding"]
        started = time.perf_counter()
        if encoding:
            parts = [encoding_cells(panel, encoding, ticker("encoding")) for panel in self.panels]
            neuroids = pd.concat([part.neuroids for part in parts], ignore_index=True)
            for metric in encoding:
                cells = [part.cells[metric.id] for part in parts]
                out[metric.id] = self.write(metric, cells, neuroids, time.perf_counter() - started)
        for metric in metrics:
            if metric.family != "encoding":
                started = time.perf_counter()
                cells = [similarity_cells(panel, metric, ticker(metric.id)) for panel in self.panels]
                out[metric.id] = self.write(metric, cells, None, time.perf_counter() - started)
        return out

    def write(
        self, metric: Metric, cells: list[list[Cell]], neuroids: pd.DataFrame | None, seconds: float
    ) -> tuple[Result, Path | None]:
        rows, blocks = [], []
        for panel, panel_cells in zip(self.panels, cells, strict=True):
            sizes = [len(block) for block in panel.blocks]
            rows += [result_row(cell, metric, sizes, self.benchmark.level) for cell in panel_cells]
            blocks.append(block_table(panel_cells, sizes))
        result = self.result(metric, rows, seconds=seconds)
        if self.results is None:
            return result, None
        path = write_result(Path(self.results), result, pd.concat(blocks, ignore_index=True), neuroids)
        return read_result(path), path

    def result(self, metric: Metric, rows: list[dict[str, Any]], seconds: float = 0.0) -> Result:
        embeddings = self.store.embeddings(self.embedding, stimuli=self._stimulus_set())
        attrs = embeddings.attrs
        bench = self.benchmark
        fields: dict[str, Any] = {
            "embedding": {
                "model": attrs["model"],
                "revision": attrs["revision"],
                "entry_sha256": "+".join(sorted({panel.embedding_sha256 for panel in self.panels})),
                "attributes": dict(attrs.get("attributes", {})),
            },
            "benchmark": {
                "id": bench.id,
                "version": bench.version,
                "sha256": bench.sha256(),
                "aggregation": bench.aggregation.model_dump(),
                "groups": bench.groups,
                "splits": {name: sha for panel in self.panels for name, sha in panel.split_sha256.items()},
                "data": [
                    {"subject": s.name, "variant": s.variant, "entry_sha256": s.entry_sha256}
                    for panel in self.panels
                    for s in panel.subjects
                ],
            },
            "metric": {"id": metric.id, "version": metric.version, "params": dict(metric.params)},
            "protocol": bench.fields(without=frozenset({"metrics", "aggregation"})),
            "passed": {"embedding": self.embedding, "benchmark": bench.id},
            "simulated": any(s.simulated for panel in self.panels for s in panel.subjects),
            "rows": rows,
            "provenance": {**provenance(seed=bench.seed, seconds=seconds), "findings": list(map(str, self.findings))},
        }
        return Result.model_validate(fields)

    def _stimulus_set(self) -> str:
        first = self.panels[0].subjects[0]
        responses = self.store.responses(self.benchmark.dataset, first.name, variant=self.benchmark.variant)
        return str(responses.attrs["stimulus_set"])


def _table(result: Result) -> pd.DataFrame:
    table = pd.DataFrame([dict(row) for row in result.rows])
    front: dict[str, Any] = {
        "model": result.embedding.model,
        "revision": result.embedding.revision,
        "benchmark": result.benchmark.id,
        "metric": result.metric.id,
        "simulated": result.simulated,
    }
    for i, (name, value) in enumerate(front.items()):
        table.insert(i, name, value)
    return table

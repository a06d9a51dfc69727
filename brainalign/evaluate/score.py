"""Score embeddings on one benchmark: read, join, measure, write one result a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.arrays import parse_memory
from brainalign.benchmarks import Benchmark, load_benchmark
from brainalign.errors import IncompleteRunError, InputError, ScheduleError
from brainalign.evaluate.assembly import Assembly, assemblies
from brainalign.evaluate.inputs import applicable, matching, read_embedding, read_subjects
from brainalign.evaluate.plan import RunPlan, plan_run
from brainalign.evaluate.units import Part, Unit, compute_unit, forget_panels
from brainalign.metrics import get_metric
from brainalign.results import Result, read_result
from brainalign.schedule import Failure, Limits, Task, run_tasks
from brainalign.store import Finding, Store, open_store

__all__ = ["Results", "plan_score", "score"]

Progress = Callable[[str, int, int], None]

_SHOWN = 10


@dataclass(frozen=True)
class Results:
    """Scores of embeddings on one benchmark.

    Attributes
    ----------
    table : DataFrame
        One row for each metric, subject, ROI and layer, with the columns of a result file and model, revision,
        benchmark, metric, simulated.
    files : list of Path
        Result files, where they were written or found.
    reused : list of str
        Metrics whose result was there already, with the same inputs and parameters; ``model@revision metric`` where
        several embeddings were asked for.
    findings : list of Finding
        What may be wrong with the data, as the joins of this call have seen it; also in the provenance of the result
        files.
    """

    table: pd.DataFrame
    files: list[Path] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def score(
    embedding: str | Sequence[str],
    benchmark: str | Path | Benchmark,
    store: Store | str | Path | None = None,
    *,
    metrics: Sequence[str] | None = None,
    results: str | Path | None = None,
    scheduler: Any = None,
    max_memory: int | str | None = None,
    time_limit: float | None = None,
    retries: int = 2,
    worker_wait: float | None = None,
    progress: Progress | None = None,
) -> Results:
    """Score embeddings on a benchmark: every layer, subject, ROI and metric.

    Parameters
    ----------
    embedding : str or sequence of str
        ``model`` or ``model@revision``, as the store lists it; a name with ``*`` or ``?`` stands for all that fit.
    benchmark : str, Path or Benchmark
        Id, YAML file, dataset in the store (its default benchmark), or a `Benchmark`.
    store : Store, str or Path, optional
        Store or its URL; the default store if not given.
    metrics : sequence of str, optional
        Metric ids; those of the benchmark if not given.
    results : path, optional
        Folder of result files. A result that is there with the same inputs, parameters and metric version is read
        instead of computed; one with others stops the run. Nothing is written if not given.
    scheduler : None, str, path or dask.distributed.Client
        None: this process. ``"local:4"``: four worker processes of one thread here. ``"tcp://host:8786"``: a running
        Dask scheduler. A ``.yaml`` file: jobs of a queueing system. Workers open the store by its URL.
    max_memory : int or str, optional
        Bytes, or "4GB": what a worker may hold. Subjects are taken one by one where together they would need more.
    time_limit : float, optional
        Seconds for each task, on a cluster.
    retries : int
        Further attempts of a task whose worker died or that ran out of time.
    worker_wait : float, optional
        Seconds that the run waits for workers where the scheduler has none, before it gives up. If not given: 300, and
        a week for jobs of a queueing system. ``progress`` is told of the waiting.
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
    InputError
        If one subject alone needs more than ``max_memory``, before anything is computed.
    ScheduleError
        If no scheduler answers, it is lost on the way, or it has no worker for too long.
    IncompleteRunError
        If tasks failed; says which. After this error and the last, what was finished is kept in ``results``: the same
        call computes the rest.

    Notes
    -----
    The numbers are those of the same call in this process, to the last bit where the number of threads is the same:
    how the work is divided depends on the data alone. Scripts that ask for ``local:N`` need the guard
    ``if __name__ == "__main__":``, since workers import them.
    """
    memory = None if max_memory is None else parse_memory(max_memory)
    known, plan = _planned(embedding, benchmark, store, metrics, results, memory)
    root = None if results is None else Path(results)
    waiting = _Waiting(known, root)
    limits = Limits(retries, time_limit, memory, worker_wait)
    try:
        failures = _run(plan, waiting, scheduler, limits, progress)
    except ScheduleError as error:
        raise ScheduleError(f"{error}\n{_rest(root)}") from error
    if failures:
        raise IncompleteRunError(_summary(failures, plan, root))
    table = _table(waiting.outcome(assembly) for assembly in known)
    several = len({assembly.embedding.name for assembly in known}) > 1
    files = [path for assembly in known if (path := waiting.paths.get(assembly.key)) is not None]
    reused = [a.label if several else a.metric.id for a in known if a.found is not None]
    findings = list(dict.fromkeys(finding for assembly in known for finding in assembly.findings))
    return Results(table, files, reused, findings)


def plan_score(
    embedding: str | Sequence[str],
    benchmark: str | Path | Benchmark,
    store: Store | str | Path | None = None,
    *,
    metrics: Sequence[str] | None = None,
    results: str | Path | None = None,
    max_memory: int | str | None = None,
) -> RunPlan:
    """Return what `score` would do with the same arguments; nothing is computed or written.

    Raises
    ------
    As `score`, for what can be told without reading responses and activations.
    """
    memory = None if max_memory is None else parse_memory(max_memory)
    return _planned(embedding, benchmark, store, metrics, results, memory)[1]


def _planned(
    embedding: str | Sequence[str],
    benchmark: str | Path | Benchmark,
    store: Store | str | Path | None,
    metrics: Sequence[str] | None,
    results: str | Path | None,
    memory: int | None,
) -> tuple[list[Assembly], RunPlan]:
    opened = store if isinstance(store, Store) else open_store(None if store is None else str(store))
    bench = load_benchmark(benchmark, datasets=_dataset_kinds(opened))
    subjects = read_subjects(bench, opened)
    kinds = {subject.kind for subject in subjects}
    wanted = applicable([get_metric(name) for name in (metrics or bench.metrics)], kinds, explicit=bool(metrics))
    embeddings = [read_embedding(name, subjects, opened) for name in matching(embedding, subjects, opened)]
    root = None if results is None else Path(results)
    known = assemblies(embeddings, bench, subjects, wanted, root)
    return known, plan_run(known, bench, subjects, opened, root, memory)


def _dataset_kinds(store: Store) -> dict[str, str]:
    entries = store.entries()
    kinds = entries[entries["kind"].isin(["responses", "rdms"])]
    return dict(zip(kinds["dataset"], kinds["kind"], strict=True))


class _Waiting:
    """Results whose parts come in one by one; each is written when its last part is there, or else held."""

    def __init__(self, known: list[Assembly], root: Path | None) -> None:
        self._root = root
        self._assemblies = {assembly.key: assembly for assembly in known}
        self.paths: dict[str, Path] = {a.key: a.found for a in known if a.found is not None}
        self._unwritten: dict[str, Result] = {}

    def take(self, unit: Unit, parts: dict[str, Part]) -> None:
        for metric, part in parts.items():
            assembly = self._assemblies[f"{unit.embedding.name} {metric}"]
            if assembly.add(unit, part, self._root):
                made = assembly.finish(self._root)
                if isinstance(made, Result):
                    self._unwritten[assembly.key] = made
                else:
                    self.paths[assembly.key] = made

    def outcome(self, assembly: Assembly) -> Result:
        path = self.paths.get(assembly.key)
        return self._unwritten[assembly.key] if path is None else read_result(path)


def _run(plan: RunPlan, waiting: _Waiting, scheduler: Any, limits: Limits, progress: Progress | None) -> list[Failure]:
    for unit, parts in plan.kept:
        waiting.take(unit, parts)
    if scheduler is not None and plan.units:
        _refuse_memory_store(plan.units[0].store)
    tasks = [Task(unit.key(), unit.label, unit, unit.n_cells) for unit in plan.units]
    several = len({unit.embedding.name for unit in plan.units}) > 1
    try:
        return run_tasks(
            compute_unit,
            tasks,
            lambda task, parts: waiting.take(task.arguments, parts),
            scheduler=scheduler,
            limits=limits,
            progress=progress,
            keep_going=several,
        )
    finally:
        forget_panels()


def _refuse_memory_store(store: Store) -> None:
    if store.url.startswith("memory://"):
        raise InputError(f"workers are other processes and cannot read {store.url}; give a folder or a URL they reach")


def _summary(failures: list[Failure], plan: RunPlan, root: Path | None) -> str:
    shown = [f"  {failure}" for failure in failures[:_SHOWN]]
    if len(failures) > _SHOWN:
        shown.append(f"  … and {len(failures) - _SHOWN} more")
    return f"{len(failures)} of {len(plan.units)} tasks failed:\n" + "\n".join(shown) + f"\n{_rest(root)}"


def _rest(root: Path | None) -> str:
    if root is None:
        return "nothing was kept, since no folder of results was given"
    return f"what was finished is kept in {root}; the same call computes only the rest"


def _table(results: Iterable[Result]) -> pd.DataFrame:
    rows = []
    for result in results:
        front = {
            "model": result.embedding.model,
            "revision": result.embedding.revision,
            "benchmark": result.benchmark.id,
            "metric": result.metric.id,
            "simulated": result.simulated,
        }
        rows += [{**front, **dict(row)} for row in result.rows]
    return pd.DataFrame(rows)

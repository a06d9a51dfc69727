"""Result files -> the sections of a leaderboard: which results may stand in one table."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainalign.errors import ResultError, ResultFormatError
from brainalign.leaderboard.reading import Entry, summarise
from brainalign.results import Result, read_result, result_files

__all__ = ["MetricKey", "Model", "Section", "collect"]

MetricKey = tuple[str, int]
_FILES_OF_A_PROCESS = 100  # what is gained over them pays for starting one


@dataclass
class Model:
    """All results of one model at one revision in one section."""

    name: str
    revision: str
    attributes: dict[str, Any]
    entries: dict[MetricKey, Entry] = field(default_factory=dict)

    @property
    def uncommitted(self) -> bool:
        """Whether any of its results was made by uncommitted code."""
        return any(entry.uncommitted for entry in self.entries.values())

    @property
    def simulated(self) -> bool:
        """Whether any of its results is a score against a simulated brain."""
        return any(entry.result.simulated for entry in self.entries.values())


@dataclass
class Section:
    """Results of one benchmark at one version on the same data: they may be compared."""

    benchmark: str
    version: int
    sha256: str
    aggregation: dict[str, Any]
    data: dict[tuple[str, str], str]
    models: dict[tuple[str, str], Model] = field(default_factory=dict)
    superseded: list[Path] = field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        """All results of the section."""
        return [entry for model in self.models.values() for entry in model.entries.values()]

    @property
    def simulated(self) -> bool:
        """Whether any result is a score against a simulated brain."""
        return any(model.simulated for model in self.models.values())


def collect(root: Path, *, processes: int = 1) -> list[Section]:
    """Read every result file below ``root`` and sort them into sections.

    Two results share a section if id, version and hash of the benchmark agree and the data of no subject differ. Of
    two results of the same cell the one from committed code counts and the other is listed in ``superseded``.

    Parameters
    ----------
    root : path
    processes : int
        At most so many read at the same time, one for each hundred files.

    Raises
    ------
    ResultError
        No result file below ``root``, or a reading process died.
    ResultFormatError
        A file that the schema refuses, a changed table of blocks, or two equally trusted results of one cell.

    Notes
    -----
    Cost: one read of every file; what is kept of a result does not grow with its subjects and layers.
    """
    sections: list[Section] = []
    paths = result_files(root)
    number = min(processes, 1 + len(paths) // _FILES_OF_A_PROCESS)
    with _no_cycles(), contextlib.closing(_entries(paths, number)) as entries:
        for entry in entries:
            _add(_section_for(sections, entry), entry)
    if not sections:
        raise ResultError(f"no result files below {str(root)!r}; give the folder that the scores were written to.")
    return sorted(sections, key=lambda s: (s.simulated, s.benchmark, s.version, s.sha256, sorted(s.data.items())))


def _entry(path: Path) -> Entry:
    return summarise(path, read_result(path))


@contextlib.contextmanager
def _no_cycles() -> Iterator[None]:
    """Stop looking for cycles: nothing read here forms one, and every pass would walk all that was read before."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _entries(paths: Sequence[Path], processes: int) -> Generator[Entry]:
    """Summarise results in order, in fresh processes if there are several; the first that is refused raises here."""
    if processes == 1:
        yield from map(_entry, paths)
        return
    fresh = multiprocessing.get_context("spawn")  # a copy of this process would inherit locks of its threads
    try:
        with ProcessPoolExecutor(processes, fresh, _begin) as pool:
            yield from pool.map(_entry, paths, chunksize=16)
    except BrokenProcessPool as error:
        raise ResultError("a reading process died, perhaps for lack of memory; read in one process.") from error


def _begin() -> None:
    """In a reading process: Ctrl-C is for the one that asked."""
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _data_of(result: Result) -> dict[tuple[str, str], str]:
    return {(item.subject, item.variant): item.entry_sha256 for item in result.benchmark.data}


def _section_for(sections: list[Section], entry: Entry) -> Section:
    benchmark = entry.result.benchmark
    data = _data_of(entry.result)
    for section in sections:
        same = (section.benchmark, section.version, section.sha256) == (
            benchmark.id,
            benchmark.version,
            benchmark.sha256,
        )
        if same and all(section.data.get(key, value) == value for key, value in data.items()):
            section.data.update(data)
            return section
    sections.append(Section(benchmark.id, benchmark.version, benchmark.sha256, benchmark.aggregation, data))
    return sections[-1]


def _add(section: Section, entry: Entry) -> None:
    embedding = entry.result.embedding
    name = (embedding.model, embedding.revision)
    model = section.models.setdefault(name, Model(*name, dict(embedding.attributes)))
    key = (entry.result.metric.id, entry.result.metric.version)
    known = model.entries.get(key)
    if known is None:
        model.entries[key] = entry
        return
    if known.uncommitted == entry.uncommitted:
        raise ResultFormatError(
            f"two results of the same cell, {known.path} and {entry.path}; remove or move away the one not meant."
        )
    kept, dropped = (entry, known) if known.uncommitted else (known, entry)
    model.entries[key] = kept
    section.superseded.append(dropped.path)

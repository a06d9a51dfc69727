"""Checking a tree of results: every problem with its file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd

from brainalign.errors import ResultError
from brainalign.results.paths import TRUSTS, result_path, trust_of
from brainalign.results.properties import FOLDER, property_path, read_property
from brainalign.results.read import read_result
from brainalign.results.schema import FileHash, Result
from brainalign.results.surface_maps import MAPS, read_surface_map, surface_map_path
from brainalign.results.write import BLOCK_COLUMNS, NEUROID_COLUMNS, PAIR_COLUMNS

__all__ = ["ResultProblem", "check_results"]

T = TypeVar("T")


@dataclass(frozen=True)
class ResultProblem:
    """What is wrong with one file."""

    path: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


def check_results(root: str | Path) -> list[ResultProblem]:
    """Check every file of a tree of results.

    Looked at: the schema; whether a file lies where its content says (model, revision, benchmark, metric, and the
    folder of trust against provenance and the simulated flag); the hashes, columns and cells of its tables; files
    that no result names; schema and place of the files of properties, and of maps with the results that they are of.

    Parameters
    ----------
    root : path
        Root of the results.

    Returns
    -------
    list of ResultProblem
        Each with file and problem; empty if all is well.
    """
    root = Path(root)
    problems: list[ResultProblem] = []
    named: set[Path] = set()
    neuroids: set[str] = set()
    present = sorted(p for trust in TRUSTS for p in (root / trust).rglob("*") if p.is_file())
    for path in (p for p in present if p.suffix == ".json"):
        named.add(path)
        try:
            result = read_result(path)
        except ResultError as error:
            problems.append(ResultProblem(path, str(error).removeprefix(f"{path}: ")))
            continue
        problems += [ResultProblem(path, text) for text in _placed(root, path, result)]
        if result.files is None:
            problems.append(ResultProblem(path, "names no table of blocks"))
            continue
        tables = ((result.files.blocks, BLOCK_COLUMNS), (result.files.neuroids, NEUROID_COLUMNS))
        for file, columns in tables:
            if file is not None:
                beside = path.with_name(file.name)
                named.add(beside)
                problems += [ResultProblem(beside, text) for text in _table(beside, file, columns, result)]
        if result.files.neuroids is not None:
            neuroids.add(result.files.neuroids.sha256)
    problems += _property_problems(root)
    problems += _map_problems(root, neuroids)
    for path in present:
        if path not in named:
            what = "a file of an interrupted write" if path.suffix == ".tmp" else "no result names this file"
            problems.append(ResultProblem(path, what))
    return problems


def _property_problems(root: Path) -> Iterator[ResultProblem]:
    """Schema and place of the files of properties, and whatever else lies among them."""
    for path, result in _documents(root / FOLDER, read_property):
        if isinstance(result, str):
            yield ResultProblem(path, result)
        elif path != (expected := property_path(root, result)):
            yield ResultProblem(path, f"its content belongs at {expected.relative_to(root)}")


def _map_problems(root: Path, neuroids: set[str]) -> Iterator[ResultProblem]:
    """Schema and place of the maps, and whether the values that they were made of are those of a result here."""
    for path, found in _documents(root / MAPS, read_surface_map):
        if isinstance(found, str):
            yield ResultProblem(path, found)
            continue
        if path != (expected := surface_map_path(root, found)):
            yield ResultProblem(path, f"its content belongs at {expected.relative_to(root)}")
        if found.source.neuroids_sha256 not in neuroids:
            yield ResultProblem(path, "no result here has the values of neuroids that it was made of")


def _documents(folder: Path, read: Callable[[Path], T]) -> Iterator[tuple[Path, T | str]]:
    """Every file below a folder with its content, or with what is wrong with it."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix != ".json":
            yield path, "a file of an interrupted write" if path.suffix == ".tmp" else "no result"
            continue
        try:
            yield path, read(path)
        except ResultError as error:
            yield path, str(error).removeprefix(f"{path}: ")


def _placed(root: Path, path: Path, result: Result) -> Iterator[str]:
    trust = trust_of(result.simulated, result.provenance)
    lies = path.relative_to(root).parts[0]
    if lies != trust:
        yield f"lies under {lies!r}, but its provenance makes it {trust!r}"
    expected = result_path(root, result, trust=lies)
    if path != expected:
        yield f"its content belongs at {expected.relative_to(root)}"


def _table(path: Path, file: FileHash, columns: tuple[str, ...], result: Result) -> Iterator[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        yield f"cannot be read: {error}"
        return
    if hashlib.sha256(data).hexdigest() != file.sha256:
        yield "does not match the hash in its result"
        return
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # pyarrow fails with nearly any error on damaged metadata
        yield f"is no parquet table: {error}"
        return
    found = list(table.columns)
    if found != list(columns) and not (columns == BLOCK_COLUMNS and found == [*columns, *PAIR_COLUMNS]):
        yield f"has the columns {found}; expected {list(columns)}"
        return
    cells = set(table[["subject", "roi", "layer"]].itertuples(index=False, name=None))
    strange = cells - {row.key for row in result.rows}
    if strange:
        yield f"has {len(strange)} cells without a row, first {min(strange)}"

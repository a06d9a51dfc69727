"""Reading result files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pandas as pd
from pydantic import BaseModel, ValidationError

from brainalign.errors import ResultConflictError, ResultError, ResultFormatError
from brainalign.foreign.json_text import parse_json
from brainalign.results.identity import differences
from brainalign.results.paths import TRUSTS, result_path, trust_of
from brainalign.results.provenance import provenance
from brainalign.results.schema import SCHEMA, Result

__all__ = [
    "find_result",
    "iter_results",
    "read_as",
    "read_blocks",
    "read_neuroids",
    "read_result",
    "result_files",
    "said",
]

Document = TypeVar("Document", bound=BaseModel)


def read_result(path: str | Path) -> Result:
    """Read one result file.

    Raises
    ------
    ResultError
        If there is no such file.
    ResultFormatError
        If it is no JSON, has another schema, lacks or misnames a field, or holds NaN; names file and field.
    """
    path = Path(path)
    text = _content(path)
    if b"NaN" not in text and b"Infinity" not in text:  # else the slow way: JSON knows neither, parsers take both
        with contextlib.suppress(ValidationError):
            result = Result.model_validate_json(text)
            if "schema_" in result.model_fields_set:
                return result
    try:
        return Result.model_validate(_parsed(path, text, SCHEMA))
    except ValidationError as error:
        raise ResultFormatError(f"{path}: {said(error)}") from error


def read_as(path: Path, schema: str, kind: type[Document]) -> Document:
    """Read a file of this schema; errors as in `read_result`."""
    document = _parsed(path, _content(path), schema)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise ResultFormatError(f"{path}: {said(error)}") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultError(f"the result file {path} cannot be read: {error}") from error


def _parsed(path: Path, text: bytes, schema: str) -> Any:
    try:
        document = parse_json(text, parse_constant=_no_constant)
    except ValueError as error:
        raise ResultFormatError(f"{path} is no result file: {error}") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        origin = document.get("provenance") if isinstance(document, dict) else None
        by = origin.get("brainalign", "unknown") if isinstance(origin, dict) else "unknown"
        raise ResultFormatError(
            f"{path} has the schema {found!r} (written by brainalign {by}); this version reads {schema!r}"
        )
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}; undefined is null with a reason")


def said(error: ValidationError) -> str:
    """Return the first problems of a validation in one line each."""
    problems = [f"{'.'.join(map(str, e['loc'])) or 'result'}: {e['msg']}" for e in error.errors()]
    return "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")


def result_files(root: str | Path) -> list[Path]:
    """Return the paths of all result files below a root, sorted."""
    return sorted(p for trust in TRUSTS for p in (Path(root) / trust).glob("*/*/*/*.json"))


def iter_results(root: str | Path) -> Iterator[tuple[Path, Result]]:
    """Yield the path and the content of every result file below a root, in the order of their paths.

    Raises
    ------
    ResultFormatError
        At the first file that the schema refuses.
    """
    for path in result_files(root):
        yield path, read_result(path)


def find_result(root: str | Path, result: Result, *, trust: str | None = None) -> Path | None:
    """Return the path of a stored result with the same identity; None if there is none.

    Parameters
    ----------
    root : path
        Root of the results.
    result : Result
        Its embedding, benchmark, metric and protocol say what is sought; rows and files play no part.
    trust : {"clean", "dirty", "simulated"}, optional
        Where to look. Default: where a result of this process would be written.

    Raises
    ------
    ResultConflictError
        If a result of this name was made from other inputs or parameters; names each field that differs.
    """
    trust = trust or trust_of(result.simulated, result.provenance or provenance())
    path = result_path(Path(root), result, trust=trust)
    if not path.exists():
        return None
    refuse_conflict(path, result)
    return path


def refuse_conflict(path: Path, given: Result) -> None:
    """Raise ResultConflictError unless the stored result has the identity of the given one."""
    said = differences(read_result(path), given)
    if said:
        raise ResultConflictError(
            f"{path} was made otherwise:\n" + "\n".join(f"  {line}" for line in said) + "\n"
            "a result is never overwritten: write to another root, give the benchmark or metric a new version, or "
            "remove the file"
        )


def read_blocks(path: str | Path) -> pd.DataFrame:
    """Return the values with each stimulus block left out (columns: ``BLOCK_COLUMNS`` of the writer).

    Scores of fitted models also have ``partner``, a block that was left out together with the row's block in a second
    pass, and ``together``, the value without both: null where there was none. Older files have neither.
    """
    result = read_result(path)
    return _table(Path(path), None if result.files is None else result.files.blocks.name)


def read_neuroids(path: str | Path) -> pd.DataFrame | None:
    """Return r, r2, alpha and ceiling of every neuroid of an encoding result; None for other metrics."""
    result = read_result(path)
    if result.files is None or result.files.neuroids is None:
        return None
    return _table(Path(path), result.files.neuroids.name)


def _table(path: Path, name: str | None) -> pd.DataFrame:
    if name is None:
        raise ResultFormatError(f"{path} names no table of blocks")
    try:
        table: Any = pd.read_parquet(path.parent / name)
    except Exception as error:  # pyarrow fails with nearly any error on damaged metadata
        raise ResultError(f"{path.parent / name} cannot be read: {error}") from error
    return pd.DataFrame(table)

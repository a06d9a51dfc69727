"""What a command answers: one document for machines, lines and tables for people."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any


@dataclasses.dataclass(frozen=True)
class Reply:
    """The answer of one command.

    Parameters
    ----------
    document : object
        What ``--json`` prints: mappings, sequences, numbers, paths, dataclasses, pydantic models or
        data frames (as a list of records).
    text : sequence of (str or Grid)
        What is printed otherwise, in order.
    passed : bool
        False makes the command exit with status 1 after printing (a check that found a problem).
    """

    document: Any
    text: Sequence[str | Grid] = ()
    passed: bool = True


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table for people: column names and rows of cells; ``title`` stands above it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str | None = None

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], columns: Sequence[str], title: str | None = None) -> Grid:
        """Take the named columns of records, "–" where a record has no value."""
        return cls(columns, [[record.get(column) for column in columns] for record in records], title)


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold; undefined numbers become null.

    >>> plain({"r": float("nan"), "ids": ("a", "b")})
    {'r': None, 'ids': ['a', 'b']}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "_asdict"):  # a named tuple
        return plain(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):  # pydantic
        return plain(value.model_dump())
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # a data frame
        return plain(value.to_dict(orient="records"))
    if hasattr(value, "tolist"):  # NumPy arrays and scalars
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def print_reply(reply: Reply, *, as_json: bool, stream: IO[str] | None = None) -> None:
    """Print a reply on ``stream`` (stdout when None)."""
    out = sys.stdout if stream is None else stream
    if as_json:
        out.write(json.dumps(plain(reply.document), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        for part in reply.text:
            out.write(part + "\n") if isinstance(part, str) else _print_grid(part, out)
    out.flush()


def _print_grid(grid: Grid, out: IO[str]) -> None:
    if not out.isatty():
        _print_aligned(grid, out)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=grid.title and Text(grid.title), title_justify="left", pad_edge=False)
    for index, column in enumerate(grid.columns):
        table.add_column(Text(column), justify="right" if _is_numeric(grid, index) else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(cell(value)) for value in row))
    Console(file=out, highlight=False).print(table)


def _print_aligned(grid: Grid, out: IO[str]) -> None:
    """Print columns of plain text: a file or a pipe has no width to fold to."""
    lines = [list(grid.columns), *([cell(value) for value in row] for row in grid.rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(grid.columns))]
    numeric = [_is_numeric(grid, index) for index in range(len(grid.columns))]
    if grid.title:
        out.write(grid.title + "\n")
    for line in lines:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        out.write("  ".join(padded).rstrip() + "\n")


def _is_numeric(grid: Grid, index: int) -> bool:
    values = [plain(row[index]) for row in grid.rows]
    numbers = [value for value in values if value is not None]
    return bool(numbers) and all(isinstance(n, float | int) and not isinstance(n, bool) for n in numbers)


def cell(value: object) -> str:
    """Return a value as a table shows it: three decimals, "–" for nothing.

    >>> [cell(v) for v in (0.12345, None, True, 1e-05, 12)]
    ['0.123', '–', 'yes', '1e-05', '12']
    """
    value = plain(value)
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(cell(item) for item in value)
    return str(value)

"""Writing a result: both tables first, the JSON last, each whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from brainalign.errors import ResultError, ResultFormatError
from brainalign.results.paths import result_path
from brainalign.results.read import refuse_conflict
from brainalign.results.schema import SELECTED, FileHash, Files, Result

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    _FLOCK = False
else:
    _FLOCK = True

__all__ = [
    "BLOCK_COLUMNS",
    "NEUROID_COLUMNS",
    "PAIR_COLUMNS",
    "exclusive",
    "parquet_bytes",
    "replace_file",
    "write_result",
]

BLOCK_COLUMNS = ("subject", "roi", "layer", "block", "n_left_out", "value", "normalised")
PAIR_COLUMNS = ("partner", "together")
"""In tables of blocks of cross-validated scores: the block that is also left out, and the value without both."""
NEUROID_COLUMNS = ("subject", "roi", "layer", "neuroid", "r", "r2", "alpha", "ceiling")


def write_result(root: str | Path, result: Result, blocks: pd.DataFrame, neuroids: pd.DataFrame | None = None) -> Path:
    """Write a result and its tables; return the path of the JSON.

    Parameters
    ----------
    root : path
        Root of the results; the folder below it says how far the result is to be trusted.
    result : Result
        Without ``files``, which are filled in here.
    blocks : DataFrame
        Columns subject, roi, layer, block, n_left_out, value, normalised; and, where pairs of blocks were left out
        together, partner and together. NaN is written as null.
    neuroids : DataFrame, optional
        For encoding: columns subject, roi, layer, neuroid, r, r2, alpha, ceiling.

    Returns
    -------
    Path
        Of the JSON. If the same result is there already it is left as it is.

    Raises
    ------
    ResultConflictError
        If a result of this name was made from other inputs or parameters.
    ResultFormatError
        If there are no rows, no revision, or the tables do not fit the rows.
    ResultError
        If writing fails; nothing that readers take for a result is left.
    """
    if not result.rows:
        raise ResultFormatError("a result has at least one row")
    paired = PAIR_COLUMNS if set(PAIR_COLUMNS) <= set(blocks.columns) else ()
    tables = {"blocks": _checked(blocks, (*BLOCK_COLUMNS, *paired), result, "blocks")}
    if neuroids is not None:
        tables["neuroids"] = _checked(neuroids, NEUROID_COLUMNS, result, "neuroids")
    path = result_path(Path(root), result)
    names = {"blocks": f"{path.stem}.parquet", "neuroids": f"{path.stem}.neuroids.parquet"}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.parent):
            if path.exists():
                refuse_conflict(path, result)
                return path
            hashes = {}
            for kind, table in tables.items():
                data = parquet_bytes(table)
                replace_file(path.with_name(names[kind]), data)
                hashes[kind] = FileHash(name=names[kind], sha256=hashlib.sha256(data).hexdigest())
            files = Files(blocks=hashes["blocks"], neuroids=hashes.get("neuroids"))
            document = result.model_copy(update={"files": files}).model_dump(mode="json", by_alias=True)
            text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
            replace_file(path, text.encode())
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "the disk is full; free space and repeat the call" if full else "no result was written"
        raise ResultError(f"writing {path} failed: {error}; {hint}") from error
    except ValueError as error:
        raise ResultFormatError(f"{path} cannot be written: {error}") from error
    return path


def _checked(table: pd.DataFrame, columns: tuple[str, ...], result: Result, name: str) -> pa.Table:
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise ResultFormatError(f"the table of {name} lacks the columns {missing}; it has {list(table.columns)}")
    try:
        found = pa.Table.from_pandas(table[[*columns]], preserve_index=False)
    except pa.ArrowException as error:
        raise ResultFormatError(f"the table of {name} cannot be written: {error}") from error
    for column in columns:
        values = found[column]
        if pa.types.is_floating(values.type) and pc.any(pc.is_inf(values)).as_py():
            raise ResultFormatError(f"the table of {name} holds inf in {column!r}; undefined is NaN, written as null")
    keys = {row.key for row in result.rows}
    cells = found.select(["subject", "roi", "layer"]).group_by(["subject", "roi", "layer"], use_threads=False)
    given = [tuple(cell.values()) for cell in cells.aggregate([]).to_pylist()]
    strange = [key for key in given if tuple(map(str, key)) not in keys]
    if strange:
        raise ResultFormatError(f"the table of {name} has {len(strange)} cells without a row, first {strange[0]}")
    return found


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet; rows of ``selected`` come first, in a group that can be read without the others."""
    groups = [table]
    if len(table):
        first = pc.equal(table["layer"], SELECTED)
        groups = [group for group in (table.filter(first), table.filter(pc.invert(first))) if len(group)]
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        for group in groups:
            writer.write_table(group)
    return sink.getvalue()


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the one atomic step, injectable
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # some file systems sync no folders
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let one process write into a folder at a time, so that JSON and tables are of one run."""
    if not _FLOCK:  # pragma: no cover - Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

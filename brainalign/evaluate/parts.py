"""Parts of a result that is not whole yet, kept beside the results so that a killed run loses none of them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.errors import ResultError
from brainalign.evaluate.units import Part, Unit
from brainalign.foreign.json_text import parse_json
from brainalign.results.write import replace_file
from brainalign.store import Finding

__all__ = ["FOLDER", "forget_parts", "keep_part", "kept_part", "part_name"]

FOLDER = ".parts"
_TABLES = ("blocks", "neuroids")
_TRIES = 20


def part_name(unit: Unit, metric: str) -> str:
    """Name a part, without ending, by the result that it belongs to and by all that it is computed from."""
    return f"{_of_result(unit.embedding.name, unit.benchmark.id, metric)}-{unit.key([metric])}"


def _of_result(*names: str) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def keep_part(root: Path, name: str, part: Part) -> None:
    """Write a part under its name.

    Raises
    ------
    ResultError
        If writing fails.
    """
    folder = root / FOLDER
    hashes = {}
    try:
        for table_name in _TABLES:
            table = getattr(part, table_name)
            if table is not None:
                data = _parquet(table)
                hashes[table_name] = hashlib.sha256(data).hexdigest()
                _put(folder / f"{name}.{table_name}.parquet", data)
        fields: dict[str, Any] = {"rows": part.rows, "seconds": part.seconds, "environment": part.environment}
        fields["findings"] = [asdict(finding) for finding in part.findings]
        body = json.dumps({**fields, "tables": hashes}, allow_nan=False)
        document = {"sha256": hashlib.sha256(body.encode()).hexdigest(), "body": body}
        _put(folder / f"{name}.json", json.dumps(document).encode())
    except OSError as error:
        raise ResultError(f"writing a part of a result to {folder} failed: {error}; free space and repeat") from error


def kept_part(root: Path, name: str) -> Part | None:
    """Return a part that an earlier run has left; None where there is none, or one that is not whole."""
    folder = root / FOLDER
    try:
        document = parse_json((folder / f"{name}.json").read_bytes())
        if hashlib.sha256(document["body"].encode()).hexdigest() != document["sha256"]:
            return None
        body = parse_json(document["body"])
        tables = {}
        for table_name, sha256 in body["tables"].items():
            data = (folder / f"{name}.{table_name}.parquet").read_bytes()
            if hashlib.sha256(data).hexdigest() != sha256:
                return None
            tables[table_name] = pd.read_parquet(io.BytesIO(data))
        findings = tuple(Finding(**finding) for finding in body["findings"])
        neuroids = tables.get("neuroids")
        return Part(body["rows"], tables["blocks"], neuroids, body["seconds"], body["environment"], findings)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def forget_parts(root: Path, embedding: str, benchmark: str, metric: str) -> None:
    """Remove the parts of a result that is written; also those of other code, which no run would take."""
    folder = root / FOLDER
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{_of_result(embedding, benchmark, metric)}-*"):
            path.unlink(missing_ok=True)
        folder.rmdir()


def _put(path: Path, data: bytes) -> None:
    """Write a file into a folder that another run removes whenever it finds it empty."""
    for left in reversed(range(_TRIES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace_file(path, data)
            break
        except FileNotFoundError:
            if not left:
                raise


def _parquet(table: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    table.to_parquet(sink, index=False, compression="zstd")
    return sink.getvalue()

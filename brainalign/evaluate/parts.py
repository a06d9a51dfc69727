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
from brainalign.evaluate.units import Part
from brainalign.results.write import replace_file
from brainalign.store import Finding

__all__ = ["FOLDER", "forget_parts", "keep_part", "kept_part"]

FOLDER = ".parts"
_TABLES = ("blocks", "neuroids")
_TRIES = 20


def keep_part(root: Path, key: str, part: Part) -> None:
    """Write a part under the hash of what it was computed from.

    Raises
    ------
    ResultError
        If writing fails.
    """
    folder = root / FOLDER
    hashes = {}
    try:
        for name in _TABLES:
            table = getattr(part, name)
            if table is not None:
                data = _parquet(table)
                hashes[name] = hashlib.sha256(data).hexdigest()
                _put(folder / f"{key}.{name}.parquet", data)
        fields: dict[str, Any] = {"rows": part.rows, "seconds": part.seconds, "environment": part.environment}
        fields["findings"] = [asdict(finding) for finding in part.findings]
        body = json.dumps({**fields, "tables": hashes}, allow_nan=False)
        document = {"sha256": hashlib.sha256(body.encode()).hexdigest(), "body": body}
        _put(folder / f"{key}.json", json.dumps(document).encode())
    except OSError as error:
        raise ResultError(f"writing a part of a result to {folder} failed: {error}; free space and repeat") from error


def kept_part(root: Path, key: str) -> Part | None:
    """Return a part that an earlier run has left; None where there is none, or one that is not whole."""
    folder = root / FOLDER
    try:
        document = json.loads((folder / f"{key}.json").read_bytes())
        if hashlib.sha256(document["body"].encode()).hexdigest() != document["sha256"]:
            return None
        body = json.loads(document["body"])
        tables = {}
        for name, sha256 in body["tables"].items():
            data = (folder / f"{key}.{name}.parquet").read_bytes()
            if hashlib.sha256(data).hexdigest() != sha256:
                return None
            tables[name] = pd.read_parquet(io.BytesIO(data))
        findings = tuple(Finding(**finding) for finding in body["findings"])
        neuroids = tables.get("neuroids")
        return Part(body["rows"], tables["blocks"], neuroids, body["seconds"], body["environment"], findings)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def forget_parts(root: Path, keys: list[str]) -> None:
    """Remove parts whose result is written."""
    folder = root / FOLDER
    with contextlib.suppress(OSError):
        for key in keys:
            for end in ("json", *(f"{name}.parquet" for name in _TABLES)):
                (folder / f"{key}.{end}").unlink(missing_ok=True)
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

"""What makes two results the same: inputs by hash, parameters as resolved, version of the metric."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from brainalign.results.schema import Result

__all__ = ["differences", "identity", "identity_sha256"]


def identity(result: Result) -> dict[str, Any]:
    """Return what decides whether a re-run may be skipped, as plain JSON."""
    document = result.model_dump(mode="json", by_alias=True)
    embedding = {k: document["embedding"][k] for k in ("model", "revision", "entry_sha256")}
    benchmark = {k: document["benchmark"][k] for k in ("id", "version", "sha256", "groups")}
    data = sorted(document["benchmark"]["data"], key=lambda d: (d["subject"], d["variant"]))
    return {
        "embedding": embedding,
        "benchmark": {**benchmark, "data": {f"{d['subject']}/{d['variant']}": d["entry_sha256"] for d in data}},
        "metric": document["metric"],
        "protocol": document["protocol"],
    }


def identity_sha256(result: Result) -> str:
    """Return the hash of the identity."""
    text = json.dumps(identity(result), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(stored: Result, given: Result) -> list[str]:
    """Name each field in which two results are not the same."""
    old, new = dict(_leaves(identity(stored))), dict(_leaves(identity(given)))
    said = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name, ...) != new.get(name, ...):
            shown = [json.dumps(d[name]) if name in d else "nothing" for d in (old, new)]
            said.append(f"{name}: stored {shown[0]}, given {shown[1]}")
    return said


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value

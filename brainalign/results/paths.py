"""Where a result lies: its folder says how far it is to be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from brainalign.errors import ResultError
from brainalign.results.schema import Result

__all__ = ["TRUSTS", "component", "result_path", "root_of", "trust_of"]

TRUSTS = ("clean", "dirty", "simulated")


def trust_of(simulated: bool, provenance: dict[str, Any]) -> str:
    """Return ``simulated``, ``clean`` or ``dirty``.

    Clean is only code that can be found again: a commit without changes, or an installed wheel whose files are those
    that were shipped. Unknown counts as dirty.

    >>> trust_of(False, {"git": {"commit": "0a1b", "dirty": False}})
    'clean'
    >>> trust_of(False, {})
    'dirty'
    """
    if simulated:
        return "simulated"
    git, wheel = provenance.get("git"), provenance.get("wheel")
    if isinstance(git, dict):
        return "clean" if git.get("commit") and git.get("dirty") is False else "dirty"
    return "clean" if isinstance(wheel, dict) and wheel.get("intact") is True else "dirty"


def result_path(root: Path, result: Result, *, trust: str | None = None) -> Path:
    """Return ``ROOT/<trust>/<model>/<revision>/<benchmark.vN>/<metric.vN>.json``; names are percent-quoted."""
    trust = trust or trust_of(result.simulated, result.provenance)
    if trust not in TRUSTS:
        raise ResultError(f"trust is one of {TRUSTS}; given {trust!r}")
    embedding, benchmark, metric = result.embedding, result.benchmark, result.metric
    folder = root / trust / component(embedding.model) / component(embedding.revision)
    folder /= component(f"{benchmark.id}.v{benchmark.version}")
    return folder / f"{component(f'{metric.id}.v{metric.version}')}.json"


def root_of(path: Path, result: Result) -> Path:
    """Return the root of the results that a file lies below; ResultError if it lies elsewhere than its content says."""
    path = path.absolute()
    lies = path.parents[3].name if len(path.parents) > 4 else ""
    if lies not in TRUSTS or result_path(path.parents[4], result, trust=lies) != path:
        raise ResultError(
            f"{path} lies below no root of results; expected ROOT/<trust>/<model>/<revision>/<benchmark>/<metric>.json."
        )
    return path.parents[4]


def component(name: str) -> str:
    """Return a name as one component of a path, percent-quoted."""
    text = quote(name, safe="")
    return text.replace(".", "%2E") if text.strip(".") == "" else text

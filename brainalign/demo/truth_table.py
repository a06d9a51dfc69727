"""Scores against noise-free responses, kept beside the results and made anew only for results that have changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

__all__ = ["TruthTable"]


class TruthTable:
    """The file ``truth.parquet`` and, beside it, the hash of the results that each model's rows belong to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamps_path = path.with_suffix(".json")
        self._stamps: dict[str, str] = {}
        self._table = pd.DataFrame(columns=["model"])
        if path.is_file() and self._stamps_path.is_file():
            self._stamps = json.loads(self._stamps_path.read_text(encoding="utf-8"))["results_sha256"]
            self._table = pd.read_parquet(path)

    def rows(self, model: str, files: Sequence[Path]) -> pd.DataFrame | None:
        """Return the rows of a model, if they are known and belong to these result files."""
        known = self._stamps.get(model) == _stamp(files)
        return self._table[self._table["model"] == model] if known else None

    def write(self, parts: dict[str, pd.DataFrame], files: dict[str, Sequence[Path]]) -> pd.DataFrame:
        """Write the rows of all models, unless nothing has changed; return them as one table."""
        table = pd.concat(parts.values(), ignore_index=True)
        stamps = {model: _stamp(of_model) for model, of_model in files.items()}
        if stamps != self._stamps:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_name(self.path.name + ".partial")
            table.to_parquet(temporary)
            temporary.replace(self.path)
            self._stamps_path.write_text(json.dumps({"results_sha256": stamps}) + "\n", encoding="utf-8")
        return table


def _stamp(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

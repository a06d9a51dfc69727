"""Scores against noise-free responses, kept beside the results and made anew only for results that have changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from brainalign.evaluate import Results

__all__ = ["TruthTable"]


class TruthTable:
    """The file ``truth.parquet`` and, beside it, the hash of the results that each model's rows belong to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamps_path = path.with_suffix(".json")
        self._parts: dict[str, pd.DataFrame] = {}
        self._stamps: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self._table = pd.DataFrame(columns=["model"])
        if path.is_file() and self._stamps_path.is_file():
            self._known = json.loads(self._stamps_path.read_text(encoding="utf-8"))["results_sha256"]
            self._table = pd.read_parquet(path)

    def add(self, result: Results, compute: Callable[[], pd.DataFrame]) -> None:
        """Take the rows of a model from the file if they belong to these results, else compute them."""
        model = str(result.table["model"].iloc[0])
        stamp = hashlib.sha256(b"".join(file.read_bytes() for file in result.files)).hexdigest()
        same = self._known.get(model) == stamp
        self._parts[model] = self._table[self._table["model"] == model] if same else compute().assign(model=model)
        self._stamps[model] = stamp

    def save(self) -> pd.DataFrame:
        """Write what has changed; return the whole table."""
        table = pd.concat(self._parts.values(), ignore_index=True)
        if self._stamps != self._known:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_name(self.path.name + ".partial")
            table.to_parquet(temporary)
            temporary.replace(self.path)
            stamps = {"results_sha256": self._stamps}
            self._stamps_path.write_text(json.dumps(stamps) + "\n", encoding="utf-8")
        return table

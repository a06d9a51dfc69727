"""The table of a study: scores with intervals over seeds and test examples, and paired differences."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError
from brainalign.spectral.study.scorer import score

__all__ = ["as_order", "chosen_cells", "differences", "study_table", "write_rows"]

N_SAMPLES = 1000
Record = dict[str, Any]


def chosen_cells(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """Group cells by task and method, at the rate that the development set of seed 0 picked."""
    grouped: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        grouped[record["task"], record["method"]].append(record)
    chosen = {}
    for key, cells in grouped.items():
        first = [cell for cell in cells if cell["seed"] == 0]
        if not first:
            raise InputError(f"{key[0]} by {key[1]} has no cell of seed 0, on which the rate is chosen.")
        rate = max(first, key=lambda cell: (as_order(cell["dev"]), -cell["rate"]))["rate"]
        chosen[key] = sorted((cell for cell in cells if cell["rate"] == rate), key=lambda cell: cell["seed"])
    return chosen


def as_order(score_: float) -> float:
    """Return a score as what the best is chosen by: one that is undefined (a constant prediction) is the worst."""
    return score_ if score_ == score_ else float("-inf")


def study_table(records: Sequence[Record], *, seed: int = 0) -> list[Record]:
    """Return one row for each task and method.

    Columns: task, method, metric, rate, n_seeds, score (mean over seeds), low, high (95 %, bootstrap over seeds and
    test examples), adapter, head, percent, rank, step_ms, saved_mb, peak_mb, share_of_full (score relative to full
    fine-tuning).
    """
    chosen = chosen_cells(records)
    rows = []
    for (task, method), cells in chosen.items():
        drawn = _bootstrap(cells, seed)
        value = float(np.mean([cell["test"] for cell in cells]))
        full = chosen.get((task, "full"))
        best = float(np.mean([cell["test"] for cell in full])) if full else None
        first = cells[0]
        rows.append({
            "task": task, "method": method, "metric": first["metric"], "rate": first["rate"], "n_seeds": len(cells),
            "score": value, "low": _quantile(drawn, 0.025), "high": _quantile(drawn, 0.975),
            "adapter": first["adapter"], "head": first["head"], "percent": 100 * first["adapter"] / first["base"],
            "rank": first["rank"], "step_ms": float(np.median([c["step_ms"] for c in cells])),
            "saved_mb": first["saved_mb"], "peak_mb": first["peak_mb"],
            "share_of_full": value / best if best else None,
        })  # fmt: skip
    return rows


def differences(records: Sequence[Record], *, method: str = "core", seed: int = 0) -> list[Record]:
    """Return the score of one method less that of each other, by task, with 95 % intervals and their verdict.

    Bootstrap over seeds and over test examples, the same examples for both methods: ``better`` or ``worse`` where the
    interval leaves out zero, else ``not distinguishable``. ``in_se``: the difference in standard errors.
    """
    chosen = chosen_cells(records)
    rows = []
    for (task, other), cells in chosen.items():
        own = chosen.get((task, method))
        if other == method or own is None:
            continue
        drawn = _bootstrap(own, seed) - _bootstrap(cells, seed)
        value = float(np.mean([c["test"] for c in own]) - np.mean([c["test"] for c in cells]))
        low, high, se = _quantile(drawn, 0.025), _quantile(drawn, 0.975), float(np.nanstd(drawn))
        word = "better" if low > 0 else "worse" if high < 0 else "not distinguishable"
        rows.append({
            "task": task, "method": method, "against": other, "difference": value, "low": low, "high": high,
            "se": se, "in_se": value / se if se > 0 else None, "verdict": word,
        })  # fmt: skip
    return rows


def write_rows(path: Path, rows: Sequence[Record]) -> Path:
    """Write rows as CSV; the columns are those of all rows, in order of appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    draft = path.with_name(f".{path.name}.part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    draft.replace(path)
    return path


def _bootstrap(cells: Sequence[Record], seed: int) -> npt.NDArray[np.float64]:
    """Mean over drawn seeds of the score on drawn test examples; the same examples for every call with one ``seed``."""
    metric = cells[0]["metric"]
    predicted = np.array([cell["predicted"] for cell in cells])
    true = np.array(cells[0]["true"])
    rng, seeds = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    out = np.empty(N_SAMPLES)
    for i in range(N_SAMPLES):
        rows = rng.integers(0, len(true), len(true))
        picked = seeds.integers(0, len(cells), len(cells))
        by_seed = {j: score(metric, predicted[j, rows], true[rows]) for j in set(picked.tolist())}
        out[i] = np.mean([by_seed[j] for j in picked.tolist()])
    return out


def _quantile(values: npt.NDArray[np.float64], q: float) -> float:
    return float(np.nanquantile(values, q))

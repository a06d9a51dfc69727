"""A leaderboard of 500 models, 8 subjects, 20 regions and 6 metrics: seconds to build, size of the page.

Run with ``pytest -n0 --benchmark-only -p no:randomly tests/speed/test_leaderboard_speed.py -s``; the figures stand in
docs/performance.md. Nothing here fails on a slow machine.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brainalign.leaderboard import build_leaderboard
from brainalign.results.write import parquet_bytes
from brainalign.testing.results import MiniatureBoard, MiniatureModel

METRICS = dict.fromkeys(
    (
        "encoding.ridge.r",
        "cka.linear.debiased",
        "rsa.correlation.rho-a",
        "mutual-knn.k10",
        "cknna.k10",
        "procrustes.angular",
    ),
    1.0,
)
BOARD = MiniatureBoard(
    id="crowded",
    subjects={f"subj{i:02d}": 515 for i in range(1, 9)},
    rois={f"roi{i:02d}": 0.01 * i for i in range(20)},
    metrics=METRICS,
    n_blocks=100,
)


def crowd(root: Path, n_models: int) -> None:
    """Write results of many models, each made from one model's by adding what is its own, block by block."""
    templates = BOARD.write(root, [MiniatureModel("model-000", 0.3, family="family-0", n_parameters=10**6)])
    for path in templates:
        document = json.loads(path.read_bytes())
        table = pq.read_table(path.with_suffix(".parquet"))
        values = [None if row["value"] is None else row["value"] for row in document["rows"]]
        for number in range(1, n_models):
            rng = np.random.default_rng(number)
            _write(root, path, document, table, values, number, rng)


def _write(
    root: Path, path: Path, document: dict[str, Any], table: pa.Table, values: list[float], number: int, rng: Any
) -> None:
    gain = float(0.3 + rng.uniform())
    name, revision = f"model-{number:03d}", f"{number:012x}"
    document["embedding"] |= {"model": name, "revision": revision}
    document["embedding"]["attributes"] = {"family": f"family-{number % 12}", "n_parameters": int(1e6 * (1 + number))}
    for row, value in zip(document["rows"], values, strict=True):
        row["value"], row["z"] = gain * value, gain * value / 0.03
        row["low"], row["high"] = row["value"] - 2 * row["se"], row["value"] + 2 * row["se"]
        row["normalised"] = row["value"] / row["ceiling"]
        row["normalised_low"], row["normalised_high"] = row["low"] / row["ceiling"], row["high"] / row["ceiling"]
    own = gain * table["value"].to_numpy() + 0.0005 * np.resize(rng.standard_normal(100), len(table))
    position = table.column_names.index("value")
    content = parquet_bytes(table.set_column(position, "value", pa.array(own)).to_pandas())
    document["files"]["blocks"]["sha256"] = hashlib.sha256(content).hexdigest()
    target = root / "clean" / name / revision / path.parent.name / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".parquet").write_bytes(content)
    target.write_text(json.dumps(document, indent=1))


@pytest.mark.benchmark(group="leaderboard")
@pytest.mark.parametrize("n_models", [50, 500])
def test_a_crowded_leaderboard(benchmark: Any, tmp_path: Path, n_models: int) -> None:
    crowd(tmp_path / "results", n_models)
    started = time.perf_counter()
    files = benchmark.pedantic(build_leaderboard, (tmp_path / "results", tmp_path / "site"), rounds=1)
    seconds, size = time.perf_counter() - started, files.html.stat().st_size / 1e6
    print(f"\n{n_models} models: {seconds:.1f} s, page {size:.1f} MB, JSON {files.json.stat().st_size / 1e6:.0f} MB")

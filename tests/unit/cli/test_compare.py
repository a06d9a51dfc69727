"""Two matrices through the command line, from every kind of file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.similarity import cka, mutual_knn

METRICS = ("--metric", "cka.linear.debiased", "--metric", "mutual-knn.k5")


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 3))
    return X, X @ rng.normal(size=(3, 5)) + rng.normal(size=(24, 5))


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), ["compare", *arguments])


def _write(matrix: Any, name: str, ids: list[str] | None = None) -> str:
    table = pd.DataFrame(matrix, columns=[f"u{i}" for i in range(matrix.shape[1])])
    if ids is not None:
        table.insert(1, "stimulus", ids)
    kind = Path(name).suffix
    if kind == ".npy":
        np.save(name, matrix)
    elif kind == ".npz":
        np.savez(name, mine=matrix, other=matrix[:2])
    elif kind == ".parquet":
        table.to_parquet(name)
    else:
        table.to_csv(name, index=False, sep="\t" if kind == ".tsv" else ",")
    return name


@pytest.mark.parametrize("kind", [".npy", ".npz", ".csv", ".tsv", ".parquet"])
def test_every_kind_of_file(pair: tuple[Any, Any], kind: str) -> None:
    X, Y = pair
    key = ("--second-key", "mine") if kind == ".npz" else ()
    result = _run(_write(X, "a.npy"), _write(Y, f"b{kind}"), *METRICS, *key, "--json")
    assert result.exit_code == 0, result.stderr
    rows = {row["metric"]: row for row in json.loads(result.stdout)}
    assert rows["cka.linear.debiased"]["value"] == pytest.approx(cka(X, Y), abs=1e-12)
    assert rows["mutual-knn.k5"]["value"] == pytest.approx(mutual_knn(X, Y, k=5), abs=1e-12)
    assert rows["mutual-knn.k5"]["chance"] == pytest.approx(5 / 23)
    assert rows["cka.linear.debiased"]["low"] < rows["cka.linear.debiased"]["value"]


def test_rows_that_are_named_must_agree(pair: tuple[Any, Any]) -> None:
    X, Y = pair
    ids = [f"image {i}" for i in range(24)]
    first, second = _write(X, "a.csv", ids), _write(Y, "b.parquet", ids)
    assert _run(first, second, *METRICS).exit_code == 0
    result = _run(first, _write(Y, "c.csv", ids[::-1]), *METRICS)
    assert result.exit_code == 1
    assert "reorder Y by the labels of X" in result.stderr


def test_people_get_a_table_and_reasons(pair: tuple[Any, Any]) -> None:
    X, Y = pair
    result = _run(_write(X, "a.npy"), _write(Y, "b.npy"), *METRICS, "--metric", "mutual-knn.k50")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split()[:4] == ["metric", "value", "low", "high"]
    assert "mutual-knn.k50: value: 24 points" in result.stdout


def test_groups_are_kept_whole(pair: tuple[Any, Any]) -> None:
    X, Y = pair
    a, b = _write(X, "a.npy"), _write(Y, "b.npy")
    Path("sources.txt").write_text("".join(f"photo {i // 3}\n" for i in range(24)))
    free, grouped = (
        json.loads(_run(a, b, "--metric", "cka.linear.debiased", *extra, "--json").stdout)[0]
        for extra in ((), ("--groups", "sources.txt"))
    )
    assert free["value"] == grouped["value"]
    assert free["se"] != grouped["se"]
    assert (free["n_permutations"], grouped["n_permutations"]) == (0, 1000)


def test_what_is_wrong_is_said(pair: tuple[Any, Any]) -> None:
    X, Y = pair
    a = _write(X, "a.npy")
    result = _run(a, "nowhere.npy", "--json")
    assert result.exit_code == 1
    assert "no file nowhere.npy" in json.loads(result.stdout)["error"]["message"]
    result = _run(a, _write(Y, "b.npy"), "--metric", "cka.linear")
    assert result.exit_code == 1
    assert "cka.linear.debiased" in result.stderr
    assert _run(a, _write(Y[:10], "c.npy")).exit_code == 1

"""Writing results: whole or not at all, once."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainalign.errors import ResultConflictError, ResultError, ResultFormatError
from brainalign.results import Result, check_results, read_blocks, read_neuroids, read_result, write_result

Make = Callable[..., Result]


def test_what_is_written_is_read(tmp_path: Path, result: Make, blocks: pd.DataFrame, neuroids: pd.DataFrame) -> None:
    path = write_result(tmp_path, result(), blocks, neuroids)
    assert path == tmp_path / "clean/open_clip%3Aa%2Fb/0a1b/v4.v1/encoding.ridge.r.v1.json"
    found = read_result(path)
    assert found.rows == result().rows
    assert found.files is not None and found.files.neuroids is not None
    for file in (found.files.blocks, found.files.neuroids):
        assert hashlib.sha256((path.parent / file.name).read_bytes()).hexdigest() == file.sha256
    pd.testing.assert_frame_equal(read_blocks(path), blocks)
    pd.testing.assert_frame_equal(read_neuroids(path), neuroids)
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "encoding.ridge.r.v1.json",
        "encoding.ridge.r.v1.neuroids.parquet",
        "encoding.ridge.r.v1.parquet",
    ]
    assert "NaN" not in path.read_text()


def test_a_metric_without_neuroids_names_none(tmp_path: Path, result: Make, blocks: pd.DataFrame) -> None:
    path = write_result(tmp_path, result(), blocks)
    assert json.loads(path.read_text())["files"]["neuroids"] is None
    assert read_neuroids(path) is None


def test_full_precision_is_kept(tmp_path: Path, result: Make, blocks: pd.DataFrame) -> None:
    value = 0.1 + 0.2
    row = {**dict(result().rows[0]), "value": value, "se": 1e-300}
    path = write_result(tmp_path, result(rows=[row]), blocks)
    found = read_result(path).rows[0]
    assert (found.value, found.se) == (value, 1e-300)


def test_a_result_is_never_overwritten(tmp_path: Path, result: Make, blocks: pd.DataFrame) -> None:
    path = write_result(tmp_path, result(), blocks)
    before = path.read_bytes()
    assert write_result(tmp_path, result(provenance__seconds=3.0), blocks) == path
    with pytest.raises(ResultConflictError, match=r"protocol.folds: stored 5, given 10"):
        write_result(tmp_path, result(protocol__folds=10), blocks)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.drop(columns="normalised"), r"lacks the columns \['normalised'\]"),
        (lambda t: t.assign(layer="other"), r"1 cells without a row, first \('s1', 'V4', 'other'\)"),
        (lambda t: t.assign(value=np.inf), "inf in 'value'"),
        (lambda t: t.assign(value=["a", *t["value"][1:]]), "table of blocks cannot be written"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, result: Make, blocks: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    with pytest.raises(ResultFormatError, match=words):
        write_result(tmp_path, result(), spoil(blocks))
    assert list(tmp_path.iterdir()) == []


def test_a_result_has_rows(tmp_path: Path, result: Make, blocks: pd.DataFrame) -> None:
    with pytest.raises(ResultFormatError, match="at least one row"):
        write_result(tmp_path, result(rows=[]), blocks)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_write_that_fails_leaves_no_result(
    tmp_path: Path,
    result: Make,
    blocks: pd.DataFrame,
    neuroids: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    step: str,
    call: int,
) -> None:
    real, calls = getattr(os, step), 0
    skipped = 2 if step == "fsync" else 1  # each file is synced, then its folder

    def fail(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == skipped * (call - 1) + 1:
            raise failure
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        expected = (ResultError, "disk is full") if isinstance(failure, OSError) else (KeyboardInterrupt, None)
        with pytest.raises(expected[0], match=expected[1]):
            write_result(tmp_path, result(), blocks, neuroids)
    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert {p.suffix for p in left} <= {".parquet"} and len(left) == call - 1
    path = write_result(tmp_path, result(), blocks, neuroids)
    assert read_result(path).rows == result().rows
    assert check_results(tmp_path) == []


def test_writers_of_one_result_never_mix_their_files(tmp_path: Path, result: Make, blocks: pd.DataFrame) -> None:
    def write(number: int) -> Path:
        return write_result(tmp_path, result(), blocks.assign(value=blocks["value"] + number))

    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(write, range(24)))
    assert len(paths) == 1
    assert check_results(tmp_path) == []

"""Reading and finding results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from brainalign.errors import ResultConflictError, ResultError, ResultFormatError
from brainalign.results import Result, find_result, iter_results, provenance, read_result, trust_of, write_result

Make = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path, result: Make, blocks: pd.DataFrame) -> Path:
    """A written result."""
    return write_result(tmp_path, result(), blocks)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("brainalign.result/1", "brainalign.result/9", r"schema 'brainalign.result/9' \(written by brainalign 0.1.0\)"),
        ('"schema": "brainalign.result/1",', "", "schema None"),
        ('"value": 0.25', '"value": NaN', "holds NaN; undefined is null"),
        ('"value": 0.25', '"value": "high"', r"rows.0.value"),
        ('"revision": "0a1b"', '"revison": "0a1b"', "embedding.revision: Field required"),
        ("{", "", "no result file"),
    ],
)
def test_files_that_are_no_results_are_named(path: Path, old: str, new: str, words: str) -> None:
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ResultFormatError, match=words) as caught:
        read_result(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "3", "null", "", '{"schema": 1}'])
def test_any_other_json_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ResultFormatError, match=path.name):
        read_result(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read"):
        read_result(tmp_path / "x.json")


def test_results_are_iterated_in_the_order_of_their_paths(tmp_path: Path, result: Make, blocks: pd.DataFrame) -> None:
    assert list(iter_results(tmp_path / "none")) == []
    for model in ("b", "a"):
        write_result(tmp_path, result(embedding__model=model), blocks)
    write_result(tmp_path, result(simulated=True), blocks)
    (tmp_path / "leaderboard.json").write_text("{}")
    found = list(iter_results(tmp_path))
    assert [r.embedding.model for _, r in found] == ["a", "b", "open_clip:a/b"]
    assert [p.relative_to(tmp_path).parts[0] for p, _ in found] == ["clean", "clean", "simulated"]


def test_only_the_same_result_is_found(tmp_path: Path, path: Path, result: Make) -> None:
    sought = result(rows=[])
    assert find_result(tmp_path, sought) == path
    assert find_result(tmp_path, result(metric__version=2)) is None
    assert find_result(tmp_path, sought, trust="dirty") is None
    assert find_result(tmp_path, result(simulated=True)) is None
    with pytest.raises(ResultConflictError, match=r"protocol.seed: stored 0, given 1"):
        find_result(tmp_path, result(protocol__seed=1))


def test_without_provenance_the_trust_of_this_process_decides(
    tmp_path: Path, result: Make, blocks: pd.DataFrame
) -> None:
    here = provenance()
    path = write_result(tmp_path, result(provenance=here), blocks)
    assert path.relative_to(tmp_path).parts[0] == trust_of(False, here)
    assert find_result(tmp_path, result(provenance={})) == path


def test_json_stays_readable(path: Path) -> None:
    assert json.loads(path.read_text())["rows"][1]["reason"] == "constant"
    assert len(path.read_text().splitlines()) > 20

"""Every problem of a tree of results is named with its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from brainalign.results import Result, check_results, write_result

Make = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path, result: Make, blocks: pd.DataFrame, neuroids: pd.DataFrame) -> Path:
    """A written result."""
    return write_result(tmp_path, result(), blocks, neuroids)


def _problem(root: Path) -> tuple[Path, str]:
    (problem,) = check_results(root)
    assert str(problem) == f"{problem.path}: {problem.problem}"
    return problem.path, problem.problem


def test_a_sound_tree_has_no_problem(tmp_path: Path, path: Path) -> None:
    (tmp_path / "leaderboard.html").write_text("derived")
    assert check_results(tmp_path) == []


def test_a_moved_result_is_noticed(tmp_path: Path, path: Path) -> None:
    path.parent.rename(path.parent.with_name("v5.v1"))
    where, said = _problem(tmp_path)
    assert where.parent.name == "v5.v1"
    assert said == "its content belongs at clean/open_clip%3Aa%2Fb/0a1b/v4.v1/encoding.ridge.r.v1.json"


@pytest.mark.parametrize(
    ("old", "new", "trust"),
    [('"dirty": false', '"dirty": true', "dirty"), ('"simulated": false', '"simulated": true', "simulated")],
)
def test_trust_that_is_not_earned_is_noticed(tmp_path: Path, path: Path, old: str, new: str, trust: str) -> None:
    path.write_text(path.read_text().replace(old, new))
    assert _problem(tmp_path) == (path, f"lies under 'clean', but its provenance makes it '{trust}'")


def test_changed_and_missing_tables_are_noticed(tmp_path: Path, path: Path, blocks: pd.DataFrame) -> None:
    table = path.with_suffix(".parquet")
    blocks.assign(value=0.9).to_parquet(table)
    assert _problem(tmp_path) == (table, "does not match the hash in its result")
    table.unlink()
    where, said = _problem(tmp_path)
    assert where == table and said.startswith("cannot be read")


def test_a_changed_number_that_breaks_the_schema_is_noticed(tmp_path: Path, path: Path) -> None:
    path.write_text(path.read_text().replace('"value": 0.25', '"value": NaN'))
    problems = {p.path: p.problem for p in check_results(tmp_path)}
    assert "NaN" in problems[path]


def test_leftovers_are_noticed(tmp_path: Path, path: Path) -> None:
    (path.parent / ".x.json.0.tmp").write_text("")
    (path.parent / "cka.v1.parquet").write_text("")
    assert [p.problem for p in check_results(tmp_path)] == [
        "a file of an interrupted write",
        "no result names this file",
    ]

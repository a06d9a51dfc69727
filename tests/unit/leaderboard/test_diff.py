"""What changed between two folders of results, and why."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.leaderboard import diff_leaderboards
from brainalign.testing.results import MiniatureBoard, MiniatureModel

A, B, C = MiniatureModel("a", 0.5), MiniatureModel("b", 0.4), MiniatureModel("c", 0.3)
BOARD = MiniatureBoard(metrics={"encoding.ridge.r": 1.0})


def by_model(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {row["model"]: row for _, row in frame.iterrows()}


def written(root: Path, board: MiniatureBoard, *models: MiniatureModel) -> Path:
    board.write(root, models)
    return root


def test_equal_folders_have_no_changes(tmp_path: Path) -> None:
    old, new = (written(tmp_path / name, BOARD, A, B) for name in ("old", "new"))
    found = diff_leaderboards(old, new)
    assert found["change"].tolist() == ["none", "none"]
    assert found["old"].tolist() == found["new"].tolist() and found["old_rank"].tolist() == [1, 2]
    assert found["reasons"].tolist() == [[], []]


def test_models_come_go_and_move_others(tmp_path: Path) -> None:
    old, new = written(tmp_path / "old", BOARD, A, B), written(tmp_path / "new", BOARD, B, C)
    found = by_model(diff_leaderboards(old, new))
    assert [found[name]["change"] for name in "abc"] == ["removed", "rank alone", "added"]
    assert (found["b"]["old_rank"], found["b"]["new_rank"]) == (2, 1)
    assert pd.isna(found["a"]["new"]) and pd.isna(found["c"]["old"])


def test_a_change_has_its_reason(tmp_path: Path) -> None:
    old = written(tmp_path / "old", BOARD, A)
    data = written(tmp_path / "data", replace(BOARD, data="ingested anew", seed=1), A)
    (row,) = by_model(diff_leaderboards(old, data)).values()
    assert row["reasons"] == ["data", "protocol"]
    version = written(tmp_path / "version", replace(BOARD, version=2), A)
    (row,) = by_model(diff_leaderboards(old, version)).values()
    assert row["reasons"] == ["benchmark definition", "benchmark version"]
    assert row["old_cell"].startswith("miniature.v1 a@") and row["new_cell"].startswith("miniature.v2 a@")
    dirty = written(tmp_path / "dirty", BOARD, replace(A, dirty=True))
    (row,) = by_model(diff_leaderboards(old, dirty)).values()
    assert (row["change"], row["reasons"], row["uncommitted_code"]) == ("provenance alone", ["code"], True)


def test_the_command_says_what_changed(tmp_path: Path) -> None:
    old, new = written(tmp_path / "old", BOARD, A, B), written(tmp_path / "new", BOARD, B, C)
    found = CliRunner().invoke(build_app(), ["results", "diff", str(old), str(new)])
    assert found.exit_code == 0 and found.stdout.endswith("3 of 3 scores changed.\n")
    same = CliRunner().invoke(build_app(), ["results", "diff", str(old), str(old), "--json"])
    assert json.loads(same.stdout) == {"changed": 0, "rows": []}

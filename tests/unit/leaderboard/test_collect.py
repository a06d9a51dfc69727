"""Which results may stand in one table."""

import os
from pathlib import Path

import pytest

from brainalign.errors import ResultError, ResultFormatError
from brainalign.leaderboard import build_leaderboard
from brainalign.leaderboard import collect as collecting
from brainalign.leaderboard.collect import collect
from brainalign.testing.results import MiniatureBoard, MiniatureModel

A, B = MiniatureModel("a", 0.4), MiniatureModel("b", 0.3)


def test_results_of_one_benchmark_and_data_make_one_section(tmp_path: Path) -> None:
    MiniatureBoard().write(tmp_path, [A, B])
    (section,) = collect(tmp_path)
    assert sorted(name for name, _ in section.models) == ["a", "b"]
    assert all(len(model.entries) == 2 for model in section.models.values())
    assert not section.simulated and not any(model.uncommitted for model in section.models.values())


def test_other_data_versions_and_benchmarks_are_never_mixed(tmp_path: Path) -> None:
    MiniatureBoard().write(tmp_path, [A])
    MiniatureBoard(data="ingested anew").write(tmp_path, [B])
    MiniatureBoard(version=2).write(tmp_path, [A, B])
    MiniatureBoard(id="other").write(tmp_path, [A])
    found = [(s.benchmark, s.version, sorted(n for n, _ in s.models)) for s in collect(tmp_path)]
    assert found[0][:2] == ("miniature", 1) and found[1][:2] == ("miniature", 1)
    assert sorted(names for _, _, names in found[:2]) == [["a"], ["b"]]
    assert found[2:] == [("miniature", 2, ["a", "b"]), ("other", 1, ["a"])]


def test_a_metric_on_fewer_subjects_shares_the_section(tmp_path: Path) -> None:
    MiniatureBoard(metrics={"encoding.ridge.r": 1.0}).write(tmp_path, [A])
    MiniatureBoard(metrics={"rsa.correlation.rho-a": 1.0}, subjects={"s1": 120}).write(tmp_path, [A])
    (section,) = collect(tmp_path)
    assert len(section.models[A.name, A.revision].entries) == 2


def test_committed_code_counts_over_uncommitted(tmp_path: Path) -> None:
    board = MiniatureBoard(metrics={"encoding.ridge.r": 1.0})
    board.write(tmp_path, [MiniatureModel("a", 0.9, dirty=True)])
    board.write(tmp_path, [MiniatureModel("a", 0.4)])
    (section,) = collect(tmp_path)
    (model,) = section.models.values()
    assert not model.uncommitted
    assert [path.relative_to(tmp_path).parts[0] for path in section.superseded] == ["dirty"]


def test_two_equally_trusted_results_of_a_cell_are_refused(tmp_path: Path) -> None:
    board = MiniatureBoard(metrics={"encoding.ridge.r": 1.0})
    (path,) = board.write(tmp_path, [A])
    again = path.parents[1] / "copied.v1"
    path.parent.rename(again)
    board.write(tmp_path, [A])
    with pytest.raises(ResultFormatError, match="two results of the same cell"):
        collect(tmp_path)


def test_a_simulated_result_of_uncommitted_code_carries_both_marks(tmp_path: Path) -> None:
    MiniatureBoard(simulated=True).write(tmp_path, [MiniatureModel("a", 0.4, dirty=True)])
    (section,) = collect(tmp_path)
    (model,) = section.models.values()
    assert section.simulated and model.simulated and model.uncommitted


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no result files below"):
        collect(tmp_path / "absent")


def test_several_processes_make_the_same_files_and_refuse_the_same_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_FILES_OF_A_PROCESS", 4)
    paths = MiniatureBoard().write(tmp_path, [A, B])
    one, two = (build_leaderboard(tmp_path, tmp_path / f"site{n}", processes=n) for n in (1, 2))
    assert [file.read_bytes() for file in one[:5]] == [file.read_bytes() for file in two[:5]]
    paths[-1].with_suffix(".parquet").write_bytes(b"no table")
    said = []
    for processes in (1, 2):
        with pytest.raises(ResultFormatError, match="does not match the hash") as caught:
            collect(tmp_path, processes=processes)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_reading_process_that_dies_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "_FILES_OF_A_PROCESS", 1)
    monkeypatch.setattr(collecting, "_begin", os.abort)
    MiniatureBoard().write(tmp_path, [A, B])
    with pytest.raises(ResultError, match="a reading process died"):
        collect(tmp_path, processes=2)

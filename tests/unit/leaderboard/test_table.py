"""Lines, aggregates, missing cells, ranks."""

from pathlib import Path

import numpy as np
import pytest

from brainalign.leaderboard.collect import collect
from brainalign.leaderboard.table import Line, Table, make_table
from brainalign.results import read_result
from brainalign.testing.results import MiniatureBoard, MiniatureModel

PRIMARY = "encoding.ridge.r"


def table_of(root: Path) -> Table:
    (section,) = collect(root)
    return make_table(section)


def by_name(table: Table) -> dict[str, Line]:
    return {line.model.name: line for line in table.lines}


def test_the_aggregate_is_the_mean_over_regions_of_means_over_subjects(tmp_path: Path) -> None:
    MiniatureBoard(rois={"early": 0.0, "late": 0.1}).write(tmp_path, [MiniatureModel("a", 0.4)])
    table = table_of(tmp_path)
    (line,) = table.lines
    values = {(c.metric[0], c.roi): cell.value for c, cell in zip(table.columns, line.cells, strict=True)}
    assert values == pytest.approx(
        {
            (PRIMARY, "early"): 0.4,
            (PRIMARY, "late"): 0.5,
            ("cka.linear.debiased", "early"): 0.2,
            ("cka.linear.debiased", "late"): 0.25,
        }
    )
    assert line.aggregate.value == pytest.approx(0.45)
    assert line.aggregate.normalised == pytest.approx(0.45 / 0.7)
    assert line.aggregate.low < 0.45 < line.aggregate.high
    assert (line.aggregate.n_subjects, line.aggregate.n_stimuli) == (2, "120")
    assert [column.metric[0] for column in table.columns][:2] == [PRIMARY, PRIMARY]


def test_subjects_with_other_stimuli_add_their_variances(tmp_path: Path) -> None:
    board = MiniatureBoard(subjects={"s1": 100, "s2": 400}, rois={"V4": 0.0}, metrics={PRIMARY: 1.0})
    (path,) = board.write(tmp_path, [MiniatureModel("a", 0.4)])
    (line,) = table_of(tmp_path).lines
    errors = [row.se for row in read_result(path).rows if row.layer == "selected"]
    assert line.cells[0].se == pytest.approx(np.hypot(*errors) / 2, rel=1e-9)
    assert line.cells[0].n_stimuli == "100–400"


def test_clear_differences_are_ranked_and_close_ones_left_open(tmp_path: Path) -> None:
    models = [MiniatureModel(n, v) for n, v in [("low", 0.2), ("best", 0.5), ("second", 0.497), ("middle", 0.35)]]
    MiniatureBoard().write(tmp_path, models)
    table = table_of(tmp_path)
    assert [line.model.name for line in table.lines] == ["best", "second", "middle", "low"]
    standing = [line.standing for line in table.lines]
    assert [(s.rank, s.rank_low, s.rank_high) for s in standing] == [(1, 1, 2), (1, 1, 2), (3, 3, 3), (4, 4, 4)]
    assert [s.indistinguishable_from_best for s in standing] == [False, True, False, False]


def test_a_missing_cell_is_shown_and_the_model_is_not_ranked(tmp_path: Path) -> None:
    lacking = MiniatureModel("lacking", 0.9, lacks=(("cka.linear.debiased", "late"),))
    MiniatureBoard().write(tmp_path, [MiniatureModel("full", 0.3), lacking])
    table = table_of(tmp_path)
    line = by_name(table)["lacking"]
    assert table.lines[-1] is line and line.standing is None
    assert line.unranked == "incomplete: no cka.linear.debiased in late"
    assert line.coverage == (3, 4)
    assert line.cells[3].value is None and "constant response" in line.cells[3].reason
    assert by_name(table)["full"].standing.rank == 1 and table.n_ranked == 1


def test_an_aggregate_is_never_a_mean_over_fewer_cells(tmp_path: Path) -> None:
    lacking = MiniatureModel("lacking", 0.9, lacks=((PRIMARY, "early"),))
    unscored = MiniatureModel("unscored", 0.9, metrics=("cka.linear.debiased",))
    MiniatureBoard().write(tmp_path, [MiniatureModel("full", 0.3), lacking, unscored])
    lines = by_name(table_of(tmp_path))
    assert lines["lacking"].aggregate.value is None and lines["lacking"].aggregate.reason == "no score in early"
    assert lines["unscored"].aggregate.value is None and lines["unscored"].cells[0].reason == "not scored"
    assert lines["lacking"].standing is None and lines["unscored"].standing is None


def test_a_model_that_lacks_a_subject_has_no_cell(tmp_path: Path) -> None:
    MiniatureBoard(metrics={PRIMARY: 1.0}).write(tmp_path, [MiniatureModel("full", 0.3)])
    MiniatureBoard(metrics={PRIMARY: 1.0}, subjects={"s1": 120}).write(tmp_path, [MiniatureModel("one", 0.9)])
    line = by_name(table_of(tmp_path))["one"]
    assert [cell.reason for cell in line.cells] == ["s2: not scored", "s2: not scored"]
    assert line.aggregate.value is None and line.standing is None


def test_what_no_model_can_have_costs_nobody_the_rank(tmp_path: Path) -> None:
    lacks = (("cka.linear.debiased", "late"),)
    MiniatureBoard().write(tmp_path, [MiniatureModel(n, v, lacks=lacks) for n, v in [("a", 0.4), ("b", 0.2)]])
    table = table_of(tmp_path)
    assert [line.standing.rank for line in table.lines] == [1, 2]
    assert [line.cells[3].value for line in table.lines] == [None, None]
    assert "constant response" in table.lines[0].cells[3].reason


def test_where_lower_is_better_the_lowest_leads(tmp_path: Path) -> None:
    MiniatureBoard(direction="lower is more aligned").write(
        tmp_path, [MiniatureModel("far", 0.6), MiniatureModel("near", 0.2)]
    )
    table = table_of(tmp_path)
    assert not table.higher_is_better
    assert [(line.model.name, line.standing.rank) for line in table.lines] == [("near", 1), ("far", 2)]


def test_ceilings_that_some_subjects_lack_have_no_mean(tmp_path: Path) -> None:
    MiniatureBoard(ceiling=None).write(tmp_path, [MiniatureModel("a", 0.4)])
    (line,) = table_of(tmp_path).lines
    assert line.aggregate.ceiling is None and line.aggregate.normalised is None
    assert line.aggregate.ceiling_reason == "responses came averaged"


def test_results_without_the_primary_metric_are_shown_unranked(tmp_path: Path) -> None:
    MiniatureBoard().write(tmp_path, [MiniatureModel("a", 0.4, metrics=("cka.linear.debiased",))])
    (line,) = table_of(tmp_path).lines
    assert line.unranked == "no score of the primary metric"
    assert line.cells[0].value == pytest.approx(0.2)

"""Figures: what is drawn, and that pyplot knows nothing of it."""

import io
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from brainalign.errors import InputError, UndefinedError
from brainalign.leaderboard import build_leaderboard
from brainalign.plots import layer_by_roi, leaderboard_figure
from brainalign.testing.results import MiniatureBoard, MiniatureModel


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    models = [
        MiniatureModel("best", 0.5, family="trained"),
        MiniatureModel("$x_1$ 🧠 " + "y" * 200, 0.3, family="random"),
        MiniatureModel("lacking", 0.4, dirty=True, lacks=(("encoding.ridge.r", "late"),)),
    ]
    MiniatureBoard(simulated=True).write(tmp_path / "r", models)
    MiniatureBoard(id="plain", rois={"V4": 0.0}, ceiling=None).write(tmp_path / "r", models[:2])
    return pd.read_parquet(build_leaderboard(tmp_path / "r", tmp_path / "o").parquet)


def drawn(figure: Figure) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=40)
    return sink.getvalue()


def texts(figure: Figure) -> list[str]:
    found = [part.get_suptitle() for part in figure.subfigs]
    for ax in figure.axes:
        found += [ax.get_title(), *(t.get_text() for t in ax.texts), *(t.get_text() for t in ax.get_yticklabels())]
    return found


def test_a_leaderboard_has_a_panel_for_the_aggregate_and_each_region(table: pd.DataFrame) -> None:
    figure = leaderboard_figure(table)
    assert len(drawn(figure)) > 1000
    plain, simulated = figure.subfigs
    assert [ax.get_title() for ax in plain.axes if ax.axison] == ["aggregate", "V4"]
    assert [ax.get_title() for ax in simulated.axes] == ["aggregate", "early", "late"]
    assert "SIMULATED" in simulated.get_suptitle() and "SIMULATED" not in plain.get_suptitle()
    dots = [line for line in simulated.axes[0].lines if line.get_marker() == "o"]
    assert sorted(float(dot.get_xdata()[0]) for dot in dots) == pytest.approx([0.325, 0.525])
    assert "missing" in texts(figure)
    assert any("lacking" in text and "(not ranked, uncommitted code)" in text for text in texts(figure))


def test_ceiling_chance_and_interval_are_drawn_where_known(table: pd.DataFrame) -> None:
    plain, simulated = leaderboard_figure(table).subfigs
    styles = {(line.get_linestyle(), line.get_color()) for line in simulated.axes[0].lines}
    assert ("-", "black") in styles
    assert ("-", "black") not in {(line.get_linestyle(), line.get_color()) for line in plain.axes[0].lines}
    row = table[(table["model"] == "best") & (table["roi"] == "(aggregate)") & table["simulated"]].iloc[0]
    spans = [sorted(line.get_xdata()) for line in simulated.axes[0].lines if len(line.get_xdata()) == 2]
    assert any(span == pytest.approx([row["low"], row["high"]]) for span in spans)


def test_no_name_becomes_mathematics_and_pyplot_is_left_alone(table: pd.DataFrame) -> None:
    figure = leaderboard_figure(table)
    drawn(figure)  # a missing glyph would warn
    assert any(r"\$x_1\$" in text for text in texts(figure))
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_models_beyond_the_limit_are_counted(table: pd.DataFrame) -> None:
    figure = leaderboard_figure(table, max_models=1)
    assert "best 1 of 3 models" in figure.subfigs[1].get_suptitle()


def test_tables_that_are_no_leaderboards_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="needs columns"):
        leaderboard_figure(table.drop(columns="chance"))
    with pytest.raises(InputError, match="aggregate"):
        leaderboard_figure(table[table["roi"] != "(aggregate)"])


def test_layers_by_regions_are_averaged_over_subjects() -> None:
    rows = pd.DataFrame(
        {
            "subject": ["s1", "s2", "s1", "s1", "s2", "s1"],
            "layer": ["a", "a", "b", "a", "a", "selected"],
            "roi": ["V1", "V1", "V1", "V4", "V4", "V1"],
            "value": [0.1, 0.3, 0.5, None, 0.3, 0.9],
        }
    )
    figure = layer_by_roi(rows, label="encoding.ridge.r")
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["V1", "V4"]
    assert sorted(t.get_text() for t in ax.texts) == ["0.20", "0.50", "—", "—"]
    assert len(drawn(figure)) > 1000


def test_a_heat_map_of_nothing_is_refused() -> None:
    rows = pd.DataFrame({"layer": ["a"], "roi": ["V1"], "value": [None]})
    with pytest.raises(UndefinedError):
        layer_by_roi(rows)
    with pytest.raises(InputError, match="normalised"):
        layer_by_roi(rows, value="normalised")

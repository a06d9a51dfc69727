"""The four files: the same table, whole, and made of text that stays text."""

import base64
import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from brainalign.errors import ResultError, ResultFormatError
from brainalign.leaderboard import LeaderboardFiles, build_leaderboard
from brainalign.leaderboard.document import _column
from brainalign.leaderboard.page import embedded_json
from brainalign.leaderboard.scores import Score
from brainalign.testing.results import MiniatureBoard, MiniatureModel

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{js}}</script><!-- 🧠 "


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> LeaderboardFiles:
    root = tmp_path_factory.mktemp("board")
    models = [
        MiniatureModel("best", 0.5, family="trained", n_parameters=4_652_008),
        MiniatureModel("next", 0.3, family="random", n_parameters=4_652_008, dirty=True),
        MiniatureModel(HOSTILE, 0.2, family="<b>bold</b>", lacks=(("cka.linear.debiased", "late"),)),
    ]
    MiniatureBoard(simulated=True).write(root / "results", models)
    return build_leaderboard(root / "results", root / "site")


class Page(HTMLParser):
    """Tags, attributes and the text of scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts.append(data)


def data_of(html: Path) -> dict:
    page = Page(html.read_text(encoding="utf-8"))
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 2
    return json.loads(page.scripts[0])


def test_all_forms_carry_the_same_table(files: LeaderboardFiles) -> None:
    frame = pd.read_parquet(files.parquet)
    document = json.loads(files.json.read_text(encoding="utf-8"))
    assert document["schema"] == "brainalign.leaderboard/1"
    assert document["fields"] == list(frame.columns)
    with files.csv.open(encoding="utf-8", newline="") as handle:
        lines = list(csv.DictReader(handle))
    assert len(lines) == len(document["rows"]) == len(frame) == 3 * 5
    for line, record, (_, row) in zip(lines, document["rows"], frame.iterrows(), strict=True):
        assert line["model"] == record["model"] == row["model"]
        assert line["roi"] == record["roi"] == row["roi"]
        if pd.isna(row["value"]):
            assert line["value"] == "" and record["value"] is None and record["reason"] == row["reason"]
        else:
            assert float(line["value"]) == record["value"] == row["value"]
    assert frame["simulated"].all() and frame.groupby("model")["uncommitted_code"].first()["next"]


def field(column: dict, name: str, i: int) -> object:
    """A field of a cell, as the script of the page reads it."""
    found = column["cells"].get(name)
    return found[i] if isinstance(found, list) else found


def test_the_page_shows_the_numbers_of_the_table(files: LeaderboardFiles) -> None:
    (section,) = data_of(files.html)["sections"]
    frame = pd.read_parquet(files.parquet)
    for i, line in enumerate(section["lines"]):
        part = frame[frame["model"] == line["model"]]
        for column, (_, row) in zip([section["aggregate"], *section["columns"]], part.iterrows(), strict=True):
            for name in ("value", "low", "high", "chance", "ceiling", "z", "p"):
                value = field(column, name, i)
                assert (value is None) == bool(pd.isna(row[name]))
                assert value is None or value == pytest.approx(row[name], rel=1e-4)
            assert field(column, "reason", i) == (None if pd.isna(row["reason"]) else row["reason"])
        assert line["rank"] == (
            None
            if part["rank"].isna().all()
            else [part["rank"].iloc[0], part["rank_low"].iloc[0], part["rank_high"].iloc[0]]
        )
    assert section["columns"][0]["chance"] == [0.0, 0.0] and section["columns"][0]["ceiling"] == [0.7, 0.7]


def test_a_normalised_value_that_is_no_ratio_is_said(files: LeaderboardFiles) -> None:
    cells = [Score(value=0.2, ceiling=0.5, normalised=0.4), Score(value=0.2, ceiling=0.5, normalised=0.3)]
    assert "normalised" not in _column(cells[:1], [], [0])["cells"]
    assert _column(cells, [], [0])["cells"]["normalised"] == [0.4, 0.3]
    assert _column([Score(value=0.2, ceiling=-0.5)], [], [0])["cells"]["normalised"] is None


def test_pairs_of_models_can_be_tested_from_the_page(files: LeaderboardFiles) -> None:
    (section,) = data_of(files.html)["sections"]
    best, following = section["lines"][:2]
    (stratum,) = section["aggregate"]["paired"]["strata"]
    whole = np.frombuffer(base64.b64decode(stratum["shares"]), dtype="<i2").reshape(3, stratum["blocks"])
    shares = whole * np.array(stratum["unit"])[:, None]
    assert section["aggregate"]["paired"]["unpaired"] == [0.0, 0.0, 0.0]
    se = float(np.sqrt(np.sum((shares[1] - shares[0]) ** 2)))
    assert se == pytest.approx(following["to_best"][1], rel=1e-3)
    assert best["highest"]


def test_values_for_tests_stop_where_the_page_would_grow_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    MiniatureBoard().write(tmp_path / "r", [MiniatureModel("a", 0.4), MiniatureModel("b", 0.3)])
    monkeypatch.setattr("brainalign.leaderboard.document.PAIRED_LIMIT", 200)
    (section,) = data_of(build_leaderboard(tmp_path / "r", tmp_path / "o").html)["sections"]
    assert "paired" in section["aggregate"]
    assert not any("paired" in column for column in section["columns"])


def test_names_are_text_wherever_they_appear(files: LeaderboardFiles) -> None:
    text = files.html.read_text(encoding="utf-8")
    page = Page(text)
    assert not [attrs for tag, attrs in page.tags if tag == "img" or "onerror" in attrs]
    assert HOSTILE in [line["model"] for line in data_of(files.html)["sections"][0]["lines"]]
    assert "innerHTML" not in text and "insertAdjacentHTML" not in text


def test_a_title_is_text_too(tmp_path: Path) -> None:
    MiniatureBoard().write(tmp_path / "results", [MiniatureModel("a", 0.4)])
    html = build_leaderboard(tmp_path / "results", tmp_path, title="A <b>&</b> {{data}}").html.read_text(
        encoding="utf-8"
    )
    assert "<h1>A &lt;b&gt;&amp;&lt;/b&gt; {{data}}</h1>" in html
    assert "SIMULATED data" not in html


def test_the_page_needs_nothing_but_itself(files: LeaderboardFiles) -> None:
    text = files.html.read_text(encoding="utf-8")
    for tag, attrs in Page(text).tags:
        assert tag not in {"link", "iframe", "object", "embed"}
        assert not {"src", "srcset", "href", "action"} & attrs.keys()
    assert re.search(r"default-src 'none'", text)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)


def test_simulated_results_say_so(files: LeaderboardFiles) -> None:
    assert "<b>SIMULATED</b> data. Every score on this page is against a simulated brain." in files.html.read_text(
        encoding="utf-8"
    )
    (section,) = data_of(files.html)["sections"]
    assert section["simulated"] and all(line["simulated"] for line in section["lines"])


def test_layers_choices_and_provenance_come_along(files: LeaderboardFiles) -> None:
    document = data_of(files.html)
    line = document["sections"][0]["lines"][0]
    heat, pool = line["heat"][0], document["pool"]
    assert pool[heat["layers"]["pooled"]] == ["layer1|mean", "layer2|mean", "layer3|mean"]
    assert pool[heat["rois"]["pooled"]] == ["early", "late"]
    assert [value * heat["unit"] for value in heat["values"][2]] == pytest.approx([0.5, 0.55])
    assert pool[line["choice"][0]["pooled"]] == "layer3|mean (8 of 10), layer1|mean (2 of 10)"
    facts = dict(line["provenance"][0]["facts"])
    assert document["pool"][facts["git"]["pooled"]]["dirty"] is False
    assert facts["seconds"] == 12.5


def test_the_same_results_give_the_same_bytes(files: LeaderboardFiles, tmp_path: Path) -> None:
    again = build_leaderboard(files.html.parents[1] / "results", tmp_path / "again")
    first, second = (
        {p.relative_to(one.html.parent): p.read_bytes() for p in one.html.parent.rglob("*") if p.is_file()}
        for one in (files, again)
    )
    assert first == second
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == [
        *("badge.svg", "badges"), *(f"leaderboard.{suffix}" for suffix in ("csv", "html", "json", "parquet"))
    ]  # fmt: skip


def test_badges_say_the_rank_and_whether_the_brain_is_simulated(files: LeaderboardFiles) -> None:
    pictures = {path.name: path.read_text(encoding="utf-8") for path in files.badges.iterdir()}
    assert len(pictures) == 3
    said = [ElementTree.fromstring(text).get("aria-label") for text in pictures.values()]
    assert all("SIMULATED" in text for text in said)
    assert sorted(text.split(" · ")[0] for text in said) == [
        "miniature.v1: not ranked",
        "miniature.v1: rank 1 of 2",
        "miniature.v1: rank 2 of 2",
    ]
    assert "3 models, 1 benchmark · SIMULATED" in files.badge.read_text(encoding="utf-8")


def test_a_changed_table_of_blocks_is_refused(tmp_path: Path) -> None:
    path, *_ = MiniatureBoard().write(tmp_path / "results", [MiniatureModel("a", 0.4)])
    blocks = next(path.parent.glob(f"{path.stem}.parquet"))
    pd.read_parquet(blocks).assign(value=0.0).to_parquet(blocks)
    with pytest.raises(ResultFormatError, match="does not match the hash"):
        build_leaderboard(tmp_path / "results", tmp_path / "site")
    blocks.unlink()
    with pytest.raises(ResultError, match="cannot be read"):
        build_leaderboard(tmp_path / "results", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_embedded_json_cannot_end_its_script() -> None:
    text = embedded_json({"a": "</script><!--&\u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--&\u2028"}

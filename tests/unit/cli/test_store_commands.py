"""The store and images through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.store import open_store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store"
    monkeypatch.setenv("BRAINALIGN_STORE", str(path))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return folder


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), [*map(str, arguments)])


def _json(*arguments: str) -> Any:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_empty_store_is_listed_and_not_created(store: Path) -> None:
    assert _json("store", "ls") == []
    assert _json("store", "check")["passed"] is True
    assert not store.exists()
    assert "empty" in _run("store", "ls").stdout


def test_images_come_in_with_their_sources(store: Path, photos: Path, tmp_path: Path) -> None:
    sources = tmp_path / "sources.csv"
    sources.write_text("stimulus,group\na,one\nb,one\nc,two\n")
    answer = _json("data", "import", "images", str(photos), "--set", "mine", "--groups", str(sources))
    assert (answer["n_stimuli"], answer["n_groups"], answer["stimuli"]) == (3, 2, ["a", "b", "c"])
    assert list(open_store(store).stimuli("mine")["group"]) == ["one", "one", "two"]
    assert [entry["stimulus_set"] for entry in _json("store", "ls")] == ["mine"]
    assert "mine" in _run("store", "ls").stdout


def test_a_table_of_sources_without_its_columns_is_refused(store: Path, photos: Path, tmp_path: Path) -> None:
    sources = tmp_path / "sources.csv"
    sources.write_text("id,photo\na,one\n")
    result = _run("data", "import", "images", str(photos), "--set", "mine", "--groups", str(sources))
    assert result.exit_code == 1
    assert "expected stimulus and group" in result.stderr
    assert not store.exists()


def test_damage_is_a_failed_check(store: Path, photos: Path) -> None:
    assert _run("data", "import", "images", str(photos), "--set", "mine").exit_code == 0
    (table,) = (store / "stimuli").glob("*.parquet")
    table.write_bytes(table.read_bytes()[:100])
    result = _run("store", "check", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["passed"] is False
    assert len(document["problems"]) == 1


def test_another_store_can_be_named(tmp_path: Path, store: Path, photos: Path) -> None:
    other = tmp_path / "other"
    assert _run("data", "import", "images", str(photos), "--set", "mine", "--store", str(other)).exit_code == 0
    assert not store.exists()
    assert len(_json("store", "ls", "--store", str(other))) == 1


def test_the_shipped_networks_are_listed(store: Path) -> None:
    names = [row["name"] for row in _json("models", "list")["models"]]
    assert "pixels" in names and "efficientnet-lite0" in names
    assert not store.exists()


def test_a_network_shows_its_revision_and_layers() -> None:
    answer = _json("models", "show", "pixels")
    assert len(answer["revision"]) == 12
    assert answer["layers"] == ["pixels"]


def test_a_model_that_does_not_exist_comes_with_near_names() -> None:
    result = _run("models", "show", "pixel")
    assert result.exit_code == 1
    assert "'pixels'" in result.stderr


def test_datasets_are_listed_and_shown() -> None:
    listed = {row["dataset"]: row for row in _json("data", "list")}
    assert "macaque-v4.v1" in listed["macaque-v4"]["benchmarks"]
    assert "SIMULATED" in listed["simulated-cortex"]["kind"]
    shown = _run("data", "show", "objects92")
    assert "licence: " in shown.stdout and "benchmarks:" in shown.stdout
    assert _json("data", "show", "objects92")["kind"] == "rdms"
    unknown = _run("data", "show", "object92")
    assert unknown.exit_code == 1
    assert "objects92" in unknown.stderr

"""The demo, on the networks that take least: from images to a leaderboard, twice."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainalign.datasets import import_images
from brainalign.demo import run_demo
from brainalign.demo.embedding_ahead import EmbeddedAhead
from brainalign.errors import UnknownModelError
from brainalign.store import open_store

SMALL = ("pixels", "efficientnet-lite0-random")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.mark.slow
def test_from_images_to_a_leaderboard_and_again(folder: Path) -> None:
    report = run_demo(folder, models=SMALL)
    assert set(report.best_layers) == set(SMALL)
    assert report.best_layers["efficientnet-lite0-random"] > report.best_layers["pixels"]
    lines = str(report).splitlines()
    assert lines[-2].startswith("SIMULATED data")
    assert lines[-1] == f"Leaderboard: {folder / 'leaderboard.html'}"
    page = (folder / "leaderboard.html").read_text(encoding="utf-8")
    assert "SIMULATED" in page
    assert (folder / "leaderboard.png").stat().st_size > 10_000
    files = sorted((folder / "results").rglob("*.json"))
    assert len(files) == 8
    assert all(json.loads(file.read_text())["simulated"] for file in files)
    truth = pd.read_parquet(report.truth)
    assert set(truth["model"]) == set(SMALL)

    before = {file: file.stat().st_mtime_ns for file in [*files, report.truth]}
    again = run_demo(folder, models=SMALL)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    pd.testing.assert_frame_equal(again.scores, report.scores)
    assert again.recovered.lines() == report.recovered.lines()


def test_networks_are_embedded_beside_the_caller_and_errors_are_raised_here(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{i}.png")
    store = open_store(tmp_path / "store")
    import_images(store, "toy", photos)
    models = ["pixels", "brainalign.models.pixels:pixels"]  # one is embedded here, the other beside
    names = embedded(models, store.url)
    assert [name.split("@")[0] for name in names] == models
    assert names == embedded(models, store.url)
    with pytest.raises(UnknownModelError, match="no-such-net"):
        embedded(["no-such-net"], store.url)


def embedded(models: list[str], store_url: str) -> list[str]:
    with EmbeddedAhead(models, "toy", store_url) as names:
        return list(names)

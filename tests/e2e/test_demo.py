"""The demo, on the networks that take least: from images to a leaderboard, twice."""

import json
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from brainalign.demo import run_demo
from brainalign.demo.side_by_side import SideBySide, tell
from brainalign.errors import UnknownModelError
from brainalign.models import load_network

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


def test_calls_run_in_other_threads_tell_how_far_they_are_and_raise_here() -> None:
    told: list[tuple[str, int, int]] = []
    turn = sys.getswitchinterval()
    with SideBySide(lambda *news: told.append(news)) as work:
        assert threading.get_ident() not in set(work.as_done([work.call(threading.get_ident) for _ in range(2)]))
        assert list(work.as_done([work.call(torch.get_num_threads) for _ in range(2)])) == [1, 1]
        assert list(work.as_done([work.call(tell, "half of it", 1, 2)])) == [None]
        assert told == [("half of it", 1, 2)]
        with pytest.raises(UnknownModelError, match="no-such-net"):
            list(work.as_done([work.call(load_network, "no-such-net")]))
    assert sys.getswitchinterval() == turn


def _for_ever(begun: threading.Event) -> None:
    while True:
        begun.set()
        time.sleep(0.01)


def test_an_error_interrupts_what_runs_and_drops_what_waits() -> None:
    begun = threading.Event()
    with pytest.raises(KeyboardInterrupt), SideBySide(lambda *_: None) as work:
        calls = [work.call(_for_ever, begun) for _ in range(3)]
        assert begun.wait(10)
        raise KeyboardInterrupt
    assert all(call.done() for call in calls)
    assert isinstance(calls[0].exception(), KeyboardInterrupt)
    assert calls[2].cancelled()

"""The whole way in a shell: images and responses in, a score, a checked result, a page out."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from brainalign.cli.app import build_app


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty images, and responses that read noisy pixels."""
    folder = tmp_path_factory.mktemp("lab")
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (60, 12, 12, 3), dtype=np.uint8)
    (folder / "photos").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / "photos" / f"p{i:02d}.png")
    flat = images.reshape(60, -1) / 255.0
    signal_ = (flat - flat.mean(axis=0)) @ noise.normal(size=(flat.shape[1], 20)) / 10
    np.save(folder / "betas.npy", signal_[:, None] + noise.normal(size=(60, 3, 20)))
    (folder / "ids.txt").write_text("\n".join(f"p{i:02d}" for i in range(60)))
    return folder


def _brainalign(folder: Path, *arguments: str) -> Any:
    """Run a command in ``folder``, in this process: a new one would import everything again."""
    with contextlib.chdir(folder):
        return CliRunner(env={"BRAINALIGN_STORE": str(folder / "store")}).invoke(build_app(), list(arguments))


def _json(folder: Path, *arguments: str) -> Any:
    done = _brainalign(folder, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def scored(lab: Path) -> Any:
    """The answer of ``score``, after everything that it needs."""
    _json(lab, "data", "import", "images", "photos", "--set", "photos")
    _json(
        lab,
        *("data", "import", "responses", "betas.npy", "--dataset", "lab", "--subject", "s1", "--stimuli", "ids.txt"),
        *("--axes", "stimulus,repetition,neuroid", "--stimuli-set", "photos"),
    )
    embedding = _json(lab, "embed", "pixels", "--stimuli", "photos", "--pooling", "flatten")["embedding"]
    return _json(lab, "score", embedding, "lab", "--metric", "cka.linear.debiased")


def test_the_score_has_interval_ceiling_and_chance(scored: Any) -> None:
    (row,) = [row for row in scored["rows"] if row["layer"] == "selected"]
    assert row["low"] < row["value"] < row["high"]
    assert 0 < row["value"] <= 1
    assert row["p"] < 0.05
    assert row["n_stimuli"] > 0 and row["n_neuroids"] == 20
    assert scored["reused"] == []


def test_a_second_run_reuses_the_result(lab: Path, scored: Any) -> None:
    again = _json(lab, "score", "pixels", "lab", "--metric", "cka.linear.debiased")
    assert again["reused"] == ["cka.linear.debiased"]
    assert again["rows"] == scored["rows"]


def test_the_table_for_people_names_the_chosen_layer(lab: Path, scored: Any) -> None:
    done = _brainalign(lab, "score", "pixels", "lab", "--metric", "cka.linear.debiased")
    assert done.exit_code == 0, done.stderr
    assert "selected: pixels|flatten" in done.stdout
    assert "result file: " in done.stdout


def test_results_are_sound_until_one_is_touched(lab: Path, scored: Any) -> None:
    answer = _json(lab, "results", "check", "brainalign-results")
    assert (answer["passed"], answer["problems"]) == (True, [])
    assert answer["n_results"] >= 1
    blocks = next((lab / "brainalign-results").rglob("*.parquet"))
    whole = blocks.read_bytes()
    try:
        blocks.write_bytes(whole[:-1])
        done = _brainalign(lab, "results", "check", "brainalign-results")
        assert done.exit_code == 1
        assert blocks.name in done.stdout
    finally:
        blocks.write_bytes(whole)


def test_a_page_comes_out(lab: Path, scored: Any) -> None:
    answer = _json(lab, "leaderboard", "--out", "site", "--title", "Our photos")
    page = (lab / answer["html"]).read_text(encoding="utf-8")
    assert "Our photos" in page and "pixels" in page
    assert Path(answer["csv"]).name == "leaderboard.csv"


def test_a_metric_that_does_not_exist_is_one_message(lab: Path, scored: Any) -> None:
    done = _brainalign(lab, "score", "pixels", "lab", "--metric", "cka.linear.debiazed")
    assert done.exit_code == 1
    assert "Did you mean 'cka.linear.debiased'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child")
def test_an_interrupted_command_says_so_with_130(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('started', flush=True)\ntime.sleep(60)\n")
    # shells let what runs behind an & ignore Ctrl-C, and children inherit that
    heeding = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"{heeding}runpy.run_module('brainalign', run_name='__main__')",
            "models",
            "show",
            "slow:build",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    assert child.stderr.readline() == "started\n"  # what a library prints goes to stderr
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (130, "")
    assert "Interrupted" in err and "Traceback" not in err

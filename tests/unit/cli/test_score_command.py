"""``brainalign score`` of several embeddings: its plan, its cluster, what it says of failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.cli.progress import bars
from brainalign.testing.toy import MODEL, make_toy_store

YAML = "id: quick\ndataset: toy\nblocks: 10\nn_permutations: 20\nencoding_permutations: 20\nhalf_samples: 20\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    store = make_toy_store(tmp_path, n_stimuli=60)
    rows = {"fc|mean": np.random.default_rng(1).standard_normal((60, 9)).astype(np.float32)}
    store.put_embeddings("lab/a", "1", "images", rows, stimuli=list(store.stimuli("images")["stimulus"]))
    (tmp_path / "quick.yaml").write_text(YAML)
    return tmp_path


def _run(place: Path, *arguments: str) -> Any:
    common = ("--store", str(place / "store"), "--results", str(place / "results"), "--metric", "cka.linear.debiased")
    words = ["score", *arguments, str(place / "quick.yaml"), *common]
    return CliRunner().invoke(build_app(), words)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(place: Path) -> None:
    result = _run(place, MODEL, "lab/*", "--dry-run", "--cluster", "local:2", "--json")
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert (plan["tasks"], plan["workers"], plan["results_there"]) == (2, 2, 0)
    assert plan["operations"] > 0 and plan["bytes_read"] > 0 and plan["requests"] > 0
    assert 0 < plan["seconds"] <= plan["seconds_one_thread"]
    assert not (place / "results").exists()
    words = _run(place, MODEL, "--dry-run").stdout
    assert "1 tasks to do" in words and "GiB a worker" in words


def test_several_embeddings_and_a_second_run(place: Path) -> None:
    result = _run(place, MODEL, "lab/*")
    assert result.exit_code == 0, result.output
    assert len(list((place / "results").rglob("*.v1.json"))) == 2
    assert "cka.linear.debiased:" in result.stderr  # plain lines where there is no terminal
    again = json.loads(_run(place, MODEL, "lab/*", "--json").stdout)
    assert again["reused"] == [f"{MODEL} cka.linear.debiased", "lab/a@1 cka.linear.debiased"]


def test_failures_end_with_the_command_that_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    import brainalign.evaluate  # noqa: F401
    from brainalign.errors import InputError

    def fails(unit: Any, tick: Any) -> Any:
        raise InputError("odd")

    monkeypatch.setattr(sys.modules["brainalign.evaluate.score"], "compute_unit", fails)
    monkeypatch.setattr(sys, "argv", ["brainalign", "score", "a b", "--store=s3://key:secret@lab/x"])
    result = _run(place, MODEL, "lab/*")
    assert result.exit_code == 1
    assert "2 of 2 tasks failed" in result.stderr
    assert "go on with: brainalign score 'a b' --store=s3://lab/x" in result.stderr


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_gone_ends_with_the_command_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    pytest.importorskip("distributed")
    monkeypatch.setattr("brainalign.schedule.spec._CONNECT_SECONDS", 1)
    monkeypatch.setattr(sys, "argv", ["brainalign", "score", "a", "--store=s3://key:secret@lab/x"])
    result = _run(place, MODEL, "--cluster", "tcp://127.0.0.1:9", "--worker-wait", "5")
    assert result.exit_code == 1
    assert "no scheduler answers at tcp://127.0.0.1:9" in result.stderr
    assert "the same call computes only the rest" in result.stderr
    assert "go on with: brainalign score a --store=s3://lab/x" in result.stderr


def test_lines_in_a_log_are_few_and_end_with_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as report:
        for done in range(1, 1001):
            report("tasks", done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["tasks: 1/1000", "tasks: 1000/1000"]

"""A laboratory's own responses and RDMs through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.store import open_store

IDS = ["cat", "dog", "cow", "owl"]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of a laboratory, made the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINALIGN_STORE", str(tmp_path / "store"))
    noise = np.random.default_rng(0)
    np.save("betas.npy", noise.normal(size=(4, 3)))
    Path("ids.txt").write_text("\n".join(IDS) + "\n")
    table = pd.DataFrame(noise.normal(size=(8, 2)), columns=["n1", "n2"])
    table.insert(0, "image", IDS * 2)
    table.to_csv("betas.csv", index=False)
    pd.DataFrame({"neuroid": ["n1", "n2"], "roi": ["V1", "IT"]}).to_csv("rois.csv", index=False)
    np.savez("rdms.npz", V1=noise.random((2, 6)), IT=noise.random((2, 6)))
    np.save("v1.npy", noise.random((2, 6)))
    np.save("it.npy", noise.random((2, 6)))
    return tmp_path


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), list(arguments))


def _json(*arguments: str) -> Any:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_matrix_with_a_file_of_ids(lab: Path) -> None:
    options = ["--dataset", "lab", "--subject", "s1", "--stimuli", "ids.txt", "--averaged", "3"]
    answer = _json("data", "import", "responses", "betas.npy", *options)
    assert (answer["n_stimuli"], answer["n_neuroids"], answer["written"]) == (4, 3, True)
    assert "3 repeats" in answer["averaged"]
    responses = open_store(lab / "store").responses("lab", "s1")
    np.testing.assert_array_equal(responses["response"].values, np.load("betas.npy"))
    assert list(responses["stimulus"].values) == IDS
    assert _json("data", "import", "responses", "betas.npy", *options)["written"] is False


def test_a_table_with_repeats_and_regions(lab: Path) -> None:
    answer = _json(
        *("data", "import", "responses", "betas.csv", "--dataset", "lab", "--subject", "s1"),
        *("--stimuli", "image", "--repeats", "count", "--rois", "rois.csv", "--simulated"),
    )
    assert (answer["n_stimuli"], answer["n_presentations"], answer["repeats"]) == (4, 8, [2, 2])
    responses = open_store(lab / "store").responses("lab", "s1")
    assert responses.attrs["simulated"] is True
    assert responses["V1"].values.tolist() == [True, False]


def test_axes_in_another_order(lab: Path) -> None:
    np.save("turned.npy", np.load("betas.npy").T)
    options = ["--dataset", "lab", "--subject", "s1", "--stimuli", "ids.txt", "--averaged", "unknown number of repeats"]
    _json("data", "import", "responses", "turned.npy", *options, "--axes", "neuroid, stimulus")
    responses = open_store(lab / "store").responses("lab", "s1")
    np.testing.assert_array_equal(responses["response"].values, np.load("betas.npy"))
    assert responses.attrs["averaged"] == "unknown number of repeats"


def test_ids_that_are_not_in_the_set_are_refused(lab: Path) -> None:
    table = pd.DataFrame({"stimulus": ["cat", "dog", "cow", "hen"]})
    open_store(lab / "store").put_stimuli("animals", table)
    result = _run(
        *("data", "import", "responses", "betas.npy", "--dataset", "lab", "--subject", "s1"),
        *("--stimuli", "ids.txt", "--stimuli-set", "animals"),
    )
    assert result.exit_code == 1
    assert "owl" in result.stderr


@pytest.mark.parametrize(
    ("files", "regions"),
    [
        (["rdms.npz"], ["V1", "IT"]),
        (["rdms.npz", "--roi", "V1=early"], ["early"]),
        (["V1=v1.npy", "IT=it.npy"], ["V1", "IT"]),
        (["v1.npy", "--roi", "V1"], ["V1"]),
    ],
)
def test_rdms_of_two_subjects(lab: Path, files: list[str], regions: list[str]) -> None:
    options = ["--dataset", "lab", "--stimuli", "ids.txt", "--subject", "s1", "--subject", "s2"]
    answers = _json("data", "import", "rdms", *files, *options)
    assert [(answer["subject"], answer["rois"]) for answer in answers] == [("s1", regions), ("s2", regions)]
    assert open_store(lab / "store").subjects("lab") == ["s1", "s2"]


@pytest.mark.parametrize("files", [["v1.npy", "it.npy"], ["V1=v1.npy", "V1=it.npy"], ["V1=v1.npy", "it.npy"]])
def test_several_rdm_files_need_a_region_each(lab: Path, files: list[str]) -> None:
    result = _run("data", "import", "rdms", *files, "--dataset", "lab", "--stimuli", "ids.txt")
    assert result.exit_code == 2
    assert "ROI=FILE" in result.stderr


def test_a_known_dataset_without_its_files_says_what_it_needs(lab: Path) -> None:
    result = _run("data", "ingest", "objects92", str(lab))
    assert result.exit_code == 1
    assert "rdms.npz" in result.stderr or "images" in result.stderr
    unknown = _run("data", "ingest", "objects92", str(lab), "--option", "no_such=1")
    assert unknown.exit_code == 1
    assert "no_such" in unknown.stderr
    malformed = _run("data", "ingest", "objects92", str(lab), "--option", "novalue")
    assert malformed.exit_code == 2

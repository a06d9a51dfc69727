"""Beta maps and the files of other tools through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.store import open_store
from brainalign.testing.derivatives import make_betas_tree
from brainalign.testing.foreign_files import make_assembly, make_net2brain_folder


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with maps of a laboratory, made the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINALIGN_STORE", str(tmp_path / "store"))
    rng = np.random.default_rng(0)
    betas = rng.normal(size=(4, 3, 2, 5)).astype(np.float32)
    nib.Nifti1Image(betas, np.eye(4)).to_filename("betas.nii.gz")
    nib.Nifti1Image((np.arange(24).reshape(4, 3, 2) % 3).astype(np.int16), np.eye(4)).to_filename("areas.nii.gz")
    Path("areas.tsv").write_text("index\tname\n1\tV1\n2\tV2\n")
    for side, n in (("lh", 6), ("rh", 7)):
        nib.MGHImage(rng.normal(size=(n, 1, 1, 5)).astype(np.float32), np.eye(4)).to_filename(f"{side}.betas.mgh")
        nib.MGHImage((np.arange(n) % 2).astype(np.float32).reshape(n, 1, 1), np.eye(4)).to_filename(f"{side}.roi.mgz")
    pd.DataFrame({"image": ["a", "b", "a", "c", "b"], "session": [1, 1, 1, 2, 2]}).to_csv("trials.csv", index=False)
    return tmp_path


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), ["data", "import", *arguments])


def _json(*arguments: str) -> Any:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


NAMES = ("--table", "trials.csv", "--stimulus", "image", "--dataset", "lab", "--subject", "s1")


def test_a_volume_with_regions(lab: Path) -> None:
    answer = _json("volumes", "betas.nii.gz", *NAMES, "--roi", "k=areas.nii.gz", "--labels", "k=areas.tsv")
    assert (answer["n_presentations"], answer["n_neuroids"], answer["rois"]) == (5, 16, ["k/V1", "k/V2"])
    back = open_store(lab / "store").responses("lab", "s1")
    assert back["session"].values.tolist() == [1, 1, 1, 2, 2]


def test_a_surface(lab: Path) -> None:
    answer = _json(
        *("volumes", "lh.betas.mgh", "rh.betas.mgh", *NAMES, "--surface", "fsaverage"),
        *("--roi", "k=lh.roi.mgz,rh.roi.mgz", "--zscore", "session", "--variant", "z"),
    )
    assert (answer["n_neuroids"], answer["rois"], answer["variant"]) == (6, ["k"], "z")
    assert open_store(lab / "store").responses("lab", "s1").attrs["surface"] == "fsaverage"


def test_a_derivative(lab: Path) -> None:
    make_betas_tree(lab / "glm")
    answer = _json("bids", "glm", "--dataset", "lab", "--subject", "01", "--entity", "space=T1w")
    assert answer["n_presentations"] == 22
    assert "2 maps have no stimulus" in " ".join(answer["notes"])


def test_what_cannot_be_used_is_said(lab: Path) -> None:
    assert "of the form NAME=VALUE" in _run("volumes", "betas.nii.gz", *NAMES, "--roi", "areas.nii.gz").stderr
    absent = _run("volumes", "betas.nii", *NAMES)
    assert absent.exit_code == 1
    assert "no file betas.nii" in absent.stderr


def test_an_assembly_and_back(lab: Path) -> None:
    truth = make_assembly(lab / "in")
    options = ["--dataset", "mini", "--stimuli-set", "mini", "--stimuli", str(truth.stimuli)]
    answer = _json("brainscore", str(truth.path), *options)
    assert [entry["subject"] for entry in answer] == ["s1", "s2"]
    for tool, names in {"brainscore": ["assy_mini.nc", "stimulus_mini.csv"], "rsatoolbox": ["mini_s1.h5"]}.items():
        arguments = ["data", "export", tool, "mini", "--out", "out", "--subject", "s1", "--json"]
        written = json.loads(CliRunner().invoke(build_app(), arguments).stdout)["files"]
        assert [Path(file).name for file in written] == names
    again = _json("rsatoolbox", "out/mini_s1.h5", "--dataset", "again")
    assert (again[0]["subject"], again[0]["n_presentations"], again[0]["rois"]) == ("s1", 18, ["IT", "V1"])


def test_features_of_another_tool(lab: Path) -> None:
    make_net2brain_folder(lab / "n2b")
    answer = _json("features", "n2b", "--model", "net", "--stimuli-set", "photos")
    assert (answer["n_stimuli"], answer["format"]) == (5, "net2brain")


def test_a_split_and_an_audit(lab: Path) -> None:
    store = open_store(lab / "store")
    ids = [f"im{i:02d}" for i in range(30)]
    store.put_stimuli("set", pd.DataFrame({"stimulus": ids}))
    np.save("m.npy", np.random.default_rng(0).normal(size=(30, 4)))
    Path("ids.txt").write_text("\n".join(ids))
    options = ["--dataset", "lab", "--subject", "s1", "--stimuli", "ids.txt", "--stimuli-set", "set", "--averaged", "2"]
    _json("responses", "m.npy", *options)
    made = json.loads(CliRunner().invoke(build_app(), ["data", "split", "set", "random", "--json"]).stdout)
    assert [len(variant["test_ids"]) for variant in made["variants"]] == [6] * 5
    table = CliRunner().invoke(build_app(), ["data", "split", "set", "random"]).stdout
    assert "set: random.v1" in table
    audit = CliRunner().invoke(build_app(), ["data", "audit", "lab", "--split", "random.v1", "--json"])
    assert (audit.exit_code, json.loads(audit.stdout)["passed"]) == (0, True)
    assert CliRunner().invoke(build_app(), ["data", "audit", "lab", "--split", "tau.v1"]).exit_code == 1

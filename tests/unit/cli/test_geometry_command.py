"""``brainalign geometry`` on files and on stored embeddings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.geometry import local_dimension
from brainalign.store import open_store
from brainalign.testing.clouds import gaussian

LOCAL = "dimension.local.mle.k10"


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(build_app(), ["geometry", *map(str, arguments)])


def _rows(*arguments: str) -> Any:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("ending", ["npy", "csv"])
def test_a_file(tmp_path: Path, ending: str) -> None:
    X, path = gaussian(60, 3), tmp_path / f"features.{ending}"
    if ending == "npy":
        np.save(path, X)
    else:
        np.savetxt(path, X, delimiter=",", header="a,b,c", comments="")
    rows = _rows(path, "--property", LOCAL, "--property", "dimension.participation-ratio")
    assert [row["property"] for row in rows] == [LOCAL, "dimension.participation-ratio"]
    assert rows[0]["value"] == pytest.approx(local_dimension(X, k=10).value)
    assert (rows[0]["layer"], rows[0]["n_stimuli"], rows[0]["n_units"]) == (None, 60, 3)
    few = _rows(path, "--property", LOCAL, "--n-stimuli", "40", "--seed", "3")
    assert few[0]["n_stimuli"] == 40
    assert few == _rows(path, "--property", LOCAL, "--n-stimuli", "40", "--seed", "3")


def test_all_properties_with_reasons_and_copies(tmp_path: Path) -> None:
    path = tmp_path / "features.npy"
    np.save(path, np.concatenate([gaussian(60, 3), gaussian(5, 3)]))
    result = _run(path)
    assert result.exit_code == 0, result.output
    assert "scale.excess-slope" in result.stdout
    assert "scale.structure.mean: 60 different points" in result.stdout
    assert "5 stimuli equal an earlier one" in result.stdout


def test_layers_of_a_stored_model(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    stimuli = [f"s{i}" for i in range(40)]
    layers = {"blocks.0|mean": gaussian(40, 4, 1), "head|mean": gaussian(40, 2, 2)}
    store.put_embeddings("net", "0123456789ab", "photos", layers, stimuli=stimuli, dtype="float64")
    where = ("net", "--stimuli", "photos", "--store", str(tmp_path / "store"), "--property", LOCAL)
    rows = _rows(*where)
    assert [row["layer"] for row in rows] == list(layers)
    for row in rows:
        assert row["value"] == pytest.approx(local_dimension(layers[row["layer"]], k=10).value)
    assert [row["layer"] for row in _rows(*where, "--layer", "blocks.*")] == ["blocks.0|mean"]
    missing = _run(*where, "--layer", "neck")
    assert missing.exit_code == 1
    assert "UnknownLayerError" in missing.stderr


def test_what_cannot_be_measured_says_so(tmp_path: Path) -> None:
    assert "--stimuli" in _run("net").stderr
    assert "DatasetError" in _run(tmp_path / "absent.npy").stderr
    path = tmp_path / "cube.npy"
    np.save(path, np.zeros((2, 2, 2)))
    assert "no matrix" in _run(path).stderr
    np.save(path, gaussian(20, 2))
    assert "give 4 to 20" in _run(path, "--n-stimuli", "30").stderr
    assert "Did you mean" in _run(path, "--property", "dimension.local.mle.k5").stderr

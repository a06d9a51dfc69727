"""Options of ``brainalign embed`` and ``models list`` that say what a network is."""

import json

import pytest
import torch
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.models import Preprocessing, load_network
from brainalign.store import open_store
from brainalign.testing.small_network import image_store


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    image_store(tmp_path, n=2)
    module = pytest.importorskip("timm").create_model("test_vit").eval()
    state = module.state_dict()
    torch.save(state, tmp_path / "whole.pth")
    del state["norm.bias"]
    torch.save(state, tmp_path / "less.pth")
    return tmp_path


def call(place, command, *arguments):
    return CliRunner().invoke(build_app(), [*command, *arguments, "--store", str(place / "store"), "--json"])


def embedded(place, *arguments):
    return call(place, ["embed"], *arguments, "--stimuli", "set", "--layer", "last")


def test_missing_weights_are_refused_unless_told(place):
    refused = embedded(place, f"timm:test_vit/{place / 'less.pth'}")
    assert refused.exit_code == 1
    assert "norm.bias are missing" in refused.stderr and "--allow-missing" in refused.stderr
    done = embedded(place, f"timm:test_vit/{place / 'less.pth'}", "--allow-missing")
    assert done.exit_code == 0, done.output
    there = open_store(place / "store").embeddings(json.loads(done.stdout)["embedding"], stimuli="set")
    assert there.attrs["attributes"]["weights_missing"] == ["norm.bias"]


@pytest.mark.filterwarnings("default")
def test_a_preprocessing_of_ones_own(place):
    trained = load_network("timm:test_vit/none").trained_with
    own = {"size": trained.size, "resize": "exact", "mean": list(trained.mean), "std": list(trained.std)}
    done = embedded(place, f"timm:test_vit/{place / 'whole.pth'}", "--preprocessing", json.dumps(own))
    assert done.exit_code == 0, done.output
    assert "not the one that it was trained with" in done.stderr  # the whole image, and not its centre
    there = open_store(place / "store").embeddings(json.loads(done.stdout)["embedding"], stimuli="set")
    expected = Preprocessing(size=trained.size, resize="exact", mean=trained.mean, std=trained.std).canonical()
    assert there.attrs["attributes"]["preprocessing"] == expected
    wrong = embedded(place, f"timm:test_vit/{place / 'whole.pth'}", "--preprocessing", '{"size": 160}')
    assert wrong.exit_code == 1 and "does not fit its weights" in wrong.stderr
    senseless = embedded(place, f"timm:test_vit/{place / 'whole.pth'}", "--preprocessing", '{"sise": 160}')
    assert senseless.exit_code == 1 and "is no preprocessing" in senseless.stderr


def test_the_list_of_a_source_says_what_is_embedded(place):
    embedded(place, f"timm:test_vit/{place / 'whole.pth'}")
    listed = call(place, ["models", "list"], "--source", "timm", "--match", "test_vit*")
    rows = {row["name"]: row for row in json.loads(listed.stdout)["models"]}
    assert rows["timm:test_vit"]["embedded"] == ["set"]
    assert rows["timm:test_vit2"]["embedded"] == []
    assert all(name.startswith("timm:test_vit") for name in rows)
    pretrained = [row for row in rows.values() if row["pretrained"]]
    assert pretrained and all(row["note"] == "weights on a hub" for row in pretrained)
    unknown = call(place, ["models", "list"], "--source", "tim")
    assert unknown.exit_code == 1 and "'timm'" in unknown.stderr

"""Accuracy from labelled images to a relation, with networks whose knowledge is known."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.errors import InputError, ModelError, ResultConflictError, UnknownLayerError
from brainalign.models import Preprocessing, embed
from brainalign.results import read_property
from brainalign.store import open_store
from brainalign.studies.accuracy import accuracy_differences, measure_accuracy
from brainalign.studies.command import relate_source

COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}
N = 20


class Colours(nn.Module):
    """Scores of red, green and blue: the mean of each channel, less sure the larger ``noise`` is."""

    def __init__(self, noise: float, order: tuple[int, ...] = (0, 1, 2)) -> None:
        super().__init__()
        self.features = nn.AvgPool2d(4)
        self.register_buffer("noise", torch.tensor(noise))
        self.order = list(order)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        wobble = torch.sin(1e4 * x.mean((1, 2, 3)))[:, None] * torch.tensor([1.0, -1.0, 0.0])
        return x.mean((2, 3))[:, self.order] + self.noise * wobble


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for name, colour in COLOURS.items():
        for i in range(N):
            pixels = np.clip(rng.normal(colour, 60, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{name}{i}.png")
            rows.append({"stimulus": f"{name}{i}", "file": f"{name}{i}.png", "label": name})
    store = open_store(tmp_path / "store")
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    store.put_stimuli("colours", table, source=str(tmp_path), kind="folder")
    alone = table.assign(label=[str(i) for i in range(len(table))])
    store.put_stimuli("alone", alone, source=str(tmp_path), kind="folder")
    for noise in (0.0, 0.2, 0.5, 1.0):
        embed(
            Colours(noise), "colours", store, name=f"colours-{noise}", layers=["features", "output"],
            preprocessing=Preprocessing(size=8), batch_size=8,
        )  # fmt: skip
    return store


def value(found, property_id, layer="output|mean"):
    row = found.table[(found.table["property"] == property_id) & (found.table["layer"] == layer)]
    return float(row["value"].iloc[0])


def test_own_classifier_probe_and_neighbours(store):
    found = measure_accuracy("colours-0.0", "colours", store, classes=["red", "green", "blue"])
    assert value(found, "accuracy.top1") == 1.0
    assert value(found, "accuracy.probe.logistic", "features|mean") > 0.95
    assert value(found, "accuracy.knn.k10", "features|mean") > 0.95
    five = found.table[found.table["property"] == "accuracy.top5"].iloc[0]
    assert np.isnan(five["value"]) and "k=5 of 3 classes" in five["reason"]
    turned = measure_accuracy("colours-0.0", "colours", store, classes=["green", "blue", "red"])
    assert value(turned, "accuracy.top1") == 0.0
    assert set(found.table["n_stimuli"]) == {3 * N} and set(found.table["n_classes"]) == {3}


def test_names_without_an_order_have_no_own_classifier(store):
    table = measure_accuracy("colours-0.0", "colours", store).table
    reason = table[table["property"] == "accuracy.top1"]["reason"].iloc[0]
    assert "which output is which" in reason


def test_one_image_a_class_cannot_be_probed_and_says_so(store):
    embed(Colours(0.0), "alone", store, name="net", layers=["features"], preprocessing=Preprocessing(size=8))
    found = measure_accuracy("net", "alone", store)
    assert found.table["value"].isna().all()
    assert found.table["reason"].str.contains("one image a class").all()
    assert "--layer output" in found.notes[0]
    with pytest.raises(UnknownLayerError, match="last layer"):
        measure_accuracy("net", "alone", store, properties=["accuracy.top1"])


def test_numbers_are_outputs_and_may_begin_later(store):
    table = store.stimuli("colours")
    numbers = table.assign(label=[{"red": 0, "green": 1, "blue": 2}[name] for name in table["label"]])
    numbers.loc[0, "label"] = np.nan  # one without a class
    store.put_stimuli("numbers", numbers, source=table.attrs["source"], kind="folder")
    embed(
        Colours(0.0, (2, 0, 1)), "numbers", store, name="turned", layers="output", preprocessing=Preprocessing(size=8)
    )
    found = measure_accuracy("turned", "numbers", store, properties=["accuracy.top1"])
    assert found.table["n_stimuli"].tolist() == [3 * N - 1] and found.table["dropped"].tolist() == [1]
    with pytest.raises(InputError, match="run from 1 to 3, and there are 3"):
        measure_accuracy("turned", "numbers", store, properties=["accuracy.top1"], first_class=1)


def test_described_classes(store):
    directions = {"red": [1.0, 0, 0], "green": [0, 1.0, 0], "blue": [0, 0, 1.0]}

    def tower(texts):
        return np.array([next(v for k, v in directions.items() if k in text) for text in texts], dtype=np.float32)

    tower.takes, tower.revision = "text", "1"
    from brainalign.models.torch_factory import from_function

    network = from_function(tower, name="tower")
    found = measure_accuracy("colours-0.0", "colours", store, text=network, templates=("a {}", "very {} indeed"))
    assert value(found, "accuracy.zero-shot.top1") == 1.0
    with pytest.raises(InputError, match=r"needs \{\} for the name"):
        measure_accuracy("colours-0.0", "colours", store, text=network, templates=("a photo",))
    with pytest.raises(ModelError, match="reads no texts"):
        measure_accuracy("colours-0.0", "colours", store, text="pixels")


def test_networks_are_told_apart_image_by_image(store):
    found = [
        measure_accuracy(f"colours-{noise}", "colours", store, classes=list(COLOURS), properties=["accuracy.top1"])
        for noise in (0.0, 1.0)
    ]
    pair = accuracy_differences([*found, found[0]]).iloc[0]
    assert pair["better"].startswith("colours-0.0@") and pair["told_apart"]
    correct = [one.judged[("output|mean", "accuracy.top1")].correct for one in found]
    gap = correct[0] - correct[1]
    assert pair["difference"] == pytest.approx(gap.mean())
    assert pair["error"] == pytest.approx(gap.std(ddof=1) / np.sqrt(len(gap)))


def test_results_are_what_relate_reads(store, tmp_path):
    root = tmp_path / "results"
    for noise in (0.0, 0.2, 0.5, 1.0):
        name = f"colours-{noise}"
        found = measure_accuracy(name, "colours", store, classes=list(COLOURS), results=root)
    result = read_property(next(f for f in found.files if "top1" in f.name))
    assert result.property.params["label"] == "label" and result.rows[0].part == "output|mean"
    measured = relate_source(root, x=["accuracy.knn.k10"], y=["accuracy.top1"], layer="output*")
    assert measured.grid["n"].iloc[0] == 4
    assert any("accuracy of colours" in note for note in measured.notes)
    again = measure_accuracy("colours-1.0", "colours", store, classes=list(COLOURS), results=root)
    assert again.files == found.files  # the same stands there
    with pytest.raises(ResultConflictError, match="other parameters"):
        measure_accuracy("colours-1.0", "colours", store, classes=list(COLOURS), results=root, seed=1)


def test_the_command(store, tmp_path):
    (tmp_path / "classes.txt").write_text("red\ngreen\nblue\n")
    arguments = ["accuracy", "colours-0.0", "colours-1.0", "--stimuli", "colours", "--store", str(tmp_path / "store")]
    done = CliRunner().invoke(build_app(), [*arguments, "--classes", str(tmp_path / "classes.txt"), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    best = next(row for row in document["accuracies"] if row["property"] == "accuracy.top1")
    assert best["value"] == 1.0 and best["chance"] == pytest.approx(1 / 3)
    assert any(pair["told_apart"] for pair in document["pairs"])
    shown = CliRunner().invoke(build_app(), arguments)
    assert shown.exit_code == 0 and "told apart" in shown.stdout

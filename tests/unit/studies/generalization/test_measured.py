"""Terms of the bound as result files: their values by hand, what has none and why, and who reads them."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.errors import ChoiceError, InputError, ResultConflictError
from brainalign.geometry import local_dimension
from brainalign.leaderboard.curves import collect_properties, geometry_of, last_layer
from brainalign.leaderboard.detail import Pool
from brainalign.metrics.bound_terms import BOUND_TERMS, get_bound_term
from brainalign.models import Preprocessing, embed
from brainalign.models.torch_factory import from_module
from brainalign.results import read_property
from brainalign.store import Store, open_store
from brainalign.studies.generalization import Assumed, measure_generalization
from brainalign.studies.geometry import measure_geometry
from brainalign.studies.joined import results_and_properties

COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}
N = 20
PREPARED = Preprocessing(size=8)


def colours(gain: float = 3.0) -> nn.Sequential:
    """Mean of each channel, three linear units of known norm, three scores."""
    network = nn.Sequential()
    network.add_module("pool", nn.AdaptiveAvgPool2d(2))
    network.add_module("flatten", nn.Flatten())
    hidden, linear = nn.Linear(12, 3, bias=False), nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        hidden.weight.copy_(torch.eye(3).repeat_interleave(4, dim=1) / 4)
        linear.weight.copy_(torch.diag(torch.tensor([gain, 2.0, 1.0])))
    network.add_module("hidden", hidden)
    network.add_module("linear", linear)
    return network


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[str, object]]:
    root = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    rows = []
    for name, colour in COLOURS.items():
        for i in range(N):
            pixels = np.clip(rng.normal(colour, 60, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"{name}{i}.png")
            rows.append({"stimulus": f"{name}{i}", "file": f"{name}{i}.png", "label": name})
    store = open_store(root / "store")
    store.put_stimuli("colours", pd.DataFrame(rows), source=str(root), kind="folder")
    store.put_stimuli("bare", pd.DataFrame(rows).drop(columns="label"), source=str(root), kind="folder")
    networks = {}
    for gain in (3.0, 4.0, 6.0, 9.0):
        name = f"gain-{gain:g}"
        networks[name] = from_module(colours(gain), name=name, preprocessing=PREPARED)
        for stimuli in ("colours", "bare"):
            embed(
                networks[name], stimuli, store, layers=["pool", "hidden", "output"], preprocessing=PREPARED,
                batch_size=8,
            )  # fmt: skip
    return store, networks


def pooled(value, pool: Pool):
    return pool.values[value["pooled"]] if isinstance(value, dict) else value


def measured(world, name="gain-3", **options):
    store, networks = world
    given = {"network": networks[name], "classes": list(COLOURS), "heldout": True, **options}
    return measure_generalization(name, "colours", store, **given)


def values(found) -> dict[tuple[str, str], float]:
    return {(row["layer"], row["property"]): row["value"] for row in found.table.to_dict(orient="records")}


def test_every_term_has_a_record():
    for name, record in BOUND_TERMS.items():
        assert record.id == name and record.title and record.source and record.version >= 1
    with pytest.raises(ChoiceError, match=r"'bound.gap'"):
        get_bound_term("bound.gaps")


def test_sensitivities_are_the_norms_of_what_follows(world):
    at = values(measured(world))
    assert at["hidden|mean", "sensitivity.upper"] == pytest.approx(3.0, rel=1e-5)
    assert at["hidden|mean", "sensitivity.local"] == pytest.approx(3.0, rel=1e-5)
    # the mean of four numbers halves a norm: eye / 4 over four places
    assert at["pool|mean", "sensitivity.upper"] == pytest.approx(1.5, rel=1e-5)
    assert at["output|mean", "sensitivity.upper"] == at["output|mean", "sensitivity.local"] == 1.0


def test_the_terms_of_the_bound_by_hand(world):
    store, _ = world
    at = values(measured(world, assumed=Assumed(bayes_lipschitz=0.5, bayes_error=0.1)))
    Z = store.embeddings("gain-3", stimuli="colours")["hidden|mean"].values.astype(float)
    sensitivity = 3.0 * math.sqrt(0.5) + 0.5
    width = np.linalg.norm(Z[:, None] - Z[None], axis=-1).max()
    n, layers = len(Z), 2  # hidden and output: the map of the pool was averaged
    spread = math.sqrt(math.log(2 * layers / 0.05) / (2 * n))
    dimension = local_dimension(Z, k=20, average="harmonic").value
    expected = {
        "bound.convergence": sensitivity * width * n ** -min(0.5, 1 / (dimension + 0.1)),
        "bound.deviation": sensitivity * width * spread,
        "bound.bayes": 0.2,
    }
    got = {name: at["hidden|mean", name] for name in expected}
    assert got == pytest.approx(expected, rel=1e-5)
    assert at["hidden|mean", "bound.gap"] == pytest.approx(sum(expected.values()), rel=1e-5)
    logits = store.embeddings("gain-3", stimuli="colours")["output|mean"].values.astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    right = np.repeat(np.eye(3), N, axis=0)
    assert at["output|mean", "bound.loss"] == pytest.approx(np.abs(shares - right).sum(1).mean())
    assert at["output|mean", "bound.hoeffding"] <= min(at["output|mean", "bound.gap"], at["hidden|mean", "bound.gap"])
    assert ("hidden|mean", "bound.loss") not in at


def test_what_has_no_value_says_why(world):
    found = measured(world)
    pooled = found.table.query("layer == 'pool|mean' and property == 'bound.gap'").iloc[0]
    assert np.isnan(pooled["value"]) and "pooling flatten" in pooled["reason"]
    assert any(note.startswith("assumed: ") and "no data test" in note for note in found.notes)
    unsaid = measured(world, heldout=False)
    assert not unsaid.table["property"].str.startswith("bound.").any()
    assert "no part in training" in unsaid.notes[0]
    unordered = measured(world, classes=None)
    assert unordered.table.query("property == 'bound.gap'")["value"].isna().all()
    assert "which output is which" in unordered.notes[0]


def test_without_classes_sensitivities_are_left(world):
    store, networks = world
    found = measure_generalization("gain-3", "bare", store, network=networks["gain-3"], heldout=True)
    assert set(found.table["property"]) == {"sensitivity.local", "sensitivity.upper"}
    assert "no column 'label'" in found.notes[0]
    with pytest.raises(InputError, match="nothing could be measured"):
        measure_generalization("gain-3", "bare", store, properties=["gap.probe.logistic"])


def test_another_network_is_refused(world):
    with pytest.raises(InputError, match="revision"):
        measured(world, network=world[1]["gain-9"])


def test_attention_has_no_global_constant(world):
    store, _ = world

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flatten, self.head = nn.Flatten(), nn.Linear(192, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.flatten(x)[:, None]
            return self.head(nn.functional.scaled_dot_product_attention(x, x, x)[:, 0])

    torch.manual_seed(0)
    network = from_module(Attending(), name="attending", preprocessing=PREPARED)
    embed(network, "colours", store, layers=["flatten", "output"], preprocessing=PREPARED, batch_size=8)
    found = measure_generalization(
        "attending", "colours", store, network=network, layers=["flatten*"], classes=list(COLOURS), heldout=True
    )
    at = found.table.set_index("property")
    assert np.isnan(at.loc["sensitivity.upper", "value"]) and "attention" in at.loc["sensitivity.upper", "reason"]
    assert at.loc["sensitivity.local", "value"] > 0
    assert np.isnan(at.loc["bound.gap", "value"]) and "attention" in at.loc["bound.gap", "reason"]


def test_relate_and_the_leaderboard_read_the_files(world, tmp_path: Path):
    store, networks = world
    convergence = ["dimension.wasserstein", "convergence.slope", "convergence.curve.wasserstein"]
    for name in networks:
        measured(world, name, results=tmp_path)
        measure_geometry(name, stimuli="colours", store=store, properties=convergence, results=tmp_path)
    joint = results_and_properties(
        tmp_path,
        metrics=[],
        properties=["convergence.slope", "sensitivity.upper", "bound.gap", "bound.hoeffding"],
        layer="hidden*",
    )
    table = joint.table.set_index("model")
    assert table["sensitivity.upper"].to_dict() == pytest.approx({f"gain-{g}": g for g in (3, 4, 6, 9)}, rel=1e-5)
    assert table["bound.gap"].is_monotonic_increasing and (table["bound.hoeffding"] <= table["bound.gap"]).all()
    assert (table["convergence.slope"] < 0).all()
    kept = next(iter(collect_properties(tmp_path).values()))
    pool = Pool()
    (shown,) = geometry_of(kept, pool)
    assert {"bound.gap.v1", "sensitivity.local.v1", "convergence.slope.v1"} <= set(
        pooled(shown["table"]["names"], pool)
    )
    (curve,) = shown["curves"]
    assert curve["property"] == "convergence.curve.wasserstein.v1"
    assert all(0 < v < 1 for row in curve["values"] for v in row)  # in diameters
    assert "bound.gap of the last layer on colours" in last_layer(kept)


def test_files_of_other_parameters_are_never_mixed(world, tmp_path: Path):
    (path,) = measured(world, properties=["bound.gap"], results=tmp_path).files
    stored = read_property(path)
    assert stored.property.params["n_layers"] == 2 and stored.property.params["delta"] == 0.05
    with pytest.raises(ResultConflictError, match="parameters"):
        measured(world, properties=["bound.gap"], layers=["output*"], results=tmp_path)


def test_the_command_answers(world, tmp_path: Path):
    store, _ = world
    words = ["generalization", "measure", "gain-3", "--stimuli", "colours", "--store", str(store.url)]
    words += ["--property", "gap.probe.logistic", "--results", str(tmp_path), "--json"]
    result = CliRunner().invoke(build_app(), words, prog_name="brainalign")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {row["layer"] for row in found["rows"]} == {"pool|mean", "hidden|mean", "output|mean"}
    assert all(-0.2 < row["value"] < 0.5 and row["error"] >= 0 for row in found["rows"])
    assert len(found["files"]) == 1 and Path(found["files"][0]).is_file()

"""The experiments in small, what they must show; in full as studies."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from brainalign.cifar_resnet import CifarResNet
from brainalign.cli.app import build_app
from brainalign.errors import DatasetError, InputError
from brainalign.models import load_network
from brainalign.similarity import cka
from brainalign.studies.generalization import autoencoder_study, relate_to_gap, resnet_study, resnet_table, width_study

RUN = CliRunner()
APP = build_app()


@pytest.fixture(scope="module")
def widths():
    return width_study(widths=(2, 8, 64), n_seeds=1)


def test_narrowing_lowers_dimension_and_raises_sensitivity(widths):
    at = widths.networks.set_index("width")
    assert at["dimension"].is_monotonic_increasing
    assert at["product"].is_monotonic_decreasing
    assert (at["local"] <= at["product"]).all()
    assert widths.orders.loc[0, "rho_dimension"] == pytest.approx(1)
    assert widths.orders.loc[0, "rho_product"] == pytest.approx(-1)


def test_the_disagreement_of_signs_is_said_and_dimension_alone_claims_nothing(widths):
    said = widths.sentences[0]
    assert "the signs disagree" in said or "the signs agree" in said
    assert "no claim" in said or "does not predict" in said


def test_few_networks_relate_within_their_cells():
    rng = np.random.default_rng(0)
    rows = [
        {"n": n, "noise": 0.0, "width": w, "dimension": w + rng.normal() * 0.1, "gap": 10 / n + w,
         "n_inverse_root": n**-0.5}
        for n in (1, 100)
        for w in (1, 2, 3, 4)
    ]  # fmt: skip
    found = relate_to_gap(pd.DataFrame(rows), cells=["n", "noise"]).set_index("measure")
    assert found.loc["dimension", "tau_within"] == pytest.approx(1)
    assert found.loc["dimension", "tau"] < 1  # over all, n decides
    assert np.isnan(found.loc["n_inverse_root", "tau_within"])  # it is the same inside every cell


def test_experiments_refuse_what_shows_nothing():
    with pytest.raises(InputError, match="three widths"):
        width_study(widths=(2, 4))
    with pytest.raises(InputError, match="three"):
        autoencoder_study(bottlenecks=(2, 4))
    with pytest.raises(InputError, match="weights"):
        resnet_study([], "nowhere")


def test_autoencoders_of_wider_bottlenecks_have_slower_rates():
    found = autoencoder_study(bottlenecks=(2, 6, 24), n_draws=8, steps=120)
    at = found.networks.set_index("bottleneck")
    assert at["dimension"].is_monotonic_increasing and at["slope"].is_monotonic_increasing
    assert found.rho_distance == pytest.approx(1) and found.rho_rate == pytest.approx(1)


@pytest.fixture(scope="module")
def small_world(tmp_path_factory) -> tuple[list[Path], Path]:
    """Two networks with random weights, and images of one colour a class with noise."""
    from PIL import Image

    root = tmp_path_factory.mktemp("resnets")
    files = []
    for depth in (8, 14):
        torch.manual_seed(depth)
        state = {f"module.{name}": value for name, value in CifarResNet((depth - 2) // 6).state_dict().items()}
        torch.save({"state_dict": state}, root / f"resnet{depth}-random.th")
        files.append(root / f"resnet{depth}-random.th")
    rng = np.random.default_rng(0)
    for i, kind in enumerate(("airplane", "bird", "frog")):
        folder = root / "images" / kind
        folder.mkdir(parents=True)
        for j in range(24):
            pixels = np.clip(80 * i + rng.normal(0, 25, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{j:04d}.png")
    return files, root / "images"


def test_resnets_are_profiled_on_held_out_halves(small_world):
    files, images = small_world
    found = resnet_study(files, images, n_per_class=24, lipschitz=False)
    assert found.networks["model"].tolist() == ["cifar-resnet8", "cifar-resnet14"]
    assert len(found.layers) == 10 and len(found.classes) == 6
    assert found.embeddings[("cifar-resnet8", "flatten")].shape == (72, 64)
    assert (found.classes["n_train"] == 12).all() and (found.classes["n_test"] == 12).all()
    assert (found.layers["probe_test"] > 0.9).any()  # colour is easily read
    table = resnet_table(found)
    assert len(table) == 8 and "layer3" not in set(table["layer"])
    assert table["alignment"].between(-1, 1).all()
    own = table.set_index(["model", "layer"])
    one, other = (found.embeddings[(model, "flatten")] for model in found.networks["model"])
    assert own.loc[("cifar-resnet8", "flatten"), "alignment"] == pytest.approx(cka(one, other))
    probe = found.layers.set_index(["model", "layer"])["probe_test"]
    assert own.loc[("cifar-resnet14", "layer1"), "accuracy"] == probe[("cifar-resnet14", "layer1")]


def test_resnets_need_known_classes(small_world, tmp_path):
    files, _ = small_world
    (tmp_path / "cow").mkdir()
    (tmp_path / "cow" / "a.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="cow"):
        resnet_study(files, tmp_path)


@pytest.mark.slow
def test_cifar_resnets_reach_their_known_accuracy(shared_data):
    from brainalign.studies.generalization import labelled_images
    from brainalign.studies.generalization.profiles import embeddings_at

    known = {20: 0.810, 32: 0.826}  # on all 10,000 of these recompressed images
    for depth, accuracy in known.items():
        (file,) = (shared_data / "weights_cifar_resnet").glob(f"resnet{depth}-*.th")
        network = load_network(f"cifar-resnet:{file}")
        inputs, labels = labelled_images(
            shared_data / "cifar10_test" / "cifar10_test_jpg.zip", network, n_per_class=100
        )
        out = embeddings_at(network.module, inputs, ["linear"])["linear"]
        assert (out.argmax(1) == labels.numpy()).mean() == pytest.approx(accuracy, abs=0.04)


def reply(*words: str):
    result = RUN.invoke(APP, ["generalization", *words, "--json"], prog_name="brainalign")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def test_the_commands_answer(tmp_path, small_world):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "a.npy", rng.random((200, 3)))
    np.save(tmp_path / "b.npy", rng.random((150, 3)) + 0.5)
    (rate,) = reply("rate", str(tmp_path / "a.npy"), "--draws", "3")
    assert rate["slope"] < 0 and len(rate["sizes"]) == len(rate["distance"])
    split = reply("split", str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), "--permutations", "5")
    assert split["scaled"] > split["null_mean"]
    found = reply(
        "resnets", *map(str, small_world[0]), "--images", str(small_world[1]), "--no-lipschitz", "--per-class", "24"
    )
    assert len(found["networks"]) == 2


def test_the_bound_from_files_refuses_training_losses_unless_told(tmp_path):
    pd.DataFrame({"layer": ["1", "output"], "dimension": [5, 3], "diameter": [2, 1], "lipschitz": [4, np.nan]}).to_csv(
        tmp_path / "terms.csv", index=False
    )
    np.save(tmp_path / "losses.npy", np.full(500, 0.1))
    files = [str(tmp_path / "terms.csv"), str(tmp_path / "losses.npy")]
    found = reply("bound", *files)
    assert found["layer"] == "output" and found["hoeffding"] < found["gap"]
    assert [row["layer"] for row in found["rows"]] == ["1", "output"]
    assert "neither this bound" in reply("bound", *files, "--train")["assumptions"][0]
    (tmp_path / "bad.csv").write_text("layer,dimension,size\n1,2,3\n")
    assert "lacks diameter; has unknown size" in reply("bound", str(tmp_path / "bad.csv"), files[1])["error"]["message"]


@pytest.mark.study
def test_width_study_on_digits(capsys):
    """All cells: dimension up and product down with the width by Spearman .8 or more at n = 100 without noise."""
    start, work = time.perf_counter(), time.process_time()
    found = width_study(sizes=(100, 200, 400, 800), noises=(0.0, 0.2), n_seeds=2)
    seconds, work = time.perf_counter() - start, time.process_time() - work
    first = found.orders.query("n == 100 and noise == 0").iloc[0]
    with capsys.disabled():
        part = found.networks.query("n in (100, 800) and noise == 0")
        means = part.groupby(["n", "width"])[["gap", "dimension", "product", "local", "wasserstein"]].mean()
        print("", means.round(3).to_string(), found.orders.round(2).to_string(), sep="\n")
        print(found.relations.round(3).to_string(), *found.sentences[:1], sep="\n")
        print(f"{len(found.networks)} networks, {seconds:.0f} s, {work:.0f} s of processor time")
    assert first["rho_dimension"] >= 0.8 and first["rho_product"] <= -0.8
    assert work < 600  # ten minutes, whatever else the machine does


@pytest.mark.study
def test_autoencoder_study(capsys):
    found = autoencoder_study()
    with capsys.disabled():
        print("", found.networks.round(3).to_string(), sep="\n")
    assert found.rho_distance >= 0.8 and found.rho_rate >= 0.8


@pytest.mark.study
def test_resnet_study(capsys, shared_data):
    start = time.perf_counter()
    found = resnet_study(
        sorted((shared_data / "weights_cifar_resnet").glob("*.th")),
        shared_data / "cifar10_test" / "cifar10_test_jpg.zip",
        n_per_class=200,
    )
    with capsys.disabled():
        print("", found.networks.round(3).T.to_string(), found.layers.round(3).to_string(), sep="\n")
        print(found.relations.round(3).T.to_string(), f"{time.perf_counter() - start:.0f} s", sep="\n")
    assert found.networks["accuracy"].between(0.75, 0.9).all()
    assert (found.layers["lipschitz_local"] <= found.layers["lipschitz_upper"] * (1 + 1e-6)).all()

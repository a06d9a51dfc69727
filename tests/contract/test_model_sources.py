"""Every source of networks keeps the promises that all sources make.

Each is tried on a small network with random weights; its activations are compared with a plain forward pass.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from brainalign.errors import MissingDependencyError, ModelError, UnknownModelError
from brainalign.models import Network, Preprocessing, embed, load_network, streaming
from brainalign.models.catalogue import SOURCES
from brainalign.models.check_image import differences, see_preprocessing
from brainalign.store import open_store

N = 5
SMALL = Preprocessing(size=16, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
CAPTIONS = ["a red house", "two dogs", "the sea at night", "a bowl of rice", "an empty street"]


@dataclass
class Case:
    """A network by name, a layer of it, and what that layer gives for a batch by a way of its own."""

    spec: str
    layer: str
    expected: Any  # batch -> (n, …)
    preprocessing: Preprocessing | None = None
    needs_batch: bool = True


def net() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = [nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()) for _ in range(2)]
        return nn.Sequential(nn.Conv2d(3, 4, 3), *block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


def hooked(module: nn.Module, layer: str) -> Any:
    def run(batch: torch.Tensor) -> torch.Tensor:
        seen: list[Any] = []
        handle = module.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(out))
        with torch.no_grad():
            module(batch)
        handle.remove()
        out = seen[-1]
        return out if isinstance(out, torch.Tensor) else out[0]

    return run


def timm_case(folder: Path) -> Case:
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    torch.manual_seed(1)
    module = timm.create_model("test_vit").eval()
    save_file(module.state_dict(), str(folder / "vit.safetensors"))
    return Case(f"timm:test_vit/{folder / 'vit.safetensors'}", "blocks.1", hooked(module, "blocks.1"))


def torchvision_case(folder: Path) -> Case:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(1)
    module = models.squeezenet1_1().eval()
    torch.save(module.state_dict(), folder / "squeeze.pth")
    return Case(f"torchvision:squeezenet1_1/{folder / 'squeeze.pth'}", "features.4", hooked(module, "features.4"))


def transformers_case(folder: Path) -> Case:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8
    )
    torch.manual_seed(1)
    module = transformers.ViTModel(config).eval()
    module.save_pretrained(folder / "vit")
    transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder / "vit")
    name = next(name for name, part in module.named_modules() if name.endswith(("layer.1", "layers.1")))
    return Case(f"transformers:{folder / 'vit'}", name, hooked(module, name))


def open_clip_case(folder: Path) -> Case:
    open_clip = pytest.importorskip("open_clip")
    tower = {"width": 64, "layers": 2}
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "patch_size": 8, **tower},
        "text_cfg": {"context_length": 9, "vocab_size": 49408, "heads": 1, **tower},
    }
    (folder / "tiny-contract.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "tiny-contract.json")
    torch.manual_seed(1)
    module = open_clip.create_model("tiny-contract", pretrained=None, load_weights=False).eval()
    torch.save(module.state_dict(), folder / "clip.pt")
    layer = "transformer.resblocks.1"
    return Case(f"open_clip:tiny-contract/{folder / 'clip.pt'}", layer, hooked(module.visual, layer))


def torchscript_case(folder: Path) -> Case:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(net()), str(folder / "net.pt"))
    return Case(f"torchscript:{folder / 'net.pt'}", "2.0", hooked(net(), "2.0"), SMALL)


def onnx_case(folder: Path) -> Case:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    module = net()
    weights = {k: v.numpy() for k, v in module.state_dict().items()}
    helper, node = onnx.helper, onnx.helper.make_node
    nodes = [
        node("Conv", ["x", "0.weight", "0.bias"], ["/0/Conv"], kernel_shape=[3, 3]),
        node("Conv", ["/0/Conv", "1.0.weight", "1.0.bias"], ["/1/Conv"], kernel_shape=[3, 3], pads=[1] * 4),
        node("Relu", ["/1/Conv"], ["/1/Relu"]),
        node("GlobalAveragePool", ["/1/Relu"], ["/3/Pool"]),
    ]
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", 1, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("/3/Pool", 1, ["n", 4, 1, 1])],
        [onnx.numpy_helper.from_array(weights[k], k) for k in ("0.weight", "0.bias", "1.0.weight", "1.0.bias")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "net.onnx"))
    return Case(f"onnx:{folder / 'net.onnx'}", "/1/Relu", hooked(module, "1.1"), SMALL)


def litert_case(folder: Path) -> Case:
    """A file that exists is needed: nothing here writes one."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    file = (
        Path(__file__).resolve().parents[3]
        / "shared"
        / "data"
        / "weights_tflite"
        / "mobilenet_v1_0.25_128_quant.tflite"
    )
    if not file.is_file():
        pytest.skip("no LiteRT network lies beside this checkout")
    layer = "MobilenetV1/Predictions/Reshape_1"

    def run(batch: torch.Tensor) -> torch.Tensor:
        own, rows = interpreter.Interpreter(str(file)), []
        own.allocate_tensors()
        for image in batch:
            pixels = np.rint(image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            own.set_tensor(own.get_input_details()[0]["index"], pixels[None])
            own.invoke()
            rows.append(own.get_tensor(own.get_output_details()[0]["index"])[0] / np.float32(256))
        return torch.from_numpy(np.stack(rows))

    return Case(f"litert:{file}", layer, run)


def features_case(folder: Path) -> Case:
    values = np.random.default_rng(0).normal(size=(N, 7)).astype(np.float32)
    np.savez(folder / "kept.npz", stimulus=[f"{i}" for i in reversed(range(N))], layer4=values[::-1])
    return Case(f"features:{folder / 'kept.npz'}", "layer4", lambda rows: torch.from_numpy(values), needs_batch=False)


def cifar_resnet_case(folder: Path) -> Case:
    """A checkpoint in the form that they are published in, against a forward pass written anew."""
    from torch.nn import functional

    from brainalign.cifar_resnet import CifarResNet

    torch.manual_seed(1)
    state = CifarResNet(2).eval().state_dict()
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}, "best_prec1": 9.0}, folder / "resnet14.th")

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, mean, var, weight, bias)

    def run(x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(norm(functional.conv2d(x, state["conv1.weight"], padding=1), "bn1"))
        for stage in (1, 2):
            for i in range(2):
                name, stride = f"layer{stage}.{i}", 2 if stage == 2 and i == 0 else 1
                out = functional.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1)
                out = functional.conv2d(
                    functional.relu(norm(out, f"{name}.bn1")), state[f"{name}.conv2.weight"], padding=1
                )
                if stride == 2:
                    zeros = torch.zeros(len(x), 8, 16, 16)
                    x = torch.cat([zeros, x[:, :, ::2, ::2], zeros], 1)
                x = functional.relu(norm(out, f"{name}.bn2") + x)
        return x

    return Case(f"cifar-resnet:{folder / 'resnet14.th'}", "layer2.1", run)


def deep_compression_case(folder: Path) -> Case:
    """A file written here, from weights that are drawn sparse, against torchvision's network with these weights."""
    models = pytest.importorskip("torchvision.models")
    rng = np.random.default_rng(0)
    module = models.squeezenet1_0().eval()
    module.classifier[1].padding = (1, 1)
    parts = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    counts, layers = [], []
    for part in parts:
        weight = np.zeros(part.weight.numel(), np.float32)
        places = np.cumsum(rng.integers(1, 17, len(weight) // 17 + 1))
        places = places[places <= len(weight)] - 1
        codebook = np.concatenate([[0], rng.normal(0, 0.3, 255)]).astype("<f4")
        codes = rng.integers(1, 256, len(places)).astype(np.uint8)
        weight[places] = codebook[codes]
        bias = rng.normal(0, 0.1, part.out_channels).astype("<f4")
        steps = np.diff(places, prepend=-1) - 1
        steps = np.append(steps, 0) if len(steps) % 2 else steps
        packed = (steps[::2] | steps[1::2] << 4).astype(np.uint8)
        counts.append(len(places))
        layers.append(codebook.tobytes() + bias.tobytes() + codes.tobytes() + packed.tobytes())
        with torch.no_grad():
            part.weight.copy_(torch.from_numpy(weight.reshape(part.weight.shape)))
            part.bias.copy_(torch.from_numpy(bias))
    (folder / "squeeze.net").write_bytes(np.array(counts, "<u4").tobytes() + b"".join(layers))
    own = hooked(module, "features.4")
    return Case(f"deep-compression:{folder / 'squeeze.net'}", "features.4", lambda batch: own(batch.flip(1)))  # BGR


CASES = {
    "cifar-resnet": cifar_resnet_case,
    "deep-compression": deep_compression_case,
    "timm": timm_case,
    "torchvision": torchvision_case,
    "transformers": transformers_case,
    "open_clip": open_clip_case,
    "torchscript": torchscript_case,
    "onnx": onnx_case,
    "litert": litert_case,
    "features": features_case,
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    with torch.random.fork_rng():
        return CASES[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def network(case: Case) -> Network:
    return load_network(case.spec, preprocessing=case.preprocessing)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for i in range(N):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    store = open_store(tmp_path / "store")
    table = pd.DataFrame({"stimulus": [str(i) for i in range(N)], "file": [f"{i}.png" for i in range(N)]})
    store.put_stimuli("set", table.assign(caption=CAPTIONS), source=str(tmp_path), kind="folder")
    return store


def test_every_source_has_a_case() -> None:
    assert set(CASES) == set(SOURCES)


def test_activations_in_the_store_equal_a_plain_forward_pass(
    case: Case, network: Network, store: Any, tmp_path: Path
) -> None:
    key = embed(network, "set", store, layers=[case.layer], pooling="flatten", batch_size=2)
    found = store.embeddings(key, stimuli="set")[f"{case.layer}|flatten"].values
    batch = None
    if case.needs_batch:
        batch = torch.stack([network.preprocess(Image.open(tmp_path / f"{i}.png").convert("RGB")) for i in range(N)])
    expected = case.expected(batch).flatten(1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(
    network: Network, case: Case, store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = open_store(tmp_path / "other")
    table = store.stimuli("set")
    other.put_stimuli("set", table, source=table.attrs["source"], kind="folder")
    options: dict[str, Any] = {"layers": [case.layer], "pooling": "srp:3", "batch_size": 2}
    whole = other.embeddings(embed(network, "set", other, **options), stimuli="set")
    monkeypatch.setattr(streaming, "_CHUNK_ROWS", 2)
    rows, calls = streaming.Forward.rows, []

    def stops(self: Any, images: Any, batching: Any, ids: Any) -> Any:
        calls.append(list(ids))
        if calls.count(calls[-1]) == 1 and len(calls) == 3:
            raise KeyboardInterrupt
        return rows(self, images, batching, ids)

    monkeypatch.setattr(streaming.Forward, "rows", stops)
    with pytest.raises(KeyboardInterrupt):
        embed(network, "set", store, **options)
    assert store.models() == []
    again = store.embeddings(embed(network, "set", store, **options), stimuli="set")
    assert calls[3:] == [["4"]]  # two batches of two were kept
    assert again.attrs["entry_sha256"] == whole.attrs["entry_sha256"]


def test_output_is_the_last_layer_whatever_it_is_called(network: Network, store: Any) -> None:
    key = embed(network, "set", store, layers=["output"], pooling="srp:3", batch_size=2)
    there = store.embeddings(key, stimuli="set")
    assert [there[name].attrs["depth"] for name in there.data_vars] == [1.0]


def test_a_check_image_shows_the_preprocessing_that_the_weights_were_trained_with(network: Network) -> None:
    if network.takes != "image":
        return
    seen = see_preprocessing(network.preprocess)
    assert seen is not None and seen.order == "RGB"
    if network.trained_with is not None:
        trained = see_preprocessing(network.trained_with)
        assert trained is not None and differences(seen, trained) == ([], [])


def test_the_protocol(case: Case, network: Network) -> None:
    assert case.layer in network.layers()
    identity = network.identity()
    assert identity["id"] == network.id == case.spec.partition(":")[0] + ":" + network.id.partition(":")[2]
    assert str(Path(case.spec.partition(":")[2]).parent) not in network.id  # no folder of this machine
    assert len(identity["revision"]) == 12 and identity["preprocessing"]
    assert {"family", "n_parameters", "pretrained", "training_data", "source"} <= set(identity)
    assert identity["n_parameters"] == network.n_parameters
    assert network.n_parameters is None if network.takes == "id" else network.n_parameters > 0


def test_the_same_file_is_the_same_revision_and_other_preprocessing_another(case: Case, network: Network) -> None:
    again = load_network(case.spec, preprocessing=case.preprocessing)
    assert again.revision == network.revision
    if network.takes == "image":
        other = load_network(case.spec, preprocessing=Preprocessing(size=128))
        assert other.revision != network.revision


def test_forward_to_named_activations(case: Case, network: Network) -> None:
    if not case.needs_batch:
        batch = torch.stack([network.preprocess(str(i)) for i in range(2)])
    else:
        batch = torch.stack([network.preprocess(Image.new("RGB", (40, 40), c)) for c in ("red", "green")])
    found = network.activations(batch, [case.layer])
    assert list(found) == [case.layer] and len(found[case.layer]) == 2


@pytest.mark.parametrize("source", list(SOURCES))
def test_a_name_that_is_not_there(source: str) -> None:
    with pytest.raises((UnknownModelError, MissingDependencyError)):
        load_network(f"{source}:no-such-thing")


@pytest.mark.parametrize("source", ["torchscript", "onnx", "litert", "features", "cifar-resnet", "deep-compression"])
def test_a_damaged_file(source: str, tmp_path: Path) -> None:
    file = tmp_path / ("x.npz" if source == "features" else "x.bin")
    file.write_bytes(b"no such format" * 9)
    with pytest.raises(ModelError):
        load_network(f"{source}:{file}", preprocessing=None if source == "features" else SMALL)

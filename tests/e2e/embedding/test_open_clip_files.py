"""Both forms of open_clip networks: local files and random weights; nothing is fetched unasked."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from brainalign.errors import (
    ModelError,
    UnknownModelError,
)
from brainalign.models import embed, load_network
from brainalign.testing.small_network import N_IMAGES, images_of

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
    images = torch.stack([transform(Image.open(images_of(store) / f"{i:02d}.png").convert("RGB")) for i in range(4)])
    visual = model.visual.eval()
    with torch.no_grad():
        expected = visual(images).numpy()
    key = embed(f"open_clip:{ARCH}/{folder / 'whole.pt'}", "set", store, layers=["output", "transformer.resblocks.3"])
    there = store.embeddings(key, stimuli="set")
    np.testing.assert_allclose(there["output|mean"].values[:4], expected, rtol=1e-5, atol=1e-6)
    assert there["transformer.resblocks.3|mean"].shape == (N_IMAGES, 64)


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

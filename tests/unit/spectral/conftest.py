"""A tiny text network in a folder, and sentences whose label one word gives away."""

import numpy as np
import pytest
import torch

from brainalign.spectral.study.tasks import Part, Task

WORDS = [f"w{i}" for i in range(30)]


@pytest.fixture(scope="session")
def tiny_text_network(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("tiny-text")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=32, initializer_range=0.2,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
    return folder


def sentences(n, rng):
    """Sentences of six words; class 1 where w0 is among them."""
    drawn = [[WORDS[i] for i in rng.integers(1, 30, 6)] for _ in range(n)]
    labels = rng.integers(0, 2, n)
    for words, label in zip(drawn, labels, strict=True):
        if label:
            words[int(rng.integers(6))] = WORDS[0]
    return [" ".join(words) for words in drawn], labels.astype(float)


@pytest.fixture
def word_task():
    rng = np.random.default_rng(0)
    return Task.of("word", (Part(*sentences(n, rng)) for n in (160, 40, 60)), 2, "accuracy")


@pytest.fixture
def pair_task():
    """Pairs of sentences; the value is the number of words in common."""
    rng = np.random.default_rng(1)

    def part(n):
        one, two = sentences(n, rng)[0], sentences(n, rng)[0]
        two = [a if rng.random() < 0.3 else b for a, b in zip(one, two, strict=True)]
        pairs = list(zip(one, two, strict=True))
        return Part(pairs, np.array([float(len(set(a.split()) & set(b.split()))) for a, b in pairs]))

    return Task.of("pairs", (part(160), part(40), part(60)), 0, "spearman", pairs=True)

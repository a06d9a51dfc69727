"""GLUE recipes for RoBERTa, for whoever has the weights: hyper-parameters as published, run by the same trainer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from brainalign.errors import ChoiceError, near_names
from brainalign.spectral.study.cells import Say, Study
from brainalign.spectral.study.networks import Batches, Source, sentence_source
from brainalign.spectral.study.scorer import glue_average, glue_scores
from brainalign.spectral.study.summary import chosen_cells
from brainalign.spectral.study.tasks import read_glue
from brainalign.spectral.study.train import Schedule

__all__ = ["RECIPES", "Recipe", "run_glue"]

GLUE_TASKS = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")


@dataclass(frozen=True)
class Recipe:
    """A published way to fine-tune on GLUE.

    ``share``: of the parameters of the encoder, which fixes the rank of core and LoRA. ``head_rate`` and ``rates`` go
    with the method. Rates are tried on seed 0 and chosen on the held part of the training set.
    """

    network: str
    method: str
    share: float
    rates: tuple[float, ...]
    head_rate: float
    epochs: int
    batch: int
    warmup: float
    weight_decay: float
    max_length: int
    n_seeds: int
    source: str


def _core(network: str, rates: tuple[float, ...]) -> Recipe:
    # the schedule of LoRA-XS, whose r x r matrix is the nearest published form
    return Recipe(network, "core", 0.002, rates, 1e-3, 10, 32, 0.06, 0.0, 128, 5,
                  "0.2 % of the parameters: arXiv:2605.07302; schedule of LoRA-XS, arXiv:2405.17604")  # fmt: skip


_LORA = "LoRA, arXiv:2106.09685, whose budget is spread here over all matrices of a block, not query and value alone"
RECIPES: dict[str, Recipe] = {
    "roberta-base.core": _core("roberta-base", (1e-3, 4e-3, 1.6e-2)),
    "roberta-large.core": _core("roberta-large", (5e-4, 1e-3, 4e-3)),
    "roberta-base.lora": Recipe("roberta-base", "lora", 0.0024, (5e-4,), 5e-4, 30, 16, 0.06, 0.1, 128, 5,
                                _LORA),
    "roberta-large.lora": Recipe("roberta-large", "lora", 0.0023, (4e-4,), 4e-4, 20, 16, 0.06, 0.1, 128, 5,
                                 _LORA + "; rate and epochs of -large not checked"),
    "roberta-base.diagonal": Recipe("roberta-base", "diagonal", 0.002, (5e-3, 2e-2, 5e-2), 4e-3, 10, 32, 0.1, 0.01,
                                    128, 5, "SVFT, arXiv:2405.19597, whose schedule is for image networks"),
    "roberta-large.diagonal": Recipe("roberta-large", "diagonal", 0.002, (5e-3, 2e-2, 5e-2), 4e-3, 10, 32, 0.1, 0.01,
                                     128, 5, "SVFT, arXiv:2405.19597, whose schedule is for image networks"),
    "roberta-base.full": Recipe("roberta-base", "full", 1.0, (1e-5, 2e-5, 3e-5), 1e-4, 10, 32, 0.06, 0.1, 128, 5,
                                "RoBERTa, arXiv:1907.11692; the rate of the head is a choice made here"),
    "roberta-large.full": Recipe("roberta-large", "full", 1.0, (1e-5, 2e-5, 3e-5), 1e-4, 10, 32, 0.06, 0.1, 128, 5,
                                 "RoBERTa, arXiv:1907.11692; the rate of the head is a choice made here"),
}  # fmt: skip


def run_glue(
    recipe: str,
    network: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    tasks: tuple[str, ...] = GLUE_TASKS,
    device: str = "cpu",
    say: Say = lambda line: None,
    **changes: Any,
) -> dict[str, Any]:
    """Run a recipe on GLUE and score its development sets by the eight tasks' metrics.

    Parameters
    ----------
    recipe : str
        A key of `RECIPES`.
    network : path
        Folder with the weights and the tokenizer.
    data : path
        Folder with ``CoLA/``, ``SST-2/`` and so on, as published.
    out : path
        Folder of the cells; resumed.
    tasks, device, say
    **changes
        Fields of `Recipe` to change.

    Returns
    -------
    dict
        ``tasks``: metric values by task, means over seeds; ``average`` over the tasks run.

    Raises
    ------
    ChoiceError, DatasetError, ModelError
    """
    if recipe not in RECIPES:
        raise ChoiceError(f"recipe {recipe!r} is unknown." + near_names(recipe, RECIPES))
    chosen = Recipe(**{**RECIPES[recipe].__dict__, **changes})
    source = sentence_source(network, max_length=chosen.max_length, joint=True, pooling="first")
    found: dict[str, dict[str, float]] = {}
    for name in tasks:
        task = read_glue(name, data)
        schedule = Schedule(
            share=chosen.share, epochs=chosen.epochs, batch=chosen.batch, warmup=chosen.warmup,
            weight_decay=chosen.weight_decay, n_train=len(task.train), n_dev=len(task.dev), n_test=len(task.test),
        )  # fmt: skip
        study = Study(source, [task], Path(out), (chosen.method,), chosen.n_seeds, schedule, device,
                      rates={chosen.method: chosen.rates}, head_rate=chosen.head_rate, say=say)  # fmt: skip
        cells = chosen_cells(study.cells_of(task, chosen.method))[name, chosen.method]
        scores = [glue_scores(name, cell["predicted"], cell["true"]) for cell in cells]
        if name == "mnli":
            scores += [_mismatched(study, source, data, cell) for cell in cells]
        found[name] = {metric: float(np.mean([s[metric] for s in scores])) for metric in scores[0]}
        say(f"{name}: " + ", ".join(f"{metric} {value:.4f}" for metric, value in found[name].items()))
    return {"tasks": found, "average": glue_average(found)}


def _mismatched(study: Study, source: Source, data: str | Path, cell: dict[str, Any]) -> dict[str, float]:
    """Score MNLI's second development set with the network of a cell, trained again."""
    from brainalign.spectral.study.train import predictions

    other = read_glue("mnli", data, part="dev_mismatched")
    trained = study.train(study.tasks[0], cell["method"], cell["rate"], cell["seed"])
    batches: Batches = source.prepare(other.test, torch.device(study.device))
    return glue_scores("mnli", predictions(trained.network, batches, other), other.test.labels)

"""Does more pretraining make the basis more stable, and does that depend on how far the new task lies?"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from brainalign.cifar_resnet import CifarResNet
from brainalign.errors import InputError
from brainalign.spectral.stability import SpectralComparison, compare_checkpoints
from brainalign.spectral.study.networks import Headed
from brainalign.spectral.study.tasks import Task, draw
from brainalign.spectral.study.train import Schedule, fine_tune
from brainalign.spectral.study.vision import image_source

__all__ = ["Stage", "pretrain_small", "pretraining_rows", "pretraining_study"]


@dataclass(frozen=True)
class Stage:
    """How networks are pretrained: the same number of steps whatever the number of images."""

    steps: int = 600
    batch: int = 64
    rate: float = 2e-3
    blocks: int = 1
    width: int = 16


def pretraining_study(
    pretrain: Task,
    targets: dict[str, tuple[float, Task]],
    *,
    sizes: Sequence[int] = (500, 2000, 6000),
    n_seeds: int = 3,
    stage: Stage | None = None,
    schedule: Schedule | None = None,
    rate: float = 1e-3,
    ranks: Sequence[int] = (2, 4, 8),
    device: str = "cpu",
    seed: int = 0,
    folder: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Pretrain one small network on few and on many images, fine-tune each on several targets, compare.

    Parameters
    ----------
    pretrain : Task
        Its training part is cut to ``sizes``.
    targets : dict of str to (distance, Task)
        Tasks for fine-tuning with their distance from pretraining, as the analyst ranks it (0 the same images, 1 the
        same classes shifted, 2 another task).
    sizes, n_seeds
        Numbers of pretraining images; networks for each.
    stage, schedule : optional
        Of pretraining, of fine-tuning.
    rate : float
        Of full fine-tuning.
    ranks, device, seed
        As in `compare_checkpoints`.
    folder : path, optional
        Keep the rows of each pretrained network there, and do not compute again what is there.

    Returns
    -------
    list of dict
        Rows of `pretraining_rows`, one for each network and target, ready for `relate`.
    """
    if not targets or max(sizes) > len(pretrain.train):
        raise InputError(f"pretraining on {max(sizes)} of {len(pretrain.train)} images, {len(targets)} targets.")
    stage = stage or Stage()
    schedule = schedule or Schedule(n_train=500, n_dev=200, n_test=300)
    rows: list[dict[str, Any]] = []
    for size in sizes:
        for trial in range(seed, seed + n_seeds):
            kept = None if folder is None else Path(folder) / f"pretraining.{size}.{trial}.json"
            if kept is not None and kept.is_file():
                rows += json.loads(kept.read_text(encoding="utf-8"))
                continue
            state, accuracy = pretrain_small(pretrain, size, trial, stage, device)
            known = {"pretraining_images": size, "seed": trial, "pretraining_accuracy": accuracy}
            found = _fine_tuned(state, targets, stage, schedule, rate, ranks, device, trial, known)
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                draft = kept.with_name(f".{kept.name}.part")
                draft.write_text(json.dumps(found), encoding="utf-8")
                draft.replace(kept)
            rows += found
    return rows


def _fine_tuned(
    state: dict[str, torch.Tensor],
    targets: dict[str, tuple[float, Task]],
    stage: Stage,
    schedule: Schedule,
    rate: float,
    ranks: Sequence[int],
    device: str,
    seed: int,
    known: dict[str, Any],
) -> list[dict[str, Any]]:
    source = image_source("small-resnet", functools.partial(_restored, state, stage), 4 * stage.width)
    rows = []
    for name, (distance, task) in targets.items():
        n_train = min(schedule.n_train, len(task.train))
        drawn = draw(task, n_train=n_train, n_dev=schedule.n_dev, n_test=schedule.n_test, seed=seed)
        tuned = fine_tune(source, drawn, "full", rate=rate, seed=seed, schedule=schedule, device=device)
        after = {n: w.cpu() for n, w in tuned.attached.encoder.state_dict().items()}
        found = compare_checkpoints(state, after, ranks=ranks, n_draws=3, seed=seed)
        own = {"target": name, "distance": distance, "accuracy": tuned.record["test"]}
        rows += pretraining_rows(found, {**known, **own})
    return rows


def pretraining_rows(found: SpectralComparison, known: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each rank: what is known of the pair, and means over its matrices.

    Columns: ``overlap``, ``overlap_null`` (same spectrum), ``overlap_excess``, ``energy``, ``energy_chance``,
    ``energy_ratio``, ``relative_norm``, ``stable``, ``leaning`` (words of the verdicts).
    """
    norm = [row["value"] for row in found.rows if row["quantity"] == "relative-norm" and row["value"] is not None]
    rows = []
    for rank in sorted({row["rank"] for row in found.rows if row["quantity"] == "energy"}):
        pick = [row for row in found.rows if row["rank"] == rank and row["value"] is not None]
        overlap = [(r["value"], r["same-spectrum"]) for r in pick if r["quantity"] == "overlap"]
        energy = [(r["value"], r["chance"]) for r in pick if r["quantity"] == "energy"]
        if not overlap or not energy:
            continue
        stay, null = (float(v) for v in np.mean(overlap, axis=0))
        inside, chance = (float(v) for v in np.mean(energy, axis=0))
        rows.append({
            **known, "rank": rank, "overlap": stay, "overlap_null": null, "overlap_excess": stay - null,
            "energy": inside, "energy_chance": chance, "energy_ratio": inside / chance,
            "relative_norm": float(np.mean(norm)), "stable": found.stable.word, "leaning": found.leaning.word,
        })  # fmt: skip
    return rows


def _restored(state: dict[str, torch.Tensor], stage: Stage) -> nn.Module:
    network = CifarResNet(stage.blocks, None, width=stage.width)
    network.load_state_dict(state)
    return network


def pretrain_small(
    task: Task, size: int, seed: int, stage: Stage, device: str = "cpu"
) -> tuple[dict[str, torch.Tensor], float]:
    """Return the weights after pretraining on ``size`` images, and the accuracy on the test part."""
    torch.manual_seed(seed)
    where = torch.device(device)
    source = image_source("small-resnet", lambda: CifarResNet(stage.blocks, None, width=stage.width), 4 * stage.width)
    drawn = draw(task, n_train=size, n_dev=1, n_test=min(1000, len(task.test)), seed=seed)
    train, test = (source.prepare(part, where) for part in (drawn.train, drawn.test))
    network = Headed(source, source.make().to(where), drawn).to(where)
    optimiser = torch.optim.AdamW(network.parameters(), lr=stage.rate, weight_decay=5e-4)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, stage.rate, total_steps=stage.steps)
    order = torch.Generator().manual_seed(seed)
    network.train()
    for _ in range(stage.steps):
        index = torch.randint(0, len(train), (stage.batch,), generator=order).to(where)
        (images,) = train.take(index)
        if bool(torch.rand((), generator=order) < 0.5):
            images = images.flip(3)
        optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network((images,)), train.labels[index].long())
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        plan.step()
    network.eval()
    with torch.no_grad():
        guess = torch.cat(
            [network(test.take(i)).argmax(1) for i in torch.split(torch.arange(len(test), device=where), 256)]
        )
    accuracy = float((guess == test.labels.long()).float().mean())
    return {name: w.detach().cpu().clone() for name, w in network.encoder.state_dict().items()}, accuracy

"""One fine-tuning: a network, a task, a method, a learning rate, a seed; its scores, its time, its memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from brainalign.errors import UndefinedError
from brainalign.spectral.study.methods import METHODS, Attached, attach, budget_of
from brainalign.spectral.study.networks import Batches, Headed, Source
from brainalign.spectral.study.scorer import score
from brainalign.spectral.study.tasks import Task

__all__ = ["Schedule", "Trained", "fine_tune", "predictions"]

EVALUATION_BATCH = 128
NOT_TIMED = 3


@dataclass(frozen=True)
class Schedule:
    """What all methods share: share of parameters, epochs, batch, warm-up, clipping, weight decay, examples."""

    share: float = 0.002
    epochs: int = 2
    batch: int = 32
    warmup: float = 0.06
    clip: float = 1.0
    weight_decay: float = 0.0
    n_train: int = 1000
    n_dev: int = 500
    n_test: int = 1000


@dataclass(frozen=True, eq=False)
class Trained:
    """The network after training, and what was measured.

    ``record`` has: ``dev``, ``test`` (scores), ``predicted``, ``true`` (test), ``loss`` (of the last epoch),
    ``adapter``, ``head``, ``base`` (numbers of parameters), ``rank``, ``step_ms`` (median), ``saved_mb``
    (activations kept for one backward pass), ``peak_mb`` (of the accelerator), ``seconds``.
    """

    network: Headed
    attached: Attached
    record: dict[str, Any]


def fine_tune(
    source: Source,
    task: Task,
    method: str,
    *,
    rate: float,
    seed: int,
    schedule: Schedule,
    device: str | torch.device = "cpu",
    head_rate: float | None = None,
) -> Trained:
    """Fine-tune a fresh copy of a network on a drawn task.

    AdamW, linear warm-up and decay, one rate for the method and one for the head (``head_rate``, default that of the
    method); ``head`` alone uses ``rate`` for the head.

    Raises
    ------
    UndefinedError
        If the loss stops being finite.
    """
    where = torch.device(device)
    began = time.perf_counter()
    torch.manual_seed(seed)
    encoder = source.make().to(where)
    base = sum(p.numel() for p in encoder.parameters())
    attached = attach(method, encoder, budget=budget_of(encoder, schedule.share), seed=seed)
    network = Headed(source, attached.encoder, task).to(where)
    train, dev, test = (source.prepare(part, where) for part in (task.train, task.dev, task.test))
    centre, spread = _scaling(task, train)
    if where.type == "cuda":
        torch.cuda.reset_peak_memory_stats(where)
    own_rate = METHODS[method].head_rate if head_rate is None else head_rate
    rates = (rate, own_rate if attached.trained else rate)
    times, loss, saved = _epochs(network, attached, train, task, rates, seed, schedule, (centre, spread))
    found = {name: predictions(network, part, task) * spread + centre for name, part in (("dev", dev), ("test", test))}
    record = {
        **{name: score(task.metric, found[name], part.labels.cpu().numpy()) for name, part in
           (("dev", dev), ("test", test))},
        "predicted": [round(float(v), 5) for v in found["test"]],
        "true": [round(float(v), 5) for v in task.test.labels],
        "loss": loss, "adapter": sum(p.numel() for p in attached.trained),
        "head": sum(p.numel() for p in network.head.parameters()), "base": base, "rank": attached.rank,
        "step_ms": 1000 * float(np.median(times)), "saved_mb": saved / 1e6,
        "peak_mb": torch.cuda.max_memory_allocated(where) / 1e6 if where.type == "cuda" else None,
        "seconds": time.perf_counter() - began,
    }  # fmt: skip
    return Trained(network, attached, record)


def predictions(network: Headed, part: Batches, task: Task) -> npt.NDArray[np.float64]:
    """Return classes, or values in the units of training, for all of a part."""
    network.eval()
    out = []
    with torch.no_grad():
        for index in torch.split(torch.arange(len(part), device=part.labels.device), EVALUATION_BATCH):
            scores = network(part.take(index)).float()
            out.append(scores.argmax(dim=1) if task.n_classes else scores[:, 0])
    return torch.cat(out).cpu().numpy().astype(np.float64)


def _epochs(
    network: Headed,
    attached: Attached,
    train: Batches,
    task: Task,
    rates: tuple[float, float],
    seed: int,
    schedule: Schedule,
    scaling: tuple[float, float],
) -> tuple[list[float], float, int]:
    """Train; return seconds of each step, mean loss of the last epoch, bytes kept for a backward pass."""
    device = train.labels.device
    groups = [{"params": list(network.head.parameters()), "lr": rates[1]}]
    if attached.trained:
        groups.append({"params": attached.trained, "lr": rates[0]})
    optimiser = torch.optim.AdamW(groups, weight_decay=schedule.weight_decay)
    per_epoch = -(-len(train) // schedule.batch)
    total = per_epoch * schedule.epochs
    warm = max(1, round(schedule.warmup * total))
    plan = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))
    )
    parameters = [*network.head.parameters(), *attached.trained]
    order = torch.Generator().manual_seed(seed)
    times: list[float] = []
    losses: list[torch.Tensor] = []
    saved = 0
    network.train()
    for _ in range(schedule.epochs):
        losses = []
        shuffled = torch.randperm(len(train), generator=order).to(device)
        for index in torch.split(shuffled, schedule.batch):
            began = _now(device)
            with _counted(network, wanted=not times) as kept:
                loss = _loss(network(train.take(index)), train.labels[index], task, scaling)
            saved = max(saved, sum(kept))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, schedule.clip)
            optimiser.step()
            plan.step()
            times.append(_now(device) - began)
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        if not np.isfinite(mean):
            raise UndefinedError(f"{task.name}: the loss is no longer finite at rates {rates[0]:g}, {rates[1]:g}.")
    return times[NOT_TIMED:] or times, mean, saved


def _loss(out: torch.Tensor, labels: torch.Tensor, task: Task, scaling: tuple[float, float]) -> torch.Tensor:
    if task.n_classes:
        return F.cross_entropy(out, labels.long())
    return F.mse_loss(out[:, 0], (labels - scaling[0]) / scaling[1])


def _scaling(task: Task, train: Batches) -> tuple[float, float]:
    """Centre and spread of values in the training part; 0 and 1 for classes."""
    if task.n_classes:
        return 0.0, 1.0
    return float(train.labels.mean()), float(train.labels.std().clamp(min=1e-6))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextlib.contextmanager
def _counted(network: nn.Module, *, wanted: bool) -> Iterator[list[int]]:
    """Count the bytes of what autograd keeps, parameters and buffers apart, each tensor once."""
    if not wanted:
        yield []
        return
    own = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    kept: list[int] = []
    seen: set[int] = set()

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own and place not in seen:
            seen.add(place)
            kept.append(tensor.untyped_storage().nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept

"""A study as cells, each a file that is written once: what is there is not computed again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from brainalign.errors import InputError, ResultConflictError, ResultFormatError
from brainalign.spectral.study.methods import METHODS
from brainalign.spectral.study.networks import Source
from brainalign.spectral.study.summary import as_order
from brainalign.spectral.study.tasks import Task, draw
from brainalign.spectral.study.train import Schedule, Trained, fine_tune

__all__ = ["METHODS_COMPARED", "Study", "read_cells"]

METHODS_COMPARED = ("head", "full", "lora", "core", "random", "trailing", "diagonal")
Say = Callable[[str], None]


@dataclass(eq=False)
class Study:
    """Methods by tasks by seeds; learning rates are chosen on the development set of the first seed.

    Parameters
    ----------
    source : Source
        The pretrained network.
    tasks : sequence of Task
    folder : path
        Where cells are kept: ``TASK.METHOD.RATE.SEED.json``.
    methods : sequence of str
    n_seeds : int
    schedule : Schedule
    device : str
    grid : bool
        False takes the middle rate of each method instead of trying all.
    say : callable
        Gets a line for each cell.
    rates, head_rate : optional
        Learning rates by method, and that of the head, instead of those of `METHODS`.
    """

    source: Source
    tasks: Sequence[Task]
    folder: Path
    methods: Sequence[str] = METHODS_COMPARED
    n_seeds: int = 3
    schedule: Schedule = field(default_factory=Schedule)
    device: str = "cpu"
    grid: bool = True
    say: Say = lambda line: None
    rates: Mapping[str, Sequence[float]] = field(default_factory=dict)
    head_rate: float | None = None

    def __post_init__(self) -> None:
        unknown = [m for m in self.methods if m not in METHODS]
        if unknown or not self.methods or not self.tasks or self.n_seeds < 1:
            raise InputError(
                f"a study needs tasks, seeds and methods among {', '.join(METHODS)}"
                + (f"; unknown: {', '.join(unknown)}" if unknown else ".")
            )
        self.folder = Path(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self) -> list[dict[str, Any]]:
        """Compute the cells that are not there and return the chosen ones, a record each."""
        return [record for task in self.tasks for method in self.methods for record in self.cells_of(task, method)]

    def cells_of(self, task: Task, method: str) -> list[dict[str, Any]]:
        """Return the cells of one task and method at the chosen rate, one for each seed."""
        rates = self.rates.get(method) or METHODS[method].rates
        tried = rates if self.grid else (rates[len(rates) // 2],)
        first = [self.cell(task, method, rate, 0) for rate in tried]
        best = max(first, key=lambda record: as_order(record["dev"]))
        return [best, *(self.cell(task, method, best["rate"], seed) for seed in range(1, self.n_seeds))]

    def cell(self, task: Task, method: str, rate: float, seed: int) -> dict[str, Any]:
        """Return one cell, from its file where it is there.

        Raises
        ------
        ResultConflictError
            If the file there was made with other settings.
        """
        path = self.folder / f"{task.name}.{method}.{rate:g}.{seed}.json"
        settings = self.settings(task)
        if path.is_file():
            return _read(path, settings)
        record = self.train(task, method, rate, seed).record
        record = {
            "task": task.name, "method": method, "rate": rate, "seed": seed, "metric": task.metric,
            "network": self.source.name, "settings": settings, "device": _device_name(self.device),
            "torch": torch.__version__, **record,
        }  # fmt: skip
        _write(path, record)
        self.say(
            f"{path.stem}: dev {record['dev']:.4f} test {record['test']:.4f} {record['step_ms']:.1f} ms/step "
            f"{record['seconds']:.1f} s"
        )
        return record

    def train(self, task: Task, method: str, rate: float, seed: int) -> Trained:
        """Fine-tune as a cell does, and return the network too; nothing is written."""
        s = self.schedule
        drawn = draw(task, n_train=s.n_train, n_dev=s.n_dev, n_test=s.n_test, seed=seed)
        return fine_tune(self.source, drawn, method, rate=rate, seed=seed, schedule=s,
                         device=self.device, head_rate=self.head_rate)  # fmt: skip

    def settings(self, task: Task) -> str:
        """Hash of whatever changes a number beside method, rate and seed: schedule, network, sizes of the task."""
        sizes = [len(part) for part in (task.train, task.dev, task.test)]
        given = {"schedule": asdict(self.schedule), "network": self.source.name, "sizes": sizes,
                 "head_rate": self.head_rate}  # fmt: skip
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:12]


def read_cells(folder: str | Path) -> list[dict[str, Any]]:
    """Read all cells of a folder.

    Raises
    ------
    ResultFormatError
        If a file is no cell.
    InputError
        If there is none.
    """
    files = sorted(Path(folder).glob("*.*.json"))
    if not files:
        raise InputError(f"{folder} holds no cells of a study (TASK.METHOD.RATE.SEED.json).")
    return [_read(file, None) for file in files]


def _read(path: Path, settings: str | None) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        there = record["settings"], record["task"], record["method"], record["rate"], record["test"], record["dev"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResultFormatError(f"{path} is no cell of a study: {error}") from error
    if settings is not None and there[0] != settings:
        raise ResultConflictError(
            f"{path} was made with another schedule, network or set (settings {there[0]}, now {settings}); "
            "take another folder, or remove it."
        )
    return record


def _write(path: Path, record: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.write_text(json.dumps(record), encoding="utf-8")
    draft.replace(path)


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device

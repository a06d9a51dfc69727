"""What an embedding would hold and cost, before it is made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from brainalign.arrays import parse_memory
from brainalign.models.batching import Batching
from brainalign.models.engine import Engine
from brainalign.models.extract import agreed, chosen, requested
from brainalign.models.layers import observed
from brainalign.models.network import Given, Network
from brainalign.models.stimuli_reader import StimulusReader
from brainalign.models.streaming import Extraction
from brainalign.store import Store

__all__ = ["EmbeddingPlan", "PlannedLayer", "plan_embedding"]

_BYTES = {"float32": 4, "float16": 2}


@dataclass(frozen=True)
class PlannedLayer:
    """One layer of an embedding that is planned.

    Attributes
    ----------
    key, layer
        Key in the store, and name of the layer.
    shape
        Of its output for one stimulus.
    n_features
        After pooling.
    megabytes
        In the store, uncompressed.
    gflop
        Floating-point operations of one stimulus until the layer is complete, in 10⁹; None where they cannot be
        counted (compiled graphs and functions).
    stored
        The layer is there already.
    """

    key: str
    layer: str
    shape: tuple[int, ...]
    n_features: int
    megabytes: float
    gflop: float | None
    stored: bool


@dataclass(frozen=True)
class EmbeddingPlan:
    """An embedding before it is made.

    Attributes
    ----------
    model, stimuli, n_stimuli, n_inputs
        ``n_inputs`` counts the frames of videos.
    layers
        In the order of depth.
    batch_size
        As far as it is known without the timing sweep.
    seconds
        Estimated from one timed batch of forward passes, over the stimuli and over those that principal components are
        fitted on; without the decoding of images and the writing.
    megabytes
        In the store, uncompressed.
    """

    model: str
    stimuli: str
    n_stimuli: int
    n_inputs: int
    layers: tuple[PlannedLayer, ...]
    batch_size: int
    seconds: float
    megabytes: float


def plan_embedding(
    model: str | nn.Module | Network | Callable[[Any], Any],
    stimuli: str,
    store: Store,
    *,
    layers: int | str | Sequence[str] | None = None,
    pooling: str = "mean",
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    max_memory: str | int = "2GB",
    seed: int = 0,
    dtype: str = "float32",
    name: str | None = None,
    preprocessing: Given | None = None,
    allow_download: bool = False,
    allow_missing: bool = False,
    precision: str = "float32",
    fit_on: str | None = None,
) -> EmbeddingPlan:
    """Return what :func:`brainalign.models.embed` would do with these arguments; nothing is written.

    All checks of the arguments are made as there. Cost: the network is loaded and run on a few images.
    """
    network, request = requested(
        model, layers, pooling, batch_size, name=name, preprocessing=preprocessing, seed=seed,
        allow_download=allow_download, allow_missing=allow_missing,
    )  # fmt: skip
    stored, fit_on = agreed(network, stimuli, store, dtype=dtype, precision=precision, fit_on=fit_on)
    with chosen(network, stimuli, store, request=request, stored=stored, device=device) as run:
        run.precision = precision
        run.batch(batch_size or (None if stored else 8), parse_memory(max_memory))
        there = set(stored.keys) if stored else set()
        counted = _operations(run)
        n = len(run.reader)
        rows = tuple(
            PlannedLayer(
                key, layer.name, layer.shape, pooled.n_features, n * pooled.n_features * _BYTES[dtype] / 1e6,
                counted.get((layer.module, layer.call)), key in there,
            )
            for key, (layer, pooled) in run.plan.items()
        )  # fmt: skip
        n_inputs = _inputs(run.reader)
        with run.trained_on(store, fit_on) as train:
            n_fitted_on = 0 if train is None else _inputs(train)
        return EmbeddingPlan(
            f"{network.id}@{network.revision}", stimuli, n, n_inputs, rows, run.batching.size,
            (n_inputs + n_fitted_on) * _seconds(run), sum(row.megabytes for row in rows),
        )  # fmt: skip


def _inputs(reader: StimulusReader) -> int:
    return sum(reader.n_frames(row) for row in range(len(reader))) if reader.has_videos else len(reader)


def _operations(run: Extraction) -> dict[tuple[str, int], float]:
    """Operations until each call of each module is complete, of one input, in 10⁹."""
    if isinstance(run.network.module, Engine):
        return {}
    from torch.utils.flop_counter import FlopCounterMode

    found: dict[tuple[str, int], float] = {}
    calls: dict[str, int] = {}
    with FlopCounterMode(display=False) as counter:

        def see(name: str, _output: Any) -> None:
            calls[name] = calls.get(name, 0) + 1
            found[(name, calls[name])] = counter.get_total_flops() / 1e9

        with observed(run.network.module, None, see):
            run.network.module(run.first[:1])
    return found


def _seconds(run: Extraction) -> float:
    """Seconds an input: the second of two passes over a batch, the first of which warms up."""
    size = run.batching.size
    batch = run.first.repeat(math.ceil(size / len(run.first)), *[1] * (run.first.ndim - 1))[:size]
    run.forward.run(batch, Batching(size, run.batching.memory_format))
    start = time.perf_counter()
    run.forward.run(batch, Batching(size, run.batching.memory_format))
    return (time.perf_counter() - start) / size

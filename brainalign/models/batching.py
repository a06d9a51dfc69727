"""How many images a forward pass takes: as fast as this machine allows, within a memory limit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.models.layers import Layer

__all__ = ["Batching", "image_bytes", "largest_batch", "settle"]

_CANDIDATES = {"cpu": (2, 4, 8, 16, 32), "cuda": (16, 32, 64, 128, 256)}
_WORTH_A_SWEEP = 64  # stimuli: below, the sweep costs more than it saves
_SLOWER = 1.15


@dataclass(frozen=True)
class Batching:
    """How images are handed to the network. Both decide the last bits of the activations, so both are recorded."""

    size: int
    memory_format: str = "contiguous"

    def layout(self) -> torch.memory_format:
        """Return torch's name of the memory format."""
        return torch.channels_last if self.memory_format == "channels_last" else torch.contiguous_format


def image_bytes(layers: Sequence[Layer], image: torch.Tensor, n_features: int) -> int:
    """Estimate the working memory of one image in bytes.

    Three outputs of the largest layer (input, output and a temporary of one operation), the features, and the image
    itself in the batch at work and in two that wait.
    """
    largest = max((math.prod(layer.shape) for layer in layers), default=0)
    return 4 * (3 * largest + n_features + 3 * image.numel())


def largest_batch(module: nn.Module, per_image: int, max_memory: int) -> int:
    """Return how many images fit.

    Raises
    ------
    InputError
        Not even one fits beside the weights.
    """
    weights = sum(p.numel() * p.element_size() for p in module.parameters())
    fit = (max_memory - weights) // per_image
    if fit < 1:
        need = (weights + per_image) / 1e6
        raise InputError(
            f"max_memory={max_memory / 1e6:.0f}MB is too little: weights and one image need about {need:.0f}MB"
        )
    return fit


def settle(
    module: nn.Module, images: torch.Tensor, *, n_stimuli: int, limit: int, revision: str, run: Callable[..., None]
) -> Batching:
    """Choose batch size and memory format by a short timing sweep, in well under a second of CPU time for small nets.

    The choice is remembered for this network on this machine (``$BRAINALIGN_CACHE``, else ``~/.cache/brainalign``), so
    that a second run and one that resumes an interrupted run give the same bits.

    Parameters
    ----------
    images
        Some real inputs (k, channels, height, width); repeated as needed.
    run
        ``run(batch, batching)`` does one forward pass.
    """
    kind = images.device.type
    candidates = [b for b in _CANDIDATES.get(kind, _CANDIDATES["cpu"]) if b <= min(limit, n_stimuli)]
    if n_stimuli < _WORTH_A_SWEEP or not candidates:
        return Batching(max(1, min(limit, n_stimuli, 8)))
    parts = (
        revision,
        tuple(images.shape[1:]),
        limit,
        kind,
        torch.get_num_threads(),
        torch.__version__,
        platform.node(),
    )
    file = _cache() / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Batching(**json.loads(file.read_text()))
    best = _sweep(module, images, candidates, run)
    with contextlib.suppress(OSError):  # a folder that cannot be written costs a sweep next time, no more
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
        temporary.write_text(json.dumps(asdict(best)))
        temporary.replace(file)
    return best


def _cache() -> Path:
    given = os.environ.get("BRAINALIGN_CACHE")
    return (Path(given) if given else Path.home() / ".cache" / "brainalign") / "batching"


def _sweep(module: nn.Module, images: torch.Tensor, candidates: list[int], run: Callable[..., None]) -> Batching:
    four_dimensional = images.ndim == 4 and any(p.ndim == 4 for p in module.parameters())
    formats = ["contiguous", "channels_last"] if four_dimensional and images.device.type == "cpu" else ["contiguous"]
    first = candidates[len(candidates) // 2]
    memory_format = min(formats, key=lambda name: _seconds(images, Batching(first, name), run))
    best, fastest = Batching(first, memory_format), math.inf
    for size in candidates:
        batching = Batching(size, memory_format)
        seconds = _seconds(images, batching, run)
        if seconds < fastest:
            best, fastest = batching, seconds
        elif seconds > _SLOWER * fastest:
            break
    return best


def _seconds(images: torch.Tensor, batching: Batching, run: Callable[..., None]) -> float:
    """Seconds an image: the better of two passes, the first of which also warms up."""
    repeats = math.ceil(batching.size / len(images))
    batch = images.repeat(repeats, *[1] * (images.ndim - 1))[: batching.size]
    taken = []
    for _ in range(2):
        try:
            start = time.perf_counter()
            run(batch, batching)
            taken.append(time.perf_counter() - start)
        except torch.cuda.OutOfMemoryError:
            return math.inf
    return min(taken) / batching.size

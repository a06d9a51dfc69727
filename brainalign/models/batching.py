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
_UNTIMED = {"cpu": 8, "cuda": 64}
_PASSES = 2  # of each batch in a sweep
_SHARE = 20  # a sweep may run one image for each so many of the set
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


def largest_batch(module: nn.Module, per_image: int, max_memory: int, *, held: int = 0) -> int:
    """Return how many images fit, beside the weights and ``held`` bytes, in three quarters of the memory.

    The rest is for the rows that wait to be written.

    Raises
    ------
    InputError
        Not even one fits.
    """
    held += sum(p.numel() * p.element_size() for p in module.parameters())
    fit = (max_memory - max_memory // 4 - held) // per_image
    if fit < 1:
        need = (held + per_image) * 4 / 3 / 1e6
        raise InputError(
            f"max_memory={max_memory / 1e6:.0f}MB is too little: weights, projections and one image need about "
            f"{need:.0f}MB"
        )
    return fit


def settle(
    module: nn.Module, images: torch.Tensor, *, n_stimuli: int, limit: int, revision: str, run: Callable[..., None]
) -> Batching:
    """Choose batch size and memory format by a timing sweep that costs at most a twentieth of the set.

    Batches are tried from the smallest on, so what a sweep may cost decides how large they get: of 400 images 2 and 4
    at a time, of 2,560 up to 32. The choice is remembered for this network on this machine (``$BRAINALIGN_CACHE``,
    else ``~/.cache/brainalign``), so that a second run and one that resumes an interrupted run give the same bits.

    Parameters
    ----------
    images
        Some real inputs (k, channels, height, width); repeated as needed.
    run
        ``run(batch, batching)`` does one forward pass.
    """
    kind = images.device.type
    formats = _formats(module, images)
    candidates = [b for b in _CANDIDATES.get(kind, _CANDIDATES["cpu"]) if b <= limit]
    affordable = [b for b in candidates if _images(candidates, b, len(formats)) <= n_stimuli // _SHARE]
    if not affordable:
        return Batching(max(1, min(limit, n_stimuli, _UNTIMED.get(kind, _UNTIMED["cpu"]))))
    parts = (
        revision,
        tuple(images.shape[1:]),
        affordable,
        kind,
        torch.get_num_threads(),
        torch.__version__,
        platform.node(),
    )
    file = _cache() / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Batching(**json.loads(file.read_text()))
    best = _sweep(images, affordable, formats, run)
    with contextlib.suppress(OSError):  # a folder that cannot be written costs a sweep next time, no more
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
        temporary.write_text(json.dumps(asdict(best)))
        temporary.replace(file)
    return best


def _cache() -> Path:
    given = os.environ.get("BRAINALIGN_CACHE")
    return (Path(given) if given else Path.home() / ".cache" / "brainalign") / "batching"


def _formats(module: nn.Module, images: torch.Tensor) -> list[str]:
    maps = images.ndim == 4 and any(p.ndim == 4 for p in module.parameters())
    return ["contiguous", "channels_last"] if maps and images.device.type == "cpu" else ["contiguous"]


def _images(candidates: Sequence[int], largest: int, n_formats: int) -> int:
    """Images that a sweep up to a size runs: the smallest size in each format, the others in one."""
    return _PASSES * (sum(b for b in candidates if b <= largest) + (n_formats - 1) * candidates[0])


def _sweep(
    images: torch.Tensor, candidates: Sequence[int], formats: Sequence[str], run: Callable[..., None]
) -> Batching:
    timed = {name: _seconds(images, Batching(candidates[0], name), run) for name in formats}
    memory_format = min(timed, key=lambda name: timed[name])
    best, fastest = Batching(candidates[0], memory_format), timed[memory_format]
    for size in candidates[1:]:
        seconds = _seconds(images, Batching(size, memory_format), run)
        if seconds < fastest:
            best, fastest = Batching(size, memory_format), seconds
        elif seconds > _SLOWER * fastest:
            break
    return best


def _seconds(images: torch.Tensor, batching: Batching, run: Callable[..., None]) -> float:
    """Seconds an image: the best of the passes, the first of which also warms up."""
    repeats = math.ceil(batching.size / len(images))
    batch = images.repeat(repeats, *[1] * (images.ndim - 1))[: batching.size]
    taken = []
    for _ in range(_PASSES):
        try:
            start = time.perf_counter()
            run(batch, batching)
            taken.append(time.perf_counter() - start)
        except torch.cuda.OutOfMemoryError:
            return math.inf
    return min(taken) / batching.size

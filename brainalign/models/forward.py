"""One forward pass: images in, pooled rows of every layer out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn

from brainalign.errors import ActivationError
from brainalign.models.batching import Batching
from brainalign.models.layers import Layer, first_tensor, observed
from brainalign.models.pooling import BoundPooling

__all__ = ["PRECISIONS", "Forward", "at_inference"]

PRECISIONS = ("float32", "bfloat16", "float16")

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]


@contextmanager
def at_inference(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Put a network on a device, in evaluation mode and with deterministic kernels; put it back afterwards."""
    training = [(part, part.training) for part in module.modules()]
    tensors = list(itertools.chain(module.parameters(), module.buffers()))
    before = tensors[0].device if tensors else device
    format_before = _layout_of(tensors)
    module.eval().to(device)
    try:
        # tf32 convolutions lose three digits without a word
        with torch.no_grad(), torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):  # fmt: skip
            yield
    finally:
        module.to(before)
        module.to(memory_format=format_before)
        for part, mode in training:
            part.training = mode


def _layout_of(tensors: Sequence[torch.Tensor]) -> torch.memory_format:
    maps = [t for t in tensors if t.ndim == 4 and not t.is_contiguous()]
    return torch.channels_last if maps else torch.contiguous_format


class Forward:
    """Run a network on batches and keep, of each chosen layer, the pooled rows only.

    Pooling happens as soon as a layer has run, so the full outputs of the chosen layers are never held together.
    ``precision``: one of `PRECISIONS`; 16-bit types run under ``torch.autocast``, pooling stays in float32.
    """

    def __init__(
        self,
        module: nn.Module,
        plan: Mapping[str, tuple[Layer, BoundPooling]],
        device: torch.device,
        precision: str = "float32",
    ) -> None:
        self._module, self._plan, self._device, self._precision = module, plan, device, precision
        self._layout: str | None = None
        # several poolings of one layer: all keys of a call
        self._keys: dict[tuple[str, int], list[str]] = {}
        for key, (layer, _) in plan.items():
            self._keys.setdefault((layer.module, layer.call), []).append(key)

    def run(self, images: torch.Tensor, batching: Batching) -> None:
        """Do a forward pass without keeping anything (for timing)."""
        with self._autocast():
            self._module(self._laid_out(images, batching))
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def rows(self, images: torch.Tensor, batching: Batching, ids: Sequence[str]) -> dict[str, FloatArray]:
        """Return key -> (len(ids), n_features).

        Raises
        ------
        ActivationError
            NaN or inf, a layer that is not reached, or an output of another shape than in the first pass.
        """
        found: dict[str, torch.Tensor] = {}
        calls: dict[str, int] = {}

        def see(name: str, output: Any) -> None:
            calls[name] = calls.get(name, 0) + 1
            for key in self._keys.get((name, calls[name]), ()):
                found[key] = self._pooled(key, output, ids)

        with observed(self._module, sorted({name for name, _ in self._keys}), see), self._autocast():
            self._module(self._laid_out(images, batching))
        for key in self._plan:
            if key not in found:
                raise ActivationError(f"layer {key!r} is not reached for the images from {ids[0]!r} on")
        return {key: _finite(key, found[key].cpu().numpy(), ids) for key in self._plan}

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=getattr(torch, self._precision))

    def _laid_out(self, images: torch.Tensor, batching: Batching) -> torch.Tensor:
        if self._layout != batching.memory_format:
            self._module.to(memory_format=batching.layout())
            self._layout = batching.memory_format
        images = images.to(self._device, non_blocking=True)
        return images.contiguous(memory_format=batching.layout()) if images.ndim == 4 else images

    def _pooled(self, key: str, output: Any, ids: Sequence[str]) -> torch.Tensor:
        layer, pooling = self._plan[key]
        tensor = first_tensor(output)
        expected = (*layer.shape[: layer.axis], len(ids), *layer.shape[layer.axis :])
        if tensor is None or tuple(tensor.shape) != expected:
            got = "no tensor" if tensor is None else tuple(tensor.shape)
            raise ActivationError(
                f"layer {layer.name!r} gave {got} for the {len(ids)} images from {ids[0]!r} on, expected {expected}: "
                "its shape changes between batches, so it has no fixed features"
            )
        pooled = pooling(tensor.movedim(layer.axis, 0))
        # a later module may work in place, as ReLU(inplace=True) does
        return pooled.clone() if _share_memory(pooled, tensor) else pooled


def _share_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.device == b.device and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _finite(key: str, values: FloatArray, ids: Sequence[str]) -> FloatArray:
    finite = np.isfinite(values)
    if not finite.all():
        row, column = (int(i[0]) for i in np.nonzero(~finite))
        raise ActivationError(
            f"layer {key!r} has {int((~finite).sum())} values NaN or inf in a batch of {len(ids)}, first for stimulus "
            f"{ids[row]!r}, feature {column} ({values[row, column]})"
        )
    return values

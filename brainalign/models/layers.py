"""Which layers a network has, as one forward pass reaches them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from brainalign.errors import ActivationError
from brainalign.models.engine import Engine
from brainalign.models.presets import repeated_blocks, stages_of

__all__ = ["Layer", "first_tensor", "observed", "probe_layers"]

_WHOLE = "output"


@dataclass(frozen=True)
class Layer:
    """One call of one submodule in a forward pass.

    ``name`` is the submodule's, with ``#2`` behind it for the second of several calls; ``output`` is the whole
    network. ``shape`` is that of its output without the axis of stimuli, ``axis`` where that axis stands, ``order``
    the place in the order in which outputs are complete. ``channels_last``: a map (height, width, channels), which is
    known where height and width are equal and the channels differ from them. ``block`` and ``stage``: it is one.
    """

    name: str
    module: str
    call: int
    n_calls: int
    shape: tuple[int, ...]
    axis: int
    order: int
    problem: str = ""
    channels_last: bool = False
    block: bool = False
    stage: bool = False


@contextmanager
def observed(module: nn.Module, names: Sequence[str] | None, see: Any) -> Iterator[None]:
    """Call ``see(name, output)`` each time one of the named layers has run.

    ``""`` is the module itself, ``None`` stands for all. A module reachable under two names goes by the first.
    """
    if isinstance(module, Engine):
        with module.observed(names, see):
            yield
        return
    modules = dict(module.named_modules()) if names is None else {name: module.get_submodule(name) for name in names}

    def hook_for(name: str) -> Any:
        return lambda _module, _inputs, output: see(name, output)

    handles = [part.register_forward_hook(hook_for(name)) for name, part in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def first_tensor(output: Any) -> torch.Tensor | None:
    """Return the tensor in an output: the first one of a tuple, a list, or a mapping."""
    if isinstance(output, torch.Tensor):
        return output
    parts: Sequence[Any] = ()
    if isinstance(output, (tuple, list)):
        parts = output
    elif hasattr(output, "values") and callable(output.values):
        parts = list(output.values())
    return next((tensor for part in parts if (tensor := first_tensor(part)) is not None), None)


def probe_layers(module: nn.Module, images: torch.Tensor) -> list[Layer]:
    """Run a network twice and list the layers that it reaches, in the order in which they finish.

    The two batches differ in size (2 and 3), so the axis of stimuli is found and not assumed: some transformers
    carry tokens first.

    Parameters
    ----------
    module
        In evaluation mode.
    images
        (3, channels, height, width)

    Raises
    ------
    ActivationError
        The network calls other layers for another batch.
    """
    seen_two, seen_three = _shapes(module, images[:2]), _shapes(module, images[:3])
    if [name for name, _ in seen_two] != [name for name, _ in seen_three]:
        raise ActivationError("the network runs other layers for another batch of images: no layer has a fixed meaning")
    total: dict[str, int] = {}
    for name, _ in seen_two:
        total[name] = total.get(name, 0) + 1
    names = dict(module.named_modules())
    count: dict[str, int] = {}
    layers = []
    for order, ((name, two), (_, three)) in enumerate(zip(seen_two, seen_three, strict=True)):
        count[name] = count.get(name, 0) + 1
        label = name or (_WHOLE if _WHOLE not in names else "")
        label += f"#{count[name]}" if total[name] > 1 else ""
        axis, problem = _stimulus_axis(two, three)
        shape = tuple(size for i, size in enumerate(two or ()) if i != axis)
        last = len(shape) == 3 and shape[0] == shape[1] != shape[2] and not problem and _square(images)
        layers.append(Layer(label, name, count[name], total[name], shape, axis, order, problem, last))
    return _with_grain(module, layers)


def _square(images: torch.Tensor) -> bool:
    return images.ndim == 4 and images.shape[-1] == images.shape[-2]


def _with_grain(module: nn.Module, layers: list[Layer]) -> list[Layer]:
    usable = {layer.module: layer.shape for layer in layers if layer.n_calls == 1 and not layer.problem}
    units = set(repeated_blocks(module))
    blocks = {name: shape for name, shape in usable.items() if name in units}
    stages = set(stages_of(module, blocks))
    return [replace(layer, block=layer.module in blocks, stage=layer.module in stages) for layer in layers]


def _shapes(module: nn.Module, batch: torch.Tensor) -> list[tuple[str, tuple[int, ...] | None]]:
    seen: list[tuple[str, tuple[int, ...] | None]] = []

    def see(name: str, output: Any) -> None:
        tensor = first_tensor(output)
        usable = tensor is not None and tensor.is_floating_point()
        seen.append((name, tuple(tensor.shape) if usable and tensor is not None else None))

    with observed(module, None, see), torch.no_grad():
        module(batch)
    return seen


def _stimulus_axis(two: tuple[int, ...] | None, three: tuple[int, ...] | None) -> tuple[int, str]:
    if two is None or three is None:
        return 0, "gives no tensor of floating-point numbers"
    if len(two) != len(three):
        return 0, "changes its number of axes with the batch"
    axes = [i for i, (a, b) in enumerate(zip(two, three, strict=True)) if a != b]
    if len(axes) != 1 or two[axes[0]] != 2 or three[axes[0]] != 3:
        return 0, f"has no axis of stimuli (shapes {two} and {three} for 2 and 3 images)"
    return axes[0], ""

"""Which layers a network has, as one forward pass reaches them, and how to choose among them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from brainalign.errors import ActivationError, UnknownLayerError, near_names

__all__ = ["Layer", "first_tensor", "observed", "probe_layers", "select_layers"]

_WHOLE = "output"


@dataclass(frozen=True)
class Layer:
    """One call of one submodule in a forward pass.

    ``name`` is the submodule's, with ``#2`` behind it for the second of several calls; ``output`` is the whole
    network. ``shape`` is that of its output without the axis of stimuli, ``axis`` where that axis stands, ``order``
    the place in the order in which outputs are complete.
    """

    name: str
    module: str
    call: int
    n_calls: int
    shape: tuple[int, ...]
    axis: int
    order: int
    problem: str = ""


@contextmanager
def observed(module: nn.Module, names: Sequence[str], see: Any) -> Iterator[None]:
    """Call ``see(name, output)`` each time one of the named submodules has run; ``""`` is the module itself."""
    modules = dict(module.named_modules())

    def hook_for(name: str) -> Any:
        return lambda _module, _inputs, output: see(name, output)

    handles = [modules[name].register_forward_hook(hook_for(name)) for name in names]
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
        layers.append(Layer(label, name, count[name], total[name], shape, axis, order, problem))
    return layers


def _shapes(module: nn.Module, batch: torch.Tensor) -> list[tuple[str, tuple[int, ...] | None]]:
    seen: list[tuple[str, tuple[int, ...] | None]] = []

    def see(name: str, output: Any) -> None:
        tensor = first_tensor(output)
        usable = tensor is not None and tensor.is_floating_point()
        seen.append((name, tuple(tensor.shape) if usable and tensor is not None else None))

    # a module reachable under two names is listed under the first, as named_modules does
    with observed(module, [name for name, _ in module.named_modules()], see), torch.no_grad():
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


def select_layers(
    probed: Sequence[Layer], asked: int | str | Sequence[str] | None, *, default: Sequence[str] | None = None
) -> list[Layer]:
    """Choose layers, in the order of depth.

    Parameters
    ----------
    probed
        From :func:`probe_layers`.
    asked
        ``None``: ``default``, else six spread evenly over depth. A number: so many, spread evenly, the last included.
        Else names, patterns (``"blocks.*"``; ``*`` spans dots) or places (``"depth:0.5"``), one or several.

    Raises
    ------
    UnknownLayerError
        No such layer, one that is not reached, one that runs several times, or one whose output has no axis of stimuli.
    """
    if asked is None:
        asked = list(default) if default else 6
    if isinstance(asked, int):
        return _spread(probed, asked)
    names = [asked] if isinstance(asked, str) else list(asked)
    if not names:
        raise UnknownLayerError("no layer was asked for; give names, patterns or a number of layers")
    chosen = {layer.name: layer for name in names for layer in _matching(probed, name)}
    return sorted(chosen.values(), key=lambda layer: layer.order)


def _matching(probed: Sequence[Layer], name: str) -> list[Layer]:
    exact = [layer for layer in probed if layer.name == name]
    if exact:
        if exact[0].problem:
            raise UnknownLayerError(f"layer {name!r} {exact[0].problem}; choose another layer")
        return exact
    if name.startswith("depth:"):
        return [_at_depth(probed, name)]
    usable = [layer for layer in probed if not layer.problem]
    calls = [layer.name for layer in usable if layer.module == name]
    if calls:
        raise UnknownLayerError(
            f"layer {name!r} runs {len(calls)} times in a forward pass: ask for " + " or ".join(map(repr, calls))
        )
    matched = [layer for layer in usable if fnmatch.fnmatchcase(layer.name, name)]
    if not matched:
        raise UnknownLayerError(
            f"no layer {name!r} is reached in a forward pass." + near_names(name, [la.name for la in usable])
        )
    return matched


def _at_depth(probed: Sequence[Layer], name: str) -> Layer:
    try:
        share = float(name.removeprefix("depth:"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UnknownLayerError(f"a place in depth is a number from 0 to 1, as in 'depth:0.5' (got {name!r})")
    trunk = _trunk(probed, 6)
    return trunk[round(share * (len(trunk) - 1))]


def _spread(probed: Sequence[Layer], n: int) -> list[Layer]:
    if n < 1:
        raise UnknownLayerError(f"the number of layers must be at least 1 (got {n})")
    trunk = _trunk(probed, n)
    last = len(trunk) - 1
    if n >= len(trunk):
        return trunk
    return [trunk[last]] if n == 1 else [trunk[round(i * last / (n - 1))] for i in range(n)]


def _trunk(probed: Sequence[Layer], n: int) -> list[Layer]:
    """Open the tree of submodules, the largest first, until it shows at least ``n`` layers side by side.

    So the layers are of one grain: stages of a network where stages are enough, blocks where they are not.
    """
    usable = {la.module: la for la in probed if not la.problem and la.n_calls == 1 and la.module}
    whole = [la for la in probed if not la.module and not la.problem]
    nodes = {""}

    def children(node: str) -> set[str]:
        start = f"{node}." if node else ""
        below = [name[len(start) :].split(".")[0] for name in usable if name.startswith(start) and name != node]
        return {start + part for part in below}

    def size(node: str) -> int:
        return sum(name.startswith(f"{node}.") or not node for name in usable)

    while sum(node in usable for node in nodes) < n:
        largest = max(sorted(nodes), key=size)
        if size(largest) == 0:
            break
        nodes = nodes - {largest} | children(largest)
    trunk = sorted((usable[node] for node in nodes if node in usable), key=lambda layer: layer.order)
    if not (trunk or whole):
        raise UnknownLayerError("the network has no layer whose output has an axis of stimuli")
    return trunk or whole

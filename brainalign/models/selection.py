"""Choosing among the layers that a forward pass reaches."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from brainalign.errors import UnknownLayerError, near_names
from brainalign.models.layers import Layer

__all__ = ["PRESETS", "layer_named", "select_layers"]

PRESETS = ("blocks", "stages", "last")
_WHOLE = "output"


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
        Else names, patterns (``"blocks.*"``; ``*`` spans dots), places (``"depth:0.5"``) or presets, one or several.
        Presets: ``"blocks"`` (all repeated units), ``"stages"`` (the last layer at each size), ``"last"`` (the last
        block, else the last layer of the trunk); they go before a submodule of the same name. ``"output"`` is what
        the network gives in the end, also where a compiled graph calls it otherwise.

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


def layer_named(probed: Sequence[Layer], name: str) -> Layer | None:
    """Return the layer of exactly this name, or None.

    Raises
    ------
    UnknownLayerError
        It is there, but cannot be used.
    """
    exact = next((layer for layer in probed if layer.name == name), None)
    if exact is not None and exact.problem:
        raise UnknownLayerError(f"layer {name!r} {exact.problem}; choose another layer")
    return exact


def _matching(probed: Sequence[Layer], name: str) -> list[Layer]:
    if name in PRESETS:
        return _preset(probed, name)
    exact = layer_named(probed, name)
    if exact is not None:
        return [exact]
    if name == _WHOLE and probed and not probed[-1].problem:
        return [probed[-1]]
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


def _preset(probed: Sequence[Layer], name: str) -> list[Layer]:
    blocks = [layer for layer in probed if layer.block]
    if name == "last":
        return blocks[-1:] or _trunk(probed, 6)[-1:]
    found = blocks if name == "blocks" else [layer for layer in probed if layer.stage]
    if not found:
        raise UnknownLayerError(
            f"the network has no repeated units of one class, so {name!r} names nothing; give names or patterns, "
            "such as " + ", ".join(repr(layer.name) for layer in _trunk(probed, 6)[:3])
        )
    return found


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

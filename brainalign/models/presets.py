"""Blocks and stages of a network, found from how its modules repeat."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from torch import nn

__all__ = ["repeated_blocks", "stages_of"]

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def repeated_blocks(module: nn.Module) -> list[str]:
    """Names of the repeated units: modules with parts, in a container that holds nothing but their class.

    Of nested ones the innermost count: a stage of blocks is no block.

    >>> block = lambda: nn.TransformerEncoderLayer(4, 1, 4, batch_first=True)
    >>> repeated_blocks(nn.Sequential(nn.Linear(4, 4), nn.ModuleList([block(), block()])))
    ['1.0', '1.1']
    """
    found = _units(module)
    return [name for name in found if not any(other.startswith(f"{name}.") for other in found)]


def stages_of(module: nn.Module, blocks: dict[str, tuple[int, ...]]) -> list[str]:
    """Names of the stages: units that hold blocks; without such, the last block at each size of its output.

    Parameters
    ----------
    module
        The network.
    blocks
        Name -> shape of its output, in the order in which they run.
    """
    outer = [name for name in _units(module) if any(block.startswith(f"{name}.") for block in blocks)]
    if outer:
        return outer
    names = list(blocks)
    ends = [a for a, b in itertools.pairwise(names) if _size(blocks[a]) != _size(blocks[b])]
    return ends + names[-1:]


def _units(module: nn.Module) -> list[str]:
    found = []
    for path, container in module.named_modules():
        parts = list(container.named_children()) if isinstance(container, _CONTAINERS) else []
        if parts and _of_one_class(part for _, part in parts):
            found += [f"{path}.{name}" if path else name for name, _ in parts]
    return found


def _of_one_class(parts: Iterable[nn.Module]) -> bool:
    parts = list(parts)
    whole = not isinstance(parts[0], _CONTAINERS) and any(True for _ in parts[0].children())
    return whole and len({type(part) for part in parts}) == 1


def _size(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Tokens x channels, or channels x height x width, whichever order: a stage ends where any of them changes."""
    return tuple(sorted(shape))

"""What several rooms of the numerics share: Gram matrices, distances, ranks, sums over pairs, neighbour graphs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from brainalign.kernels.distances import condensed_distances, to_condensed, to_square
from brainalign.kernels.gram import centred_gram
from brainalign.kernels.ranks import average_ranks

if TYPE_CHECKING:
    from brainalign.kernels.neighbours import Neighbours, neighbour_graph

__all__ = [
    "Neighbours",
    "average_ranks",
    "centred_gram",
    "condensed_distances",
    "neighbour_graph",
    "to_condensed",
    "to_square",
]


def __getattr__(name: str) -> Any:
    if name not in ("Neighbours", "neighbour_graph"):
        raise AttributeError(f"module 'brainalign.kernels' has no attribute {name!r}")
    value = getattr(importlib.import_module("brainalign.kernels.neighbours"), name)
    globals()[name] = value
    return value

"""Networks: where they come from, and how their activations reach the store.

Names load on first use, so that listing models needs no torch.

==========================  =============================================================
``embed``                   activations of a network for a stimulus set, into the store
``plan_embedding``          what that would hold and cost: layers, shapes, sizes, time
``load_network``            any way of naming a network -> :class:`Network`
``Network``                 a module, its preprocessing and what is known of it
``Preprocessing``           a declared, hashed rule from an image to the input tensor
``probe_layers``            which layers a forward pass reaches, and their shapes
``list_models``             what can be named without writing code
==========================  =============================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainalign.models.catalogue import ModelRow, list_models
    from brainalign.models.dry_run import EmbeddingPlan, plan_embedding
    from brainalign.models.extract import embed
    from brainalign.models.layers import probe_layers
    from brainalign.models.network import Network
    from brainalign.models.preprocess import Preprocessing
    from brainalign.models.selection import select_layers
    from brainalign.models.sources import load_network

_HOME = {
    "EmbeddingPlan": "dry_run",
    "plan_embedding": "dry_run",
    "ModelRow": "catalogue",
    "Network": "network",
    "Preprocessing": "preprocess",
    "embed": "extract",
    "list_models": "catalogue",
    "load_network": "sources",
    "probe_layers": "layers",
    "select_layers": "selection",
}

__all__ = [
    "EmbeddingPlan",
    "ModelRow",
    "Network",
    "Preprocessing",
    "embed",
    "list_models",
    "load_network",
    "plan_embedding",
    "probe_layers",
    "select_layers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'brainalign.models' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"brainalign.models.{_HOME[name]}"), name)
    globals()[name] = value
    return value

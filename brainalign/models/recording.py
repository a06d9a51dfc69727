"""What is recorded with an embedding: of each layer, of the network, and of how it was made."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

import torch

from brainalign.models.fitting import TrainingSet
from brainalign.models.layers import Layer
from brainalign.models.network import Network
from brainalign.models.pooling import BoundPooling
from brainalign.store import LayerSpec

__all__ = ["attributes_of", "layer_specs", "provenance_of"]

_PACKAGES = (
    "torch", "torchvision", "pillow", "numpy", "scikit-learn", "open_clip_torch", "timm", "transformers", "onnxruntime",
    "ai-edge-litert", "efficientnet-lite-pytorch",
)  # fmt: skip


def layer_specs(
    plan: Mapping[str, tuple[Layer, BoundPooling]], n_probed: int, training: TrainingSet | None
) -> list[LayerSpec]:
    """Return what the store keeps of each layer."""
    return [
        LayerSpec(key, pooling.n_features, _about(layer, pooling, n_probed, training))
        for key, (layer, pooling) in plan.items()
    ]


def _about(layer: Layer, pooling: BoundPooling, n_probed: int, training: TrainingSet | None) -> dict[str, Any]:
    about: dict[str, Any] = {
        "layer": layer.name,
        "pooling": "flatten" if pooling.rule.reduces else pooling.rule.kind,
        "reduction": str(pooling.rule) if pooling.rule.reduces else None,
        "seed": pooling.seed if pooling.projects and pooling.rule.kind == "srp" else None,
        "output_shape": list(layer.shape),
        "depth": layer.order / (n_probed - 1) if n_probed > 1 else 1.0,
    }
    fitted = pooling.components
    if fitted is not None and training is not None:
        about["fitted_on"] = {
            "stimuli": training.stimuli,
            "n_stimuli": training.n_stimuli,
            "stimuli_sha256": training.sha256,
            "variance_share": fitted.share,
            "components_sha256": fitted.sha256(),
        }
    return about


def attributes_of(network: Network) -> dict[str, Any]:
    """Return what is known of the network."""
    attributes = {**network.attributes, "preprocessing": network.preprocessing}
    attributes.setdefault("n_parameters", network.n_parameters)
    return attributes


def provenance_of(device: torch.device, requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the embedding is made: versions, device, threads, and what was asked for."""
    return {"versions": _versions(), "device": str(device), "threads": torch.get_num_threads(), "requests": requests}


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

"""Adapters as safetensors: coefficients, bases, head, and hashes of the frozen weights they belong to."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainalign.errors import InputError, ModelError
from brainalign.spectral.coefficients import COEFFICIENTS
from brainalign.spectral.targets import plain_name
from brainalign.spectral.update import SpectralUpdate

__all__ = ["SavedAdapter", "read_adapter", "write_adapter"]

FORMAT = "brainalign.spectral.adapter.1"


@dataclass(frozen=True, eq=False)
class SavedAdapter:
    """What a file of an adapter holds."""

    settings: dict[str, Any]
    updates: dict[str, SpectralUpdate]
    head: dict[str, torch.Tensor]
    base: dict[str, str]

    def require_base(self, weights: Mapping[str, Any], network: nn.Module) -> None:
        """Refuse a network whose frozen weights, or whose head, are not those that the adapter was made for."""
        other = [name for name, weight in weights.items() if _hash(weight) != self.base.get(name)]
        if other:
            raise ModelError(
                f"the adapter was made for other weights: {len(other)} of {len(weights)} layers differ, first "
                f"{plain_name(other[0])}. Load the network it was made for, in the same precision and unmerged."
            )
        own = dict(network.named_parameters())
        for name, value in self.head.items():
            if name not in own or own[name].shape != value.shape:
                there = tuple(own[name].shape) if name in own else "absent"
                raise ModelError(f"the head {name} of the adapter has shape {tuple(value.shape)}; here: {there}.")


def write_adapter(
    path: Path,
    settings: Mapping[str, object],
    updates: Mapping[str, SpectralUpdate],
    head: Mapping[str, torch.Tensor],
    frozen: Mapping[str, Any],
) -> Path:
    """Write an adapter; a file there is replaced whole."""
    from safetensors.torch import save_file

    if path.suffix != ".safetensors":
        raise InputError(f"{path}: the name of an adapter ends in .safetensors.")
    tensors: dict[str, torch.Tensor] = {f"head/{n}": p.detach().cpu().contiguous() for n, p in head.items()}
    for name, update in updates.items():
        for part in ("coefficients", "left", "right"):
            tensors[f"{part}/{name}"] = getattr(update, part).detach().cpu().contiguous()
    metadata = {
        "format": FORMAT,
        "settings": json.dumps(dict(settings)),
        "base": json.dumps({name: _hash(weight) for name, weight in frozen.items()}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    save_file(tensors, draft, metadata=metadata)
    draft.replace(path)
    return path


def read_adapter(path: Path) -> SavedAdapter:
    """Read an adapter without running any code in it.

    Raises
    ------
    ModelError
        No such file, or one that is no adapter.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"there is no adapter {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"{path} is no file of safetensors: {error}") from error
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} has the format {metadata.get('format')!r}; an adapter has {FORMAT!r}.")
    try:
        settings, base = json.loads(metadata["settings"]), json.loads(metadata["base"])
        if settings["coefficients"] not in COEFFICIENTS:
            raise ValueError(f"coefficients {settings['coefficients']!r}")
        names = [name.removeprefix("coefficients/") for name in tensors if name.startswith("coefficients/")]
        updates = {name: _update(name, tensors, settings) for name in names}
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ModelError(f"{path} is no whole adapter: {error}") from error
    head = {name.removeprefix("head/"): value for name, value in tensors.items() if name.startswith("head/")}
    return SavedAdapter(settings, updates, head, base)


def _update(name: str, tensors: Mapping[str, torch.Tensor], settings: Mapping[str, Any]) -> SpectralUpdate:
    left, right, trained = (tensors[f"{part}/{name}"] for part in ("left", "right", "coefficients"))
    update = SpectralUpdate(left, right, settings["coefficients"], settings["bandwidth"])
    with torch.no_grad():
        if update.coefficients.shape != trained.shape:
            raise ValueError(f"{name} has {tuple(trained.shape)} coefficients for {left.shape[1]} directions")
        update.coefficients.copy_(trained)
    return update


def _hash(weight: Any) -> str:
    flat = weight.detach().cpu().contiguous().view(torch.uint8).numpy()
    return hashlib.sha256(flat.tobytes()).hexdigest()[:16]

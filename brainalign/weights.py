"""Weights of networks as names and tensors, read from files without running any code in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from brainalign.errors import ModelError

__all__ = ["read_folder", "read_weights"]

_SINGLE = ("model.safetensors", "pytorch_model.bin")
_SHARDED = ("model.safetensors.index.json", "pytorch_model.bin.index.json")


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """Read a checkpoint without running any code in it.

    Raises
    ------
    ModelError
        The file is no checkpoint, or one that only unpickling would open.
    """
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(str(file))
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the two readers raise a dozen types for one fact: the file cannot be read
        said = (str(error).splitlines() or [""])[0][:200]
        raise ModelError(
            f"{file} cannot be read as plain weights ({type(error).__name__}: {said}). "
            "Expected .safetensors, or a state dict saved by torch.save; TorchScript archives and pickled objects "
            "are refused."
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError(f"{file} holds no state dict (names -> tensors)")
    return {name.removeprefix("module."): value for name, value in state.items()}


def read_folder(folder: Path) -> dict[str, torch.Tensor]:
    """Read the weights in a folder that ``save_pretrained`` of transformers wrote, whole or in shards.

    Raises
    ------
    ModelError
        No weights there, a shard that is absent, or a file that `read_weights` refuses.
    """
    for name in _SINGLE:
        if (folder / name).is_file():
            return read_weights(folder / name)
    for name in _SHARDED:
        if (folder / name).is_file():
            return _shards(folder, folder / name)
    held = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) if folder.is_dir() else "no such folder"
    raise ModelError(f"{folder} has none of {', '.join((*_SINGLE, *_SHARDED))}; there: {held}")


def _shards(folder: Path, index: Path) -> dict[str, torch.Tensor]:
    try:
        files: Iterable[str] = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ModelError(f"{index} is no index of shards: {error}") from error
    absent = [name for name in files if Path(name).name != name or not (folder / name).is_file()]
    if absent:
        raise ModelError(f"{index} names shards that are not there: {', '.join(absent[:5])}")
    return {key: value for name in files for key, value in read_weights(folder / name).items()}

"""A checkpoint, however it is given, as names and tensors; weights that are tied count once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainalign.errors import InputError, ModelError
from brainalign.weights import read_folder, read_weights

__all__ = ["Checkpoint", "read_checkpoint", "shared_names"]

_SCALES = ("scales", "qzeros", "weight_scale", "weight_scale_inv", "quant_state", "absmax", "SCB")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights by name; ``tied`` maps every further name of a tensor to its first."""

    weights: dict[str, torch.Tensor]
    tied: dict[str, str] = field(default_factory=dict)


def read_checkpoint(source: Any, *, label: str = "the checkpoint") -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    source : module, mapping, path
        A ``torch.nn.Module``; names and tensors; a ``.safetensors`` or torch file of weights; a folder that
        ``save_pretrained`` of transformers wrote (whole or in shards). No code in it is run.
    label : str
        What error messages call it.

    Returns
    -------
    Checkpoint
        Floating-point tensors on their device, detached; buffers of integers are left out.

    Raises
    ------
    ModelError
        A file or folder that holds no plain weights.
    InputError
        Anything else, or weights that are stored quantised (their integers are not the matrix).
    """
    if isinstance(source, nn.Module):
        state: Mapping[str, Any] = source.state_dict(keep_vars=False)
    elif isinstance(source, Mapping):
        state = source
    elif isinstance(source, str | Path):
        path = Path(source)
        if not path.exists():
            raise ModelError(f"{label}: there is no file or folder {path}.")
        state = read_folder(path) if path.is_dir() else read_weights(path)
    else:
        raise InputError(f"{label} must be a module, names and tensors, or a path; got {type(source).__name__}.")
    return _checked(state, label)


def _checked(state: Mapping[str, Any], label: str) -> Checkpoint:
    weights: dict[str, torch.Tensor] = {}
    tied: dict[str, str] = {}
    seen: dict[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise InputError(f"{label}: {name} is a {type(value).__name__}; names and tensors are needed.")
        _refuse_quantised(name, value, state, label)
        if not value.is_floating_point():
            continue
        tensor = value.detach()
        place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if tensor.numel() and tensor.device.type != "meta" and place in seen:
            tied[name] = seen[place]
            continue
        seen[place] = name
        weights[name] = tensor
    if not weights:
        raise InputError(f"{label} holds no floating-point weights.")
    return Checkpoint(weights, tied)


def _refuse_quantised(name: str, value: torch.Tensor, state: Mapping[str, Any], label: str) -> None:
    narrow = value.is_quantized or (value.is_floating_point() and value.element_size() == 1)
    stem = name.removesuffix("weight")
    packed = not value.is_floating_point() and value.ndim >= 2 and name.endswith(("weight", "qweight"))
    scaled = name.endswith("weight") and any(f"{stem}{scale}" in state for scale in _SCALES)
    if narrow or packed or scaled:
        raise InputError(
            f"{label}: {name} is stored quantised ({value.dtype}); its numbers are not the matrix. Dequantise the "
            "network first, or load the checkpoint in float32 or bfloat16."
        )


def shared_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Map names of ``before`` to names of ``after``: the same, or the same below a prefix that one of the two has.

    A network with a head calls its body ``bert.…`` where the body alone has no prefix.

    >>> shared_names({"layer.0.weight": 1}, {"bert.layer.0.weight": 1, "classifier.weight": 2})
    {'layer.0.weight': 'bert.layer.0.weight'}
    """
    best = {name: name for name in before if name in after}
    for prefix in dict.fromkeys(name.split(".", 1)[0] + "." for name in (*before, *after)):
        longer = {name: prefix + name for name in before if prefix + name in after}
        shorter = {name: name.removeprefix(prefix) for name in before if name.removeprefix(prefix) in after}
        best = max(best, longer, shorter, key=len)
    return best

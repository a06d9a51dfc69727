"""Weights from files, without running any code in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainalign.errors import ModelError

__all__ = ["load_weights", "read_weights"]

_SHOWN = 5


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


def load_weights(
    module: nn.Module, state: dict[str, torch.Tensor], *, label: str, allow_missing: bool = False
) -> list[str]:
    """Load weights into a module and return the names that the checkpoint lacks.

    Parameters
    ----------
    label
        What the weights are and where they go, for the error: ``"the weights in x.pt, for timm's resnet18"``.
    allow_missing
        Leave weights that the checkpoint lacks as they are. Shapes and names that do not fit are refused all the same.

    Raises
    ------
    ModelError
        Names or shapes do not fit, or weights are missing and that was not allowed.
    """
    own = module.state_dict()
    # a counter that older checkpoints do not carry; it changes no activation in evaluation mode
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and state[name].shape != own[name].shape]
    problems = [_said("do not exist there", unknown), _said("have another shape there", shapes)]
    if not allow_missing:
        problems.append(_said("are missing", missing))
    said = [problem for problem in problems if problem]
    if said:
        hint = "; pass allow_missing=True (--allow-missing) to leave them random" if said == [problems[-1]] else ""
        raise ModelError(f"{label} do not fit: {'; '.join(said)}{hint if missing and not allow_missing else ''}")
    module.load_state_dict(state, strict=False)
    return missing


def _said(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more} {what}"

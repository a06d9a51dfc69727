"""Which layers of a network an adapter takes, and why one is refused."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn

from brainalign.errors import InputError, UnknownLayerError, near_names
from brainalign.spectral.matrices import block_of, kind_of
from brainalign.spectral.update import SpectralUpdate, adapted_class

__all__ = ["choose_targets", "plain_name"]


def choose_targets(network: nn.Module, targets: str | Sequence[str] | None) -> dict[str, nn.Module]:
    """Return the layers to adapt by name.

    Parameters
    ----------
    network : module
    targets : str or sequence of str, optional
        Names or patterns of modules, such as ``*.query``; default the linear layers and convolutions inside repeated
        blocks (of the whole network where it has none), without embeddings and heads.

    Raises
    ------
    UnknownLayerError
        If a pattern matches nothing that can be adapted.
    InputError
        If a layer keeps its weight quantised or tied to another, or belongs to a class that reads its weight elsewhere.

    Notes
    -----
    Layers that peft has wrapped go by the name that they had: ``query`` for ``query.base_layer``. What peft added is
    never a target.
    """
    found = {name: m for name, m in network.named_modules() if adapted_class(type(m)) is not None and not _added(name)}
    named = {plain_name(name): name for name in found}
    patterns = [targets] if isinstance(targets, str) else targets
    if patterns is None:
        body = [n for n in named if kind_of(f"{n}.weight", 2) not in ("head", "embedding")]
        blocks = [n for n in body if block_of(f"{n}.weight")]
        chosen = blocks or body
    else:
        chosen = []
        for pattern in patterns:
            matched = [n for n in named if fnmatch.fnmatchcase(n, pattern)]
            if not matched:
                raise UnknownLayerError(_nothing(network, pattern, list(named)))
            chosen += [n for n in matched if n not in chosen]
    if not chosen:
        raise UnknownLayerError("the network has no linear layer or convolution that could be adapted.")
    picked = {named[n]: found[named[n]] for n in named if n in set(chosen)}
    _require_adaptable(network, picked)
    return picked


def plain_name(name: str) -> str:
    """Name of a layer without what peft puts around it.

    >>> plain_name("base_model.model.encoder.layer.0.query.base_layer")
    'encoder.layer.0.query'
    """
    return name.removeprefix("base_model.model.").removesuffix(".base_layer")


def _added(name: str) -> bool:
    parts = name.split(".")
    return any(part.startswith(("lora_", "vera_", "spectral")) for part in parts)


def _nothing(network: nn.Module, pattern: str, names: list[str]) -> str:
    there = {plain_name(n): type(m) for n, m in network.named_modules() if fnmatch.fnmatchcase(plain_name(n), pattern)}
    adapted = [n for n, m in network.named_modules() if isinstance(m, SpectralUpdate)]
    if there:
        name, kind = next(iter(there.items()))
        why = "is adapted already" if f"{name}.spectral" in adapted else f"is a {kind.__name__}"
        return f"{pattern!r} matches no layer that can be adapted: {name} {why}."
    return f"{pattern!r} matches no linear layer or convolution." + near_names(pattern, names)


def _require_adaptable(network: nn.Module, picked: dict[str, nn.Module]) -> None:
    owners = Counter(id(p) for _, p in network.named_parameters(remove_duplicate=False))
    fast = [n for n, m in network.named_modules() if isinstance(m, nn.TransformerEncoderLayer)]
    for name, module in picked.items():
        weight = module.weight
        if not isinstance(weight, torch.Tensor) or not weight.is_floating_point() or weight.element_size() == 1:
            kind = getattr(weight, "dtype", type(weight).__name__)
            raise InputError(f"{name} keeps its weight quantised ({kind}): dequantise the network, or leave it out.")
        if owners[id(weight)] > 1:
            raise InputError(
                f"the weight of {name} is tied to another layer, which would not be adapted and would change in a "
                "merge: untie them, or leave it out of the targets."
            )
        if any(name.startswith(f"{layer}.") for layer in fast):
            raise InputError(
                f"{name} is part of a torch.nn.TransformerEncoderLayer, which reads the weights of its layers itself "
                "in evaluation mode: an update would be skipped there."
            )

"""A network as the rest of the package sees it, and the hash that names its revision."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import nn

from brainalign.errors import InputError, ModelError
from brainalign.models.preprocess import Preprocessing

__all__ = ["ImageTransform", "Network", "described_transform", "weights_revision"]

ImageTransform = Callable[[Image.Image], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Network:
    """A network with everything that its activations depend on.

    Parameters
    ----------
    id
        The name under which its embeddings are kept. No ``@``: that separates the revision.
    module
        Called with a float tensor (batch, 3, height, width).
    preprocess
        RGB image -> float tensor (3, height, width).
    preprocessing
        Canonical description of ``preprocess``; hashed into the revision together with the weights.
    attributes
        What is known of the network: ``family``, ``n_parameters``, ``pretrained``, ``training_data``, ``source``.
    default_layers
        Layers to extract when none are asked for; ``None``: six spread evenly over depth.
    norms_after_convolutions
        Names of pairs (convolution, batch norm) where the norm alone reads what the convolution gives. While neither
        is asked for, they run as one.
    """

    id: str
    module: nn.Module
    preprocess: ImageTransform
    preprocessing: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    default_layers: tuple[str, ...] | None = None
    norms_after_convolutions: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.id or "@" in self.id:
            raise InputError(f"a model name must be non-empty and without '@' (got {self.id!r}); give another name=")

    def layers(self) -> list[str]:
        """Names of all submodules, in the order of definition (a forward pass may not reach each of them)."""
        return [name for name, _ in self.module.named_modules() if name]

    @cached_property
    def revision(self) -> str:
        """First 12 hex digits of SHA-256 over the weights and the preprocessing."""
        return weights_revision(self.module, self.preprocessing)

    @property
    def n_parameters(self) -> int:
        """Number of parameters; shared tensors count once."""
        return sum(p.numel() for p in self.module.parameters())

    def renamed(self, name: str) -> Network:
        """Return the same network under another name."""
        return replace(self, id=name)


def weights_revision(module: nn.Module, preprocessing: str) -> str:
    """Hash what decides the activations: weight tensors (name, type, shape, bytes) and preprocessing.

    Tensors are taken in the order of their names, so the order of definition does not matter. The device does not
    matter either. Reads each weight once.

    >>> from torch import nn
    >>> a = nn.Linear(2, 1, bias=False)
    >>> a.weight.data.fill_(0.5) is not None
    True
    >>> weights_revision(a, "raw") == weights_revision(a, "raw")
    True
    >>> weights_revision(a, "raw") == weights_revision(a, "resized to 224")
    False
    """
    digest = hashlib.sha256()
    state = {name: value for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    digest.update(b"\0preprocessing\0" + preprocessing.encode())
    return digest.hexdigest()[:12]


def described_transform(
    given: Preprocessing | ImageTransform | tuple[ImageTransform, str], *, model: str
) -> tuple[ImageTransform, str]:
    """Return a preprocessing as a callable and its canonical description.

    A bare callable is described by its ``repr``, which is refused where it holds a memory address: such a text says
    nothing of what the callable does, and the revision would change from run to run.
    """
    if isinstance(given, Preprocessing):
        return given, given.canonical()
    if isinstance(given, tuple):
        transform, description = given
        return transform, str(description)
    if not callable(given):
        raise ModelError(
            f"preprocessing of {model!r} must be a Preprocessing or a callable, got {type(given).__name__}"
        )
    description = repr(given)
    if " at 0x" in description:
        raise ModelError(
            f"the preprocessing of {model!r} has no description that can be hashed ({description[:80]}). "
            "Give (callable, 'what it does, with every number') or a brainalign.models.Preprocessing."
        )
    return given, description

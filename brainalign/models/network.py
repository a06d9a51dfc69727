"""A network as the rest of the package sees it, and the hash that names its revision."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from brainalign.errors import InputError, ModelError, UnknownLayerError, near_names
from brainalign.models.engine import Engine
from brainalign.models.forward import at_inference
from brainalign.models.layers import first_tensor, observed
from brainalign.models.pooling import Tokens
from brainalign.models.preprocess import Preprocessing

__all__ = ["Given", "ImageTransform", "Network", "described_transform", "weights_revision"]

ImageTransform = Callable[[Any], torch.Tensor]
Given = Preprocessing | ImageTransform | tuple[ImageTransform, str]


@dataclass(frozen=True, eq=False)
class Network:
    """A network with everything that its activations depend on: what every source makes.

    Four things are asked of a network: :meth:`layers`, ``preprocess``, :meth:`activations` (a forward pass to named
    activations) and :meth:`identity`.

    Parameters
    ----------
    id
        The name under which its embeddings are kept. No ``@``: that separates the revision.
    module
        Called with a float tensor (batch, 3, height, width), or what ``preprocess`` gives; an
        :class:`~brainalign.models.engine.Engine` where the network is no tree of torch modules.
    preprocess
        RGB image -> float tensor (3, height, width). Where ``takes`` is not ``"image"``: text -> tensor.
    preprocessing
        Canonical description of ``preprocess``; hashed into the revision together with the weights.
    attributes
        What is known of the network: ``family``, ``n_parameters``, ``pretrained``, ``training_data``, ``source``.
    default_layers
        Layers to extract when none are asked for; ``None``: six spread evenly over depth.
    norms_after_convolutions
        Names of pairs (convolution, batch norm) where the norm alone reads what the convolution gives. While neither
        is asked for, ``fold_norms`` lets them run as one.
    takes
        What ``preprocess`` is given: ``"image"``, ``"text"`` (the caption of a stimulus) or ``"id"`` (its name).
    tokens
        Of a transformer, what its tokens are; ``None``: not known, or no tokens.
    trained_with
        The preprocessing that the weights were trained with, where it is known.
    """

    id: str
    module: nn.Module
    preprocess: ImageTransform
    preprocessing: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    default_layers: tuple[str, ...] | None = None
    norms_after_convolutions: tuple[tuple[str, str], ...] = ()
    takes: str = "image"
    tokens: Tokens | None = None
    trained_with: Preprocessing | None = None

    def __post_init__(self) -> None:
        if not self.id or "@" in self.id:
            raise InputError(f"a model name must be non-empty and without '@' (got {self.id!r}); give another name=")

    def layers(self) -> list[str]:
        """Names of all submodules, in the order of definition (a forward pass may not reach each of them)."""
        if isinstance(self.module, Engine):
            return self.module.layer_names()
        return [name for name, _ in self.module.named_modules() if name]

    def activations(self, batch: torch.Tensor, names: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """Run a batch of preprocessed inputs and return the full outputs of the layers named, ``None``: of all.

        Outputs are as the network gives them, the first tensor where there are several; of a layer that runs
        several times, the last. :func:`brainalign.models.embed` pools as it goes and is what to use on many images.
        """
        found: dict[str, torch.Tensor] = {}

        def see(name: str, output: Any) -> None:
            tensor = first_tensor(output)
            if tensor is not None:
                found[name or "output"] = tensor

        asked = None if names is None else [_inner(self.module, name) for name in names]
        known = dict(self.module.named_modules()) if not isinstance(self.module, Engine) else asked or ()
        for name in asked or ():
            if name not in known:
                raise UnknownLayerError(f"{self.id!r} has no layer {name!r}." + near_names(name, self.layers()))
        with at_inference(self.module, batch.device), observed(self.module, asked, see):
            self.module(batch)
        return found

    def identity(self) -> dict[str, Any]:
        """Return what the network is: id, revision, preprocessing, number of parameters, and all its attributes."""
        own = {"id": self.id, "revision": self.revision, "preprocessing": self.preprocessing, "takes": self.takes}
        return {**own, "n_parameters": self.n_parameters, **self.attributes}

    @cached_property
    def revision(self) -> str:
        """First 12 hex digits of SHA-256 over the weights and the preprocessing."""
        return weights_revision(self.module, self.preprocessing)

    @property
    def n_parameters(self) -> int | None:
        """Number of parameters; shared tensors count once, and None where a function hides them."""
        if isinstance(self.module, Engine):
            return self.module.count_parameters()
        return sum(p.numel() for p in self.module.parameters())

    def renamed(self, name: str) -> Network:
        """Return the same network under another name."""
        return replace(self, id=name)

    def described(self, attributes: Mapping[str, Any]) -> Network:
        """Return the same network with more attributes."""
        return replace(self, attributes={**self.attributes, **attributes})

    def prepared(self, transform: ImageTransform, description: str) -> Network:
        """Return the same network with another preprocessing."""
        return replace(self, preprocess=transform, preprocessing=description)


def _inner(module: nn.Module, name: str) -> str:
    own = isinstance(module, Engine) or name in dict(module.named_modules())
    return "" if name == "output" and not own else name


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
    if isinstance(module, Engine):
        digest.update(f"engine\0{type(module).__name__}\0{module.content()}\0".encode())
    state = {name: value for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    digest.update(b"\0preprocessing\0" + preprocessing.encode())
    return digest.hexdigest()[:12]


def described_transform(given: Given, *, model: str) -> tuple[ImageTransform, str]:
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

"""Any way of naming a network -> a :class:`Network`."""

from __future__ import annotations

from torch import nn

from brainalign.errors import InputError, ModelError, UnknownModelError, near_names
from brainalign.models.catalogue import SHIPPED
from brainalign.models.network import Network
from brainalign.models.torch_factory import Given, from_factory, from_module

__all__ = ["load_network"]


def load_network(
    model: str | nn.Module | Network,
    *,
    name: str | None = None,
    preprocessing: Given | None = None,
    seed: int = 0,
    allow_download: bool = False,
) -> Network:
    """Load a network.

    Parameters
    ----------
    model
        A shipped name (``"efficientnet-lite0"``, ``"pixels"``), ``"package.module:factory"``,
        ``"open_clip:ARCH/PRETRAINED_OR_FILE"``, a ``torch.nn.Module`` (``name`` required) or a :class:`Network`.
    name
        Name to keep its embeddings under; ``None``: ``model`` as it was written.
    preprocessing
        Replaces the network's own; see :func:`brainalign.models.torch_factory.from_module`.
    seed
        Seed of random weights (``open_clip:ARCH/none``).
    allow_download
        Let ``open_clip`` fetch the weights of a pretrained tag. Nothing is fetched otherwise.

    Raises
    ------
    UnknownModelError
        No such model, factory, architecture, tag or file.
    MissingDependencyError
        The package that holds the network is not installed.
    """
    if isinstance(model, Network):
        network = model
    elif isinstance(model, nn.Module):
        if name is None:
            raise InputError("a torch.nn.Module has no name of its own: give name=")
        return from_module(model, name=name, preprocessing=preprocessing)
    elif not isinstance(model, str):
        raise ModelError(f"a model is a name or a torch.nn.Module, got {type(model).__name__}")
    elif model.startswith("open_clip:"):
        # not at the top: this import takes seconds, and most networks do not need it
        from brainalign.models.open_clip_source import from_open_clip

        network = from_open_clip(model, seed=seed, allow_download=allow_download)
    elif model in SHIPPED:
        network = from_factory(SHIPPED[model].spec, preprocessing=preprocessing).renamed(model)
    elif ":" in model:
        network = from_factory(model, preprocessing=preprocessing).renamed(model)
    else:
        raise UnknownModelError(
            f"unknown model {model!r}."
            + near_names(model, SHIPPED)
            + " Other forms: 'package.module:factory', 'open_clip:ARCH/PRETRAINED_OR_FILE'."
        )
    return network if name is None else network.renamed(name)

"""Any way of naming a network -> a :class:`Network`."""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Callable
from typing import Any

from torch import nn

from brainalign.errors import InputError, MissingDependencyError, ModelError, UnknownModelError, near_names
from brainalign.models.catalogue import SHIPPED, SOURCES
from brainalign.models.covariates import published, training_set
from brainalign.models.network import Given, Network
from brainalign.models.request import ModelRequest
from brainalign.models.torch_factory import from_factory, from_function, from_module

__all__ = ["load_network"]


# torch's generator is one for all threads: networks made at once would draw each other's weights
_MAKING = threading.RLock()


def load_network(
    model: str | nn.Module | Network | Callable[[Any], Any],
    *,
    name: str | None = None,
    preprocessing: Given | None = None,
    seed: int = 0,
    allow_download: bool = False,
    allow_missing: bool = False,
) -> Network:
    """Load a network.

    Parameters
    ----------
    model
        A shipped name (``"efficientnet-lite0"``, ``"pixels"``), ``"SOURCE:…"`` with a source of
        :data:`brainalign.models.catalogue.SOURCES` (``"timm:resnet50.a1_in1k"``, ``"onnx:net.onnx"``),
        ``"package.module:factory"``, a :class:`Network`, or, with ``name``, a ``torch.nn.Module`` or a function of a
        batch.
    name
        Name to keep its embeddings under; ``None``: ``model`` as it was written, files without their folder.
    preprocessing
        Replaces the network's own; see :func:`brainalign.models.torch_factory.from_module`.
    seed
        Seed of random weights.
    allow_download
        Let the source fetch published weights. Nothing is fetched otherwise.
    allow_missing
        Accept a checkpoint that lacks weights; they stay random, and their names are recorded.

    Raises
    ------
    UnknownModelError
        No such model, factory, architecture, tag or file.
    ModelError
        Weights that do not fit, or a preprocessing that is not known.
    MissingDependencyError
        The package that holds the network is not installed.
    """
    with _MAKING:
        network = _made(model, name, preprocessing, seed, allow_download, allow_missing)
    return network if name is None else network.renamed(name)


def _made(
    model: str | nn.Module | Network | Callable[[Any], Any],
    name: str | None,
    preprocessing: Given | None,
    seed: int,
    allow_download: bool,
    allow_missing: bool,
) -> Network:
    if isinstance(model, Network):
        return model
    if isinstance(model, nn.Module) or (callable(model) and not isinstance(model, str)):
        if name is None:
            raise InputError("a torch.nn.Module or a function has no name of its own: give name=")
        if isinstance(model, nn.Module):
            return from_module(model, name=name, preprocessing=preprocessing)
        return from_function(model, name=name, preprocessing=preprocessing)
    if not isinstance(model, str):
        raise ModelError(f"a model is a name, a torch.nn.Module or a function, got {type(model).__name__}")
    if model in SHIPPED:
        return _shipped(model, preprocessing)
    if (prefix := model.partition(":")[0]) in SOURCES and ":" in model:
        asked = ModelRequest(model.partition(":")[2], seed, allow_download, allow_missing, preprocessing)
        loaded: Network = _source(prefix).load(asked)
        return loaded
    if ":" in model:
        return from_factory(model, preprocessing=preprocessing).renamed(model)
    raise UnknownModelError(
        f"unknown model {model!r}."
        + near_names(model, SHIPPED)
        + " Other forms: 'package.module:factory', "
        + ", ".join(repr(source.form) for source in SOURCES.values())
        + "."
    )


def _shipped(model: str, preprocessing: Given | None) -> Network:
    network = from_factory(SHIPPED[model].spec, preprocessing=preprocessing).renamed(model)
    if not published(model):
        return network
    known = {**published(model), **training_set("imagenet-1k")}
    return network.described({**known, "objective": "classification", "modality": "image"})


def _source(prefix: str) -> Any:
    source = SOURCES[prefix]
    missing = [package for package in source.packages if importlib.util.find_spec(package) is None]
    if missing:
        extra = f"[{source.extra}]" if source.extra else ""
        raise MissingDependencyError(
            f'networks of {source.form!r} need {", ".join(missing)}: pip install "brainalign{extra}"'
        )
    # not at the top: some of these imports take seconds, and most networks need one
    return importlib.import_module(f"brainalign.models.{source.home}")

"""Networks that a user brings: ``package.module:factory``, or a module or function at hand."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from brainalign.errors import InputError, ModelError, UnknownModelError, near_names
from brainalign.models.function_engine import FunctionEngine, TextBytes
from brainalign.models.network import Given, Network, described_transform

__all__ = ["from_factory", "from_function", "from_module"]


def from_factory(spec: str, *, preprocessing: Given | None = None) -> Network:
    """Call ``package.module:factory`` without arguments and return what it makes as a :class:`Network`.

    The factory returns a :class:`Network`, or a ``torch.nn.Module`` or a function of a batch, or a pair (one of
    these, preprocessing). Importing a module runs its code: name only modules you trust. The working folder is
    searched after the installed packages.

    Raises
    ------
    UnknownModelError
        No such module or factory.
    ModelError
        The factory returns something else, or a module of which the preprocessing is not known.
    """
    made = _find(spec)()
    if isinstance(made, Network):
        return made if preprocessing is None else made.prepared(*described_transform(preprocessing, model=made.id))
    if isinstance(made, tuple) and len(made) == 2 and callable(made[0]):
        made, own = made
        preprocessing = own if preprocessing is None else preprocessing
    if isinstance(made, nn.Module):
        return from_module(made, name=spec, preprocessing=preprocessing, source=spec)
    if callable(made):
        return from_function(made, name=spec, preprocessing=preprocessing, source=spec)
    raise ModelError(
        f"{spec!r} returned {type(made).__name__}; a factory returns a torch.nn.Module or a function, "
        "a pair (one of these, preprocessing) or a brainalign.models.Network"
    )


def from_module(
    module: nn.Module, *, name: str, preprocessing: Given | None = None, source: str | None = None
) -> Network:
    """Wrap a ``torch.nn.Module``.

    Parameters
    ----------
    preprocessing
        A :class:`Preprocessing`, a callable with a telling ``repr``, or a pair (callable, description). ``None``: the
        attribute ``preprocessing`` of the module. It is never guessed: a wrong mean and std costs a network ten points
        of accuracy without any error.

    Notes
    -----
    A dict attribute ``attributes`` of the module (``family``, ``pretrained``, ``training_data``) is taken over, and
    so is ``takes``: ``"text"`` for a module that reads captions.
    """
    attributes = {
        "family": type(module).__name__,
        "n_parameters": sum(p.numel() for p in module.parameters()),
        "source": source or f"{type(module).__module__}:{type(module).__qualname__}",
    }
    return _network(module, module, name, preprocessing, attributes)


def from_function(
    function: Callable[[Any], Any], *, name: str, preprocessing: Given | None = None, source: str | None = None
) -> Network:
    """Wrap a function of a batch; see :class:`brainalign.models.function_engine.FunctionEngine`.

    Its attribute ``takes`` says whether it reads images (the default) or a list of texts, ``revision`` names its
    state, ``preprocessing`` and ``attributes`` are those of :func:`from_module`. A function of texts needs no
    preprocessing.
    """
    takes = str(getattr(function, "takes", "image"))
    if takes == "text" and preprocessing is None:
        preprocessing = getattr(function, "preprocessing", TextBytes())
    engine = FunctionEngine(function, takes=takes, revision=getattr(function, "revision", None))
    label = getattr(function, "__qualname__", type(function).__name__)
    attributes = {"family": label, "n_parameters": None, "source": source or f"{function.__module__}:{label}"}
    return _network(engine, function, name, preprocessing, attributes)


def _network(
    module: nn.Module, owner: Any, name: str, preprocessing: Given | None, attributes: dict[str, Any]
) -> Network:
    given = preprocessing if preprocessing is not None else getattr(owner, "preprocessing", None)
    if given is None:
        raise ModelError(
            f"the preprocessing of {name!r} is not known: let the factory return (module, "
            "brainalign.models.Preprocessing(size=…, mean=…, std=…)), set module.preprocessing, or pass preprocessing="
        )
    transform, description = described_transform(given, model=name)
    own = getattr(owner, "attributes", {})
    known = {"pretrained": None, "training_data": None, **attributes, **(own if isinstance(own, dict) else {})}
    takes = str(getattr(owner, "takes", "image"))
    return Network(
        id=name, module=module, preprocess=transform, preprocessing=description, attributes=known, takes=takes
    )


def _find(spec: str) -> Callable[[], Any]:
    path, _, name = spec.partition(":")
    if not path or not name:
        raise UnknownModelError(f"{spec!r} does not name a factory; the form is 'package.module:factory'")
    module = _import(path, spec)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [n for n in dir(found) if not n.startswith("_") and callable(getattr(found, n))]
            raise UnknownModelError(f"module {path!r} has no factory {name!r}." + near_names(part, public))
        found = getattr(found, part)
    if not callable(found):
        raise UnknownModelError(f"{spec!r} is a {type(found).__name__}, not a function that makes a network")
    factory: Callable[[], Any] = found
    return factory


def _import(path: str, spec: str) -> Any:
    if not all(part.isidentifier() for part in path.split(".")):
        raise InputError(f"{path!r} in {spec!r} is not the dotted name of a Python module")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)  # at the end: a file here must not hide an installed package
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not (path == error.name or path.startswith(error.name + ".")):
            raise  # the user's module exists and itself misses something: their traceback says more
        raise UnknownModelError(
            f"no Python module {path!r} (from {spec!r}): it is neither installed nor in {here}"
        ) from error
    finally:
        if added:
            sys.path.remove(here)

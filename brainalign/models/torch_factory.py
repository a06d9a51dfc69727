"""Networks that a user brings: ``package.module:factory``, or a module at hand."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from brainalign.errors import InputError, ModelError, UnknownModelError, near_names
from brainalign.models.network import ImageTransform, Network, described_transform
from brainalign.models.preprocess import Preprocessing

__all__ = ["from_factory", "from_module"]

Given = Preprocessing | ImageTransform | tuple[ImageTransform, str]


def from_factory(spec: str, *, preprocessing: Given | None = None) -> Network:
    """Call ``package.module:factory`` without arguments and return what it makes as a :class:`Network`.

    The factory returns a :class:`Network`, or a ``torch.nn.Module``, or a pair (module, preprocessing). Importing a
    module runs its code: name only modules you trust. The working folder is searched after the installed packages.

    Raises
    ------
    UnknownModelError
        No such module or factory.
    ModelError
        The factory returns something else, or a module of which the preprocessing is not known.
    """
    made = _find(spec)()
    if isinstance(made, Network):
        return made if preprocessing is None else from_module(made.module, name=made.id, preprocessing=preprocessing)
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module):
        made, own = made
        preprocessing = own if preprocessing is None else preprocessing
    if not isinstance(made, nn.Module):
        raise ModelError(
            f"{spec!r} returned {type(made).__name__}; a factory returns a torch.nn.Module, "
            "a pair (module, preprocessing) or a brainalign.models.Network"
        )
    return from_module(made, name=spec, preprocessing=preprocessing, source=spec)


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
    A dict attribute ``attributes`` of the module (``family``, ``pretrained``, ``training_data``) is taken over.
    """
    given = preprocessing if preprocessing is not None else getattr(module, "preprocessing", None)
    if given is None:
        raise ModelError(
            f"the preprocessing of {name!r} is not known: let the factory return (module, "
            "brainalign.models.Preprocessing(size=…, mean=…, std=…)), set module.preprocessing, or pass preprocessing="
        )
    transform, description = described_transform(given, model=name)
    own: Any = getattr(module, "attributes", {})
    attributes = {
        "family": type(module).__name__,
        "n_parameters": sum(p.numel() for p in module.parameters()),
        "pretrained": None,
        "training_data": None,
        "source": source or f"{type(module).__module__}:{type(module).__qualname__}",
    }
    attributes.update(own if isinstance(own, dict) else {})
    return Network(id=name, module=module, preprocess=transform, preprocessing=description, attributes=attributes)


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

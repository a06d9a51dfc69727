"""Networks that are no tree of torch modules: compiled graphs, functions, tables of features.

An :class:`Engine` names its layers and computes those asked for. It stands where a ``torch.nn.Module`` stands, so
probing, choosing, pooling, batching and streaming know one kind of network only.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from brainalign.errors import ModelError

__all__ = ["Engine", "channels_first", "file_sha256"]

See = Callable[[str, Any], None]


class Engine(nn.Module, ABC):
    """A network whose layers are names and not submodules.

    A subclass gives :meth:`run`, :meth:`layer_names` and :meth:`content`. Activations carry the stimuli first, and
    maps their channels before space, whatever the framework behind does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked: tuple[str, ...] | None = ()
        self._see: See | None = None

    @abstractmethod
    def layer_names(self) -> list[str]:
        """Names of all layers in the order in which they are computed; empty where only running shows them."""

    @abstractmethod
    def run(self, inputs: torch.Tensor, names: Sequence[str] | None) -> Mapping[str, torch.Tensor]:
        """Compute the layers named, in order; ``None``: all; none named: the last."""

    @abstractmethod
    def content(self) -> str:
        """Text or hash that changes with whatever decides the activations, preprocessing apart."""

    def count_parameters(self) -> int | None:
        """Return the number of weights; None where it is not known."""
        return None

    @contextmanager
    def observed(self, names: Sequence[str] | None, see: See) -> Iterator[None]:
        """Call ``see(name, output)`` for each of the layers of a pass; ``None``: for all."""
        self._asked, self._see = None if names is None else tuple(names), see
        try:
            yield
        finally:
            self._asked, self._see = (), None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor | None:
        """Run, hand each layer to whoever observes, and return the last one."""
        last = None
        for name, output in self.run(inputs, self._asked).items():
            last = output
            if self._see is not None and (self._asked is None or name in self._asked):
                self._see(name, output)
        return last


def channels_first(values: torch.Tensor) -> torch.Tensor:
    """Bring maps (n, height, width, channels) to (n, channels, height, width); anything else is left alone."""
    return values.permute(0, 3, 1, 2) if values.ndim == 4 else values


def file_sha256(path: Path) -> str:
    """Hash a file.

    Raises
    ------
    ModelError
        It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"the file {path} cannot be read: {error}") from error

"""Networks that are functions: a batch in, one array or several named ones out."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from brainalign.errors import ActivationError, InputError
from brainalign.models.engine import Engine

__all__ = ["FunctionEngine", "TextBytes"]


class TextBytes:
    """Texts travel as UTF-8 bytes in tensors of one length, so that they are batched as images are."""

    def __init__(self, length: int = 1024) -> None:
        self.length = length

    def __repr__(self) -> str:
        return f"TextBytes(length={self.length})"

    def __call__(self, text: str) -> torch.Tensor:
        """Return the bytes of a text, followed by zeros.

        Raises
        ------
        InputError
            The text is longer, or holds the character of code zero.
        """
        data = text.encode()
        if len(data) > self.length or b"\0" in data:
            raise InputError(f"a text of {len(data)} bytes; at most {self.length} fit, and none of code zero")
        return torch.tensor(list(data.ljust(self.length, b"\0")), dtype=torch.uint8)

    @staticmethod
    def texts(batch: torch.Tensor) -> list[str]:
        """Return the texts again."""
        return [bytes(row.tolist()).rstrip(b"\0").decode() for row in batch.cpu()]


class FunctionEngine(Engine):
    """A Python function of a batch.

    Parameters
    ----------
    function
        Images: called with a float tensor (n, 3, h, w); texts: with a list of str. Returns an array or tensor
        (n, …), called ``output``, or a mapping name -> (n, …).
    takes
        ``"image"`` or ``"text"``.
    revision
        What names the state of the function; ``None``: its source code, which does not show what it closes over.
    """

    def __init__(self, function: Callable[[Any], Any], *, takes: str = "image", revision: str | None = None) -> None:
        super().__init__()
        self._function, self._takes, self._revision = function, takes, revision

    def layer_names(self) -> list[str]:
        """Nothing: only running shows what a function returns."""
        return []

    def content(self) -> str:
        """Return the revision given, else a hash of the source code.

        Raises
        ------
        InputError
            There is no source code to read.
        """
        if self._revision is not None:
            return self._revision
        try:
            return hashlib.sha256(inspect.getsource(self._function).encode()).hexdigest()
        except (OSError, TypeError) as error:
            raise InputError(
                f"the source of {self._function!r} cannot be read, so nothing names its state: give it an attribute "
                "'revision' (a text that changes whenever its results do)"
            ) from error

    def run(self, inputs: torch.Tensor, names: Sequence[str] | None) -> Mapping[str, torch.Tensor]:
        """Call the function."""
        made = self._function(TextBytes.texts(inputs) if self._takes == "text" else inputs)
        found = dict(made) if isinstance(made, Mapping) else {"output": made}
        return {str(name): _tensor(str(name), value) for name, value in found.items()}


def _tensor(name: str, value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach()
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise ActivationError(f"the function returned {array.dtype} for {name!r}; floating-point numbers are needed")
    return torch.from_numpy(np.ascontiguousarray(array))

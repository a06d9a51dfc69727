"""Out of memory: halve the batch and go on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from brainalign.errors import ActivationError

__all__ = ["Halving", "is_out_of_memory"]

Rows = Mapping[str, Any]


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory has run out, on the GPU or here.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    True
    >>> is_out_of_memory(RuntimeError("shapes do not match"))
    False
    """
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in said or "out of memory" in said)


class Halving:
    """Run batches; where one does not fit, run its halves, and all that follow at that size.

    Attributes
    ----------
    size
        Images that fit, as far as is known.
    events
        (first stimulus, size from then on) of each time that memory ran out. The last bits of an activation depend on
        the number of images in its batch, so this is recorded with the embedding.
    """

    def __init__(self, run: Callable[[torch.Tensor, Sequence[str]], Rows], size: int) -> None:
        self._run, self.size = run, size
        self.events: list[tuple[str, int]] = []

    def rows(self, images: torch.Tensor, ids: Sequence[str]) -> dict[str, Any]:
        """Return key -> (len(ids), n_features).

        Raises
        ------
        ActivationError
            Not even one image fits.
        """
        parts: list[Rows] = []
        done = 0
        while done < len(ids):
            step = slice(done, min(done + self.size, len(ids)))
            try:
                parts.append(self._run(images[step], ids[step]))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                tried = step.stop - step.start
            else:
                done = step.stop
                continue
            # outside of the except block, where the traceback would hold the tensors that did not fit
            self._halve(tried, ids[done])
        return (
            {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if len(parts) > 1 else {**parts[0]}
        )

    def _halve(self, tried: int, stimulus: str) -> None:
        if tried == 1:
            raise ActivationError(
                f"out of memory with one image ({stimulus!r}): ask for fewer layers, a pooling with fewer features, or "
                "another device"
            )
        self.size = tried // 2
        self.events.append((stimulus, self.size))
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        warnings.warn(
            f"out of memory with {tried} images from {stimulus!r} on; going on with {self.size}",
            UserWarning,
            stacklevel=2,
        )

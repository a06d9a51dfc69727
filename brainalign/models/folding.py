"""Batch norms folded into the convolutions before them, for as long as a network runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["folded"]


@contextmanager
def folded(module: nn.Module, pairs: Sequence[tuple[str, str]], *, observed: Collection[str]) -> Iterator[None]:
    """Run each convolution and the batch norm after it as one convolution; put both back afterwards.

    At inference a batch norm is a scale and a shift of each channel, which the convolution can do at no cost. The
    outputs are the same but for rounding (1e-6 of the largest).

    Parameters
    ----------
    module
        In evaluation mode.
    pairs
        Names of a convolution and of the batch norm that alone reads its output.
    observed
        Names of modules whose outputs are wanted: pairs with one of them stay as they are.
    """
    replaced: list[tuple[str, nn.Module]] = []
    try:
        for convolution, norm in pairs:
            if not {convolution, norm} & set(observed):
                before: list[Any] = [module.get_submodule(convolution), module.get_submodule(norm)]
                replaced += zip((convolution, norm), before, strict=True)
                _put(module, convolution, fuse_conv_bn_eval(*before))
                _put(module, norm, nn.Identity())
        yield
    finally:
        for name, part in replaced:
            _put(module, name, part)


def _put(module: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(module.get_submodule(parent), leaf, part)

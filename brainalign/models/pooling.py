"""From a layer's output for a batch to one row of features a stimulus."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.errors import ChoiceError, InputError, ShapeError, near_names
from brainalign.models.sparse_projection import sparse_projection

__all__ = ["BoundPooling", "Components", "Pooling", "Tokens", "layer_seed", "parse_pooling"]

FloatArray = npt.NDArray[np.floating[Any]]

_KINDS = ("flatten", "mean", "mean-last", "max", "cls", "patches", "srp", "pca")
_FORMS = ("flatten", "mean", "mean-last", "max", "cls", "patches", "srp:512", "pca:100")
_REDUCTIONS = ("srp", "pca")


@dataclass(frozen=True)
class Tokens:
    """What the tokens of a transformer are: how many in all, how many stand before the patches, is the first a class.

    The tokens before the patches are the class token and the registers.
    """

    total: int
    prefix: int
    class_token: bool


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of a layer: ``axes`` (d, p), ``mean`` (p,), and the share of variance that they hold."""

    axes: FloatArray
    mean: FloatArray
    share: float
    n_stimuli: int

    def scores(self, flat: FloatArray) -> FloatArray:
        """Return the coordinates (n, d) of flattened outputs (n, p)."""
        # one product of centred values: subtracting the mean's scores afterwards would lose digits
        return np.ascontiguousarray((flat - self.mean) @ self.axes.T, dtype=np.float32)

    def sha256(self) -> str:
        """Hash axes and mean."""
        return hashlib.sha256(self.axes.tobytes() + self.mean.tobytes()).hexdigest()


@dataclass(frozen=True)
class Pooling:
    """A declared rule from an output (n, …) to features (n, f).

    ============  ============================================================================================
    ``flatten``   every number of the output
    ``mean``      maps (n, channels, …): mean over space; tokens (n, tokens, channels): mean over tokens
    ``mean-last`` mean over all axes but the first and the last, for maps with the channels last
    ``max``       as ``mean``, with the largest value
    ``cls``       tokens (n, tokens, channels): the first token
    ``patches``   tokens: mean without class token and registers
    ``srp:d``     flatten, then a sparse random projection to d features (Li, Hastie & Church 2006,
                  doi:10.1145/1150402.1150436), which keeps distances in expectation
    ``pca:d``     flatten, then the first d principal components of the declared training set, fitted in one pass
                  (Ross et al. 2008, doi:10.1007/s11263-007-0075-7)
    ============  ============================================================================================

    An output (n, f) is taken as it is by ``flatten``, ``mean`` and ``mean-last``. The projection is drawn from
    :func:`layer_seed`, so that it is the same for every batch, run and set of stimuli. A layer with no more than d
    features is kept as it is by both reductions.
    """

    kind: str
    n_components: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.n_components}" if self.reduces else self.kind

    @property
    def reduces(self) -> bool:
        """Whether it reduces the flattened output."""
        return self.kind in _REDUCTIONS

    def bound(
        self, layer: str, shape: Sequence[int], *, seed: int, tokens: Tokens | None = None, channels_last: bool = False
    ) -> BoundPooling:
        """Fix the rule for one layer; ``shape`` is its output's without the axis of stimuli, ``seed`` the layer's."""
        prefix = 0
        if self.kind in ("cls", "patches"):
            prefix = self._prefix(layer, shape, tokens)
        return BoundPooling(self, layer, tuple(shape), seed, prefix, channels_last)

    def _prefix(self, layer: str, shape: Sequence[int], tokens: Tokens | None) -> int:
        """How many tokens of the layer are no patches; refuses what would take a patch for a class."""
        problem = ""
        if len(shape) != 2:
            problem = "gives (n, " + ", ".join(map(str, shape)) + "), and that is no list of tokens"
        elif tokens is None:
            problem = "" if self.kind == "cls" else "is of a network whose class token and registers are not known"
        elif self.kind == "cls" and not (tokens.class_token and shape[0] == tokens.total):
            problem = f"has {shape[0]} tokens, none of which is a class token"
        elif shape[0] not in (tokens.total, tokens.total - tokens.prefix):
            problem = f"has {shape[0]} tokens; {tokens.total} were expected, {tokens.prefix} of them no patches"
        if problem:
            raise ShapeError(
                f"pooling {self.kind!r} needs tokens (n, tokens, channels), but layer {layer!r} {problem}; choose "
                "'mean' or 'flatten', or other layers"
            )
        return tokens.prefix if tokens is not None and shape[0] == tokens.total else 0


def parse_pooling(text: str) -> Pooling:
    """Read a pooling rule.

    >>> str(parse_pooling("srp:512"))
    'srp:512'
    """
    kind, _, argument = text.partition(":")
    if kind not in _KINDS:
        raise ChoiceError(f"unknown pooling {text!r}." + near_names(kind, _FORMS))
    if kind not in _REDUCTIONS:
        if argument:
            raise InputError(f"pooling {kind!r} takes no argument (got {text!r})")
        return Pooling(kind)
    if not argument.isdecimal() or int(argument) < 1:
        raise InputError(f"a reduction needs its number of features, as in '{kind}:100' (got {text!r})")
    return Pooling(kind, int(argument))


def layer_seed(seed: int, layer: str) -> int:
    """Return the seed of a layer's projection: the first four bytes of SHA-256 over the seed and the layer's name.

    >>> layer_seed(0, "features.3") == layer_seed(0, "features.4")
    False
    """
    return int.from_bytes(hashlib.sha256(f"{seed}\0{layer}".encode()).digest()[:4], "big")


@dataclass(frozen=True)
class BoundPooling:
    """A pooling rule for one layer of known output shape."""

    rule: Pooling
    layer: str
    shape: tuple[int, ...]
    seed: int
    prefix: int = 0
    maps_last: bool = False
    components: Components | None = None

    @property
    def n_features(self) -> int:
        """Number of features of a stimulus."""
        whole = math.prod(self.shape)
        if self.rule.n_components is not None:
            return self.rule.n_components if self.projects else whole
        if self.rule.kind == "flatten" or len(self.shape) < 2:
            return whole
        return self.shape[-1] if self._channels_last else self.shape[0]

    @property
    def projects(self) -> bool:
        """Whether a projection takes place: fewer features than asked for are kept as they are."""
        return self.rule.n_components is not None and self.rule.n_components < math.prod(self.shape)

    @property
    def held_bytes(self) -> int:
        """Memory of the projection, as far as it is known beforehand."""
        d, whole = self.rule.n_components, math.prod(self.shape)
        if d is None or not self.projects:
            return 0
        # of a sparse one a number and its place, of which a row has about the root of the width
        return int(8 * d * math.sqrt(whole)) if self.rule.kind == "srp" else 4 * (d + 1) * whole

    @property
    def _channels_last(self) -> bool:
        tokens = len(self.shape) == 2  # or maps that are known to lie so
        return self.rule.kind in ("mean-last", "cls", "patches") or tokens or self.maps_last

    def __call__(self, output: torch.Tensor) -> torch.Tensor:
        """Pool an output (n, …) to features (n, n_features), in float32 or float64."""
        # 16-bit outputs overflow in sums
        values = output if output.dtype == torch.float64 else output.float()
        if self.rule.kind == "cls":
            return values[:, 0]
        if self.rule.n_components is None and self.rule.kind != "flatten" and values.ndim > 2:
            axis = 1 if self._channels_last else 2
            places = values.flatten(1, -2)[:, self.prefix :] if self._channels_last else values.flatten(2)
            return places.amax(axis) if self.rule.kind == "max" else places.mean(axis)
        flat = values.reshape(values.shape[0], -1)
        if not self.projects:
            return flat
        if self.rule.kind == "pca":
            if self.components is None:
                raise InputError(f"the principal components of layer {self.layer!r} are not fitted")
            return torch.from_numpy(self.components.scores(flat.cpu().numpy()))
        projected = self._projection @ flat.cpu().numpy().T
        return torch.from_numpy(np.ascontiguousarray(projected.T))

    @cached_property
    def _projection(self) -> Any:
        assert self.rule.n_components is not None
        return sparse_projection(self.rule.n_components, math.prod(self.shape), self.seed)

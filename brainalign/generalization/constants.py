"""What is known of single steps of a network: by how much each at most multiplies a change of its input."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import torch
from torch import nn

from brainalign.generalization.operators import operator_norm

__all__ = ["ACTIVATIONS", "ATTENTION", "Unbounded", "activation_constant", "max_pool_constant", "module_constant"]

Shape = tuple[int, ...]

#: Largest slope of functions that act on each number alone, rounded up; of GELU that of its hyperbolic form, which is
#: the larger.
ACTIVATIONS: dict[str, float] = {
    "identity": 1.0, "relu": 1.0, "relu_": 1.0, "relu6": 1.0, "hardtanh": 1.0, "tanh": 1.0, "softplus": 1.0,
    "sigmoid": 0.25, "logsigmoid": 1.0, "hardsigmoid": 0.1666667, "softsign": 1.0, "abs": 1.0, "gelu": 1.1289931,
    "silu": 1.0998394, "hardswish": 1.5, "mish": 1.0884982, "selu": 1.7580994, "dropout": 1.0, "dropout2d": 1.0,
    "alphadropout": 1.0, "dropout3d": 1.0, "dropout1d": 1.0,
}  # fmt: skip

AFFINE = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.Upsample, nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReplicationPad1d, nn.ReplicationPad2d,
)  # fmt: skip
RESHAPING = (
    nn.Flatten, nn.Unflatten, nn.Identity, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle, nn.ZeroPad1d,
    nn.ZeroPad2d, nn.ConstantPad1d, nn.ConstantPad2d,
)  # fmt: skip
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NORMS = (
    nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LocalResponseNorm,
)  # fmt: skip
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
ADAPTIVE_MAX_POOLS = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)


MOST_KEPT = 4096
_KEPT: dict[str, float] = {}

ATTENTION = "dot-product attention has no global Lipschitz constant (Kim et al. 2021, arXiv:2006.04710)"


class Unbounded(Exception):
    """A step for which no finite constant holds everywhere, or none is known; says why."""


def module_constant(module: nn.Module, given: Shape, made: Shape) -> float:
    """Return the Lipschitz constant of a layer in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        In float64.
    given, made : tuples of int
        Shapes of its input and output, batch first.

    Raises
    ------
    Unbounded
        Where there is none, or none is known.
    """
    if isinstance(module, AFFINE):
        return _affine_constant(module, given[1:])
    if isinstance(module, RESHAPING):
        return 1.0
    if isinstance(module, nn.MultiheadAttention | nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        raise Unbounded(ATTENTION)
    if isinstance(module, (*BATCH_NORMS, *NORMS)) or type(module).__name__ == "RMSNorm":
        return _norm_constant(module)
    if isinstance(module, MAX_POOLS):
        return max_pool_constant(module.kernel_size, module.stride, module.dilation, len(given) - 2)
    if isinstance(module, ADAPTIVE_MAX_POOLS):
        return _adaptive_constant(given[2:], made[2:])
    if isinstance(module, nn.LeakyReLU):
        return max(1.0, abs(module.negative_slope))
    if isinstance(module, nn.ELU | nn.CELU):
        return max(1.0, abs(module.alpha)) if isinstance(module, nn.ELU) else 1.0
    if isinstance(module, nn.PReLU):
        return max(1.0, float(module.weight.abs().max()))
    return activation_constant(type(module).__name__.lower(), made, getattr(module, "dim", None))


def _affine_constant(module: nn.Module, shape: Shape) -> float:
    """Norm of an affine layer; kept, since each cut of a network asks for the layers after it again."""
    weights = b"".join(value.detach().cpu().numpy().tobytes() for value in module.state_dict().values())
    key = f"{module!r} {shape} {hashlib.sha256(weights).hexdigest()}"
    if key not in _KEPT:
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.clear()
        _KEPT[key] = operator_norm(module, shape)
    return _KEPT[key]


def activation_constant(name: str, made: Shape, dim: int | None = None) -> float:
    """Return the Lipschitz constant of a function by its name in lower case; errors as in `module_constant`."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    if name in ("softmax", "softmax2d"):
        return 0.5
    if name in ("logsoftmax", "log_softmax"):
        return math.sqrt(made[1 if dim is None else dim])
    if "attention" in name:
        raise Unbounded(ATTENTION)
    raise Unbounded(f"no constant is known for {name}")


def max_pool_constant(kernel: Any, stride: Any, dilation: Any, n_axes: int) -> float:
    """Return the square root of the number of windows that may hold one input."""
    sizes, steps, gaps = (
        _each(value, n_axes) for value in (kernel, kernel if stride in (None, ()) else stride, dilation)
    )
    held = [math.ceil(k / s) if d == 1 else k for k, s, d in zip(sizes, steps, gaps, strict=True)]
    return math.sqrt(math.prod(held))


def _each(value: Any, n_axes: int) -> tuple[int, ...]:
    return (int(value),) * n_axes if isinstance(value, int) else tuple(int(v) for v in value)


def _adaptive_constant(given: Shape, made: Shape) -> float:
    held = [1 if n % m == 0 else 2 if n > m else math.ceil(m / n) + 1 for n, m in zip(given, made, strict=True)]
    return math.sqrt(math.prod(held))


def _norm_constant(module: Any) -> float:
    if isinstance(module, nn.LocalResponseNorm):
        raise Unbounded("no constant is known for localresponsenorm")
    weight = module.weight.detach().double().abs().reshape(-1) if module.weight is not None else torch.ones(1).double()
    variance = getattr(module, "running_var", None)
    if variance is not None:
        return float((weight / (variance.double() + module.eps).sqrt()).max())
    if isinstance(module, BATCH_NORMS):
        raise Unbounded("a batch norm without running statistics mixes the samples of a batch")
    if not module.eps:
        raise Unbounded(f"{type(module).__name__} without eps is not continuous where the input is constant")
    return float(weight.max()) / math.sqrt(module.eps)

"""The Lipschitz constant of one step of a network's graph, relative to the input of the graph."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from brainalign.generalization.constants import (
    ATTENTION,
    Unbounded,
    activation_constant,
    max_pool_constant,
    module_constant,
)
from brainalign.generalization.operators import operator_norm

__all__ = ["step_constant"]

Known = Mapping[fx.Node, float]

#: Steps that move numbers, or drop some, and change none.
MOVING = frozenset(
    {
        *(
            "flatten",
            "unflatten",
            "reshape",
            "view",
            "permute",
            "transpose",
            "swapaxes",
            "movedim",
            "squeeze",
            "unsqueeze",
        ),
        *(
            "contiguous",
            "detach",
            "clone",
            "to",
            "float",
            "double",
            "type_as",
            "chunk",
            "split",
            "tensor_split",
            "unbind",
        ),
        *("flip", "roll", "narrow", "select", "neg", "amax", "amin"),
    }
)
AFFINE = frozenset((F.avg_pool1d, F.avg_pool2d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.interpolate, F.pad))
SUMS, DIFFERENCES = frozenset(("add", "iadd", "add_")), frozenset(("sub", "isub", "sub_"))
PRODUCTS, QUOTIENTS = frozenset(("mul", "imul", "mul_")), frozenset(("truediv", "itruediv", "div", "div_"))


def step_constant(part: fx.GraphModule, node: fx.Node, known: Known) -> tuple[float, float]:
    """Return the constant of a node relative to the input, and that of the step alone.

    Parameters
    ----------
    part : GraphModule
        With shapes of all nodes in their ``meta``.
    node : Node
    known : mapping of Node to float
        Constants of the nodes before.

    Raises
    ------
    Unbounded
        Where no finite constant holds everywhere, or none is known.
    """
    given = [known[n] for n in node.all_input_nodes]
    if not any(given):
        return 0.0, 1.0  # of constants alone
    if issubclass(node.meta.get("type", object), int | float | tuple) and "tensor_meta" not in node.meta:
        return 0.0, 1.0  # shapes
    _require_own_samples(node)
    if node.op == "call_module":
        return _module(part.get_submodule(str(node.target)), node, known)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    return _function(part, node, name.strip("_") if name.startswith("__") else name, known)


def _module(module: nn.Module, node: fx.Node, known: Known) -> tuple[float, float]:
    first = node.args[0] if node.args else None
    if "attention" in type(module).__name__.lower():
        raise Unbounded(ATTENTION)
    if not isinstance(first, fx.Node) or any(known[n] for n in node.all_input_nodes if n is not first):
        raise Unbounded("it reads several activations at once")
    own = module_constant(module, _shape(first), _shape(node))
    return known[first] * own, own


def _function(part: fx.GraphModule, node: fx.Node, name: str, known: Known) -> tuple[float, float]:
    first = node.args[0] if node.args else node.kwargs.get("input")
    if name in ("cat", "concat", "stack"):
        listed = first if isinstance(first, list | tuple) else ()
        return math.sqrt(sum(known[n] ** 2 for n in listed if isinstance(n, fx.Node))), 1.0
    if name in SUMS | DIFFERENCES:
        return sum(_spread(arg, node) * known[arg] for arg in node.args[:2] if isinstance(arg, fx.Node)), 1.0
    if name in PRODUCTS | QUOTIENTS:
        return _scaled(part, node, name in QUOTIENTS, known)
    if name in ("matmul", "linear", "mm"):
        return _matrix(part, node, known)
    if not isinstance(first, fx.Node):
        raise Unbounded(f"no constant is known for {name}")
    own = _own(node, name, first)
    if any(known[n] for n in node.all_input_nodes if n is not first):
        raise Unbounded(f"{name} reads several activations at once")
    return known[first] * own, own


def _own(node: fx.Node, name: str, first: fx.Node) -> float:
    if name == "getitem":
        return _indexed(node.args[1])
    if name in MOVING:
        return 1.0
    if name in ("mean", "sum"):
        count = math.prod(_shape(first)) / max(1, math.prod(_shape(node)))
        return math.sqrt(1 / count if name == "mean" else count)
    if node.target in AFFINE:
        rest, named = node.args[1:], dict(node.kwargs)
        if any(isinstance(arg, fx.Node) for arg in (*rest, *named.values())):
            raise Unbounded(f"{name} takes settings that the input decides")
        function: Any = node.target
        return operator_norm(lambda x: function(x, *rest, **named), _shape(first)[1:])
    if "max_pool" in name and "adaptive" not in name:
        settings = _pool_settings(node)
        return max_pool_constant(*settings, len(_shape(first)) - 2)
    if name == "leaky_relu":
        slope = node.args[1] if len(node.args) > 1 else node.kwargs.get("negative_slope", 0.01)
        return max(1.0, abs(float(str(slope))))
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    return activation_constant(name.lower(), _shape(node), dim if isinstance(dim, int) else None)


def _pool_settings(node: fx.Node) -> tuple[Any, Any, Any]:
    names = ("kernel_size", "stride", "padding", "dilation")
    given = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
    return given["kernel_size"], given.get("stride"), given.get("dilation", 1)


def _indexed(index: Any) -> float:
    places = index if isinstance(index, tuple) else (index,)
    if all(place is None or place is Ellipsis or isinstance(place, int | slice) for place in places):
        return 1.0
    raise Unbounded("it picks places by a list, which may name one twice")


def _spread(arg: fx.Node, node: fx.Node) -> float:
    """What broadcasting adds: each number is repeated that often."""
    return math.sqrt(max(1.0, math.prod(_shape(node)) / max(1, math.prod(_shape(arg)))))


def _scaled(part: fx.GraphModule, node: fx.Node, inverse: bool, known: Known) -> tuple[float, float]:
    moving = [arg for arg in node.args[:2] if isinstance(arg, fx.Node) and known[arg]]
    if len(moving) != 1:
        raise Unbounded("it multiplies activations with each other, which has no global constant")
    if inverse and moving[0] is node.args[1]:
        raise Unbounded("it divides by an activation")
    other = node.args[1] if node.args[0] is moving[0] else node.args[0]
    values = _value(part, other).abs()
    factor = 1 / float(values.min()) if inverse else float(values.max())
    own = factor * _spread(moving[0], node)
    return known[moving[0]] * own, own


def _matrix(part: fx.GraphModule, node: fx.Node, known: Known) -> tuple[float, float]:
    moving = [arg for arg in node.args[:2] if isinstance(arg, fx.Node) and known[arg]]
    if len(moving) != 1:
        raise Unbounded("it multiplies activations with each other, which has no global constant")
    weight = _value(part, node.args[1] if node.args[0] is moving[0] else node.args[0])
    if weight.ndim != 2:
        raise Unbounded("it multiplies with a weight that is no matrix")
    own = float(torch.linalg.matrix_norm(weight, ord=2))
    return known[moving[0]] * own, own


def _value(part: fx.GraphModule, arg: Any) -> torch.Tensor:
    if isinstance(arg, int | float):
        return torch.tensor(float(arg), dtype=torch.float64)
    if isinstance(arg, fx.Node) and arg.op == "get_attr":
        found: Any = functools.reduce(getattr, str(arg.target).split("."), part)
        return torch.as_tensor(found).detach().double()
    raise Unbounded("a factor of it is computed on the way")


def _require_own_samples(node: fx.Node) -> None:
    meta = node.meta.get("tensor_meta")
    shape = getattr(meta, "shape", None)
    if shape is not None and (len(shape) == 0 or shape[0] != 2):
        raise Unbounded("it mixes the samples of a batch, or drops their dimension")


def _shape(node: Any) -> tuple[int, ...]:
    meta = node.meta.get("tensor_meta") if isinstance(node, fx.Node) else None
    shape = getattr(meta, "shape", None)
    if shape is None:
        raise Unbounded("it gives no single tensor")
    return tuple(int(size) for size in shape)

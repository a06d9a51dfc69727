"""A network as a graph of steps: the part up to a layer, the part after it, and a constant for the whole."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from brainalign.errors import ModelError, UnknownLayerError, near_names
from brainalign.generalization.constants import ATTENTION, Unbounded
from brainalign.generalization.steps import step_constant

__all__ = ["Parts", "Step", "attention_in", "parts_of", "prepared", "upper_bound"]


@dataclass(frozen=True)
class Step:
    """One step of a network: its name, what it is, and by how much it at most multiplies a change of its input."""

    name: str
    kind: str
    constant: float


@dataclass(frozen=True, eq=False)
class Parts:
    """A network cut at a layer: inputs to the layer's output (None where not cut), and that to the network's output.

    ``traced`` is False where the network's code cannot be read as a graph; ``reason`` says why.
    """

    before: nn.Module | None
    after: nn.Module
    traced: bool
    reason: str = ""


def prepared(network: Any) -> nn.Module:
    """Return a copy of a network in float64 and evaluation mode, on the CPU.

    Raises
    ------
    ModelError
        If it is no torch module, nor something that holds one as ``module``.
    """
    module = network if isinstance(network, nn.Module) else getattr(network, "module", None)
    if not isinstance(module, nn.Module):
        raise ModelError(f"a {type(network).__name__} is no torch.nn.Module; Lipschitz bounds read its layers.")
    return copy.deepcopy(module).cpu().double().eval()


def parts_of(module: nn.Module, from_layer: str | None) -> Parts:
    """Cut a prepared network at a layer.

    Raises
    ------
    UnknownLayerError
        If there is no such layer, or the forward pass does not reach it.
    ModelError
        If the graph cannot be read, or the layer is passed by: then the output is no function of it.
    """
    names = [name for name, _ in module.named_modules() if name]
    if from_layer is not None and from_layer not in names:
        raise UnknownLayerError(f"the network has no layer {from_layer!r}.{near_names(from_layer, names)}")
    try:
        graph = fx.Tracer().trace(module)
    except Exception as error:  # whatever the network's own code raises when it meets a symbol in place of numbers
        said = f"its code cannot be read as a graph ({type(error).__name__}: {str(error).splitlines()[0][:120]})"
        if from_layer is not None:
            raise ModelError(f"the network cannot be cut at {from_layer!r}: {said}.") from error
        return Parts(None, module, False, said)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if from_layer is None:
        return Parts(None, fx.GraphModule(module, graph), True)
    cut = _output_of(graph, from_layer)
    end = next(node for node in graph.nodes if node.op == "output")
    return Parts(_between(module, inputs[0], cut, inputs), _between(module, cut, end.args[0], inputs), True)


def _output_of(graph: fx.Graph, layer: str) -> fx.Node:
    """Return the last node that the layer makes."""
    made: list[fx.Node] = [node for node in graph.nodes if any(layer == name for name in _within(node))]
    if not made:
        raise UnknownLayerError(f"the forward pass does not reach layer {layer!r}.")
    return made[-1]


def _within(node: fx.Node) -> Iterable[str]:
    stack = node.meta.get("nn_module_stack") or {}
    own = [str(node.target)] if node.op == "call_module" else []
    return [*(str(path) for path, _ in stack.values()), *own]


def _between(module: nn.Module, start: fx.Node, end: Any, inputs: list[fx.Node]) -> fx.GraphModule:
    """Return the part of a network from one node to another; refuse paths that pass the first by."""
    if not isinstance(end, fx.Node):
        raise ModelError("the network returns several things; a Lipschitz constant needs one tensor as output.")
    graph, copied = fx.Graph(), {}
    copied[start] = graph.placeholder("z")
    needed, open_ = set(), [end]
    while open_:
        node = open_.pop()
        if node in needed or node is start:
            continue
        if node in inputs:
            raise ModelError(
                f"the output also depends on the input past {start.target}: it is no function of that layer alone; "
                "name the layer where the paths have joined, such as the whole block."
            )
        needed.add(node)
        open_ += node.all_input_nodes
    for node in end.graph.nodes:
        if node in needed:
            copied[node] = graph.node_copy(node, lambda n: copied[n])
    graph.output(copied[end])
    return fx.GraphModule(module, graph)


def attention_in(module: nn.Module) -> list[str]:
    """Return why a network that cannot be traced has no constant, where it holds attention."""
    found = [name for name, part in module.named_modules() if "attention" in type(part).__name__.lower()]
    return [f"{name}: {ATTENTION}" for name in found]


def upper_bound(part: nn.Module, sample: torch.Tensor) -> tuple[float, list[Step], list[str]]:
    """Multiply constants along the graph of a traced part: sums where paths join.

    Parameters
    ----------
    part : GraphModule
    sample : float64 tensor (2, ...)
        Two inputs; only their shape matters, and that two come out.

    Returns
    -------
    constant, steps, reasons
        Infinite with reasons where a step has none.
    """
    assert isinstance(part, fx.GraphModule)
    ShapeProp(part).propagate(sample.clone())
    known: dict[fx.Node, float] = {}
    steps: list[Step] = []
    reasons: list[str] = []
    for node in part.graph.nodes:
        if node.op == "placeholder":
            known[node] = 1.0
        elif node.op == "get_attr":
            known[node] = 0.0
        elif node.op == "output":
            end = node.args[0]
            if not isinstance(end, fx.Node):
                raise ModelError("the network returns several things; a Lipschitz constant needs one tensor as output.")
            return known[end], steps, reasons
        else:
            try:
                known[node], own = step_constant(part, node, known)
            except Unbounded as unbounded:
                known[node], own = float("inf"), float("inf")
                reasons.append(f"{_label(node)}: {unbounded}")
            if own != 1.0:
                steps.append(Step(_label(node), _kind(part, node), own))
    raise ModelError("the network returns nothing.")


def _label(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name


def _kind(part: nn.Module, node: fx.Node) -> str:
    if node.op == "call_module":
        return type(part.get_submodule(str(node.target))).__name__
    return getattr(node.target, "__name__", str(node.target))

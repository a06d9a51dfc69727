"""TorchScript archives: ``torchscript:FILE``.

An archive carries code of its own, in TorchScript, which knows no Python, no files but by two operators, and no
network. Before anything is loaded the code is read as text, and an archive that names an operator which writes or maps
files, or one of another package than torch and torchvision, is refused. That is no proof against flaws in torch's own
reader, which is why torch advises to load only archives that you trust.

An archive's submodules take no hooks, so the graph of a straight-line module is run operation by operation, which shows
the output of each submodule; a submodule with branches or loops runs as a whole, what is inside it stays unseen.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from brainalign.errors import ModelError
from brainalign.foreign.inflation import unpacked
from brainalign.models.engine import Engine, file_sha256
from brainalign.models.layers import first_tensor
from brainalign.models.network import Network
from brainalign.models.request import ModelRequest, engine_network

__all__ = ["ScriptEngine", "load"]


def load(asked: ModelRequest) -> Network:
    """Load a TorchScript archive; its preprocessing must be passed.

    Raises
    ------
    UnknownModelError, ModelError
        No such file, no such archive, or no preprocessing.
    """
    path = asked.file("an archive written by torch.jit.save")
    name = f"torchscript:{path.name}"
    given = asked.required_preprocessing(name, "an archive does not say what its images look like")
    _refuse_foreign_code(path)
    try:
        with warnings.catch_warnings():  # that torch would rather have torch.export helps nobody with a file at hand
            warnings.filterwarnings("ignore", r".*torch\.jit\.load", category=Warning)
            script = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # IndexError, MemoryError and more for one fact: the archive cannot be read
        said = (str(error).splitlines() or [""])[0][:200]
        raise ModelError(f"{path} is no TorchScript archive ({type(error).__name__}: {said})") from error
    engine = ScriptEngine(script.eval(), file_sha256(path))
    return engine_network(name, engine, given, family=str(script.original_name))


_NAMESPACES = frozenset({"aten", "prim", "quantized", "torchvision"})
_FILES = frozenset({"save", "from_file", "load"})
_OPERATOR = re.compile(r"\bops\.(\w+)\.(\w+)|\btorch\.(\w+)\s*\(")


def _refuse_foreign_code(path: Path) -> None:
    """Read the code in an archive, and raise ModelError where it could do more than compute.

    Operators of torch stand as ``torch.name(`` in it, all others as ``ops.namespace.name``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            named = [name for name in archive.namelist() if "/code/" in name and name.endswith(".py")]
            code = {name: unpacked(archive, name, path).decode() for name in named}
    except Exception as error:  # readers of zip files fail with a dozen types; bombs are refused with a DatasetError
        raise ModelError(f"{path} is no TorchScript archive: {error}") from error
    for name, text in code.items():
        for space, operator, of_torch in _OPERATOR.findall(text):
            called = f"{space}::{operator}" if space else f"aten::{of_torch}"
            if called.partition("::")[0] not in _NAMESPACES or called.partition("::")[2] in _FILES:
                raise ModelError(
                    f"the code in {path} ({name.partition('/')[2]}) calls {called}, which could do more than compute; "
                    "it was not loaded. Export the network anew, or bring it as a torch.nn.Module of your own"
                )


class ScriptEngine(Engine):
    """A TorchScript module, run so that the outputs of its submodules are seen."""

    def __init__(self, script: Any, sha256: str) -> None:
        super().__init__()
        self.script, self._sha256 = script, sha256

    def layer_names(self) -> list[str]:
        """Names of submodules as torch prints them; a forward pass may not reach each of them."""
        return [*(name for name, _ in self.script.named_modules() if name), "output"]

    def count_parameters(self) -> int:
        """Number of parameters of the archive."""
        return sum(p.numel() for p in self.script.parameters())

    def content(self) -> str:
        """SHA-256 of the archive."""
        return self._sha256

    def run(self, inputs: torch.Tensor, names: Sequence[str] | None) -> Mapping[str, torch.Tensor]:
        """Run the graph; a submodule that runs twice shows its last output."""
        found: dict[str, torch.Tensor] = {}

        def see(name: str, value: Any) -> None:
            tensor = first_tensor(value)
            if tensor is not None and (names is None or name in names):
                found.pop(name, None)
                found[name] = tensor

        inside = names is None or any(name != "output" for name in names)
        whole = _call(self.script, "", (inputs,), see) if inside else self.script(inputs)
        see("output", whole)
        return found or {"output": whole}


def _call(script: Any, path: str, given: tuple[Any, ...], see: Callable[[str, Any], None]) -> Any:
    """Run a module's graph node by node, or the module itself where the graph has branches."""
    nodes = list(script.graph.nodes()) if hasattr(script, "graph") else []
    runs = {node: run for node in nodes if (run := _operation(node)) is not None}
    if not nodes or len(runs) < len(nodes):
        return script(*given)
    values: dict[str, Any] = {}
    for value, argument in zip(script.graph.inputs(), (script, *given), strict=False):
        values[value.debugName()] = argument
    paths = {next(iter(script.graph.inputs())).debugName(): path}
    for node in nodes:
        outputs = [value.debugName() for value in node.outputs()]
        inputs = [values[value.debugName()] for value in node.inputs()]
        if node.kind() == "prim::GetAttr":
            name, owner = node.s("name"), paths.get(next(iter(node.inputs())).debugName(), "")
            values[outputs[0]] = getattr(inputs[0], name)
            paths[outputs[0]] = f"{owner}.{name}" if owner else name
        elif node.kind() == "prim::CallMethod":
            where = paths[next(iter(node.inputs())).debugName()]
            values[outputs[0]] = _call(inputs[0], where, tuple(inputs[1:]), see)
            see(where, values[outputs[0]])
        else:
            result = runs[node](node, inputs)
            values.update(zip(outputs, result if len(outputs) > 1 else [result], strict=True))
    found = [values[value.debugName()] for value in script.graph.outputs()]
    return found[0] if len(found) == 1 else tuple(found)


_SIMPLE: dict[str, Callable[[Any, list[Any]], Any]] = {
    "prim::Constant": lambda node, _: node.output().toIValue(),
    "prim::ListConstruct": lambda _, inputs: list(inputs),
    "prim::TupleConstruct": lambda _, inputs: tuple(inputs),
    "prim::TupleUnpack": lambda _, inputs: inputs[0],
    "prim::ListUnpack": lambda _, inputs: inputs[0],
    "prim::NumToTensor": lambda _, inputs: torch.tensor(inputs[0]),
    "prim::GetAttr": lambda _, inputs: inputs[0],
    "prim::CallMethod": lambda _, inputs: inputs[0],
}


def _operation(node: Any) -> Callable[[Any, list[Any]], Any] | None:
    """How to run a node; None where this reader cannot, as for branches and calls of other methods."""
    kind = node.kind()
    if kind == "prim::CallMethod" and node.s("name") != "forward":
        return None
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if not kind.startswith("aten::"):
        return None
    operation, _ = torch._C._jit_get_operation(kind)
    return None if operation is None else lambda _, inputs: operation(*inputs)

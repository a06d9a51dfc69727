"""Small networks with known answers."""

import pytest
import torch
from torch import nn


class Tiny(nn.Module):
    """Two convolutions, a shared activation, tokens-first attention-like reshape, a pooled readout."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.blocks = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2), nn.Conv2d(6, 5, 1), nn.Conv2d(5, 7, 1))
        self.tokens_first = nn.Identity()
        self.pair = Pair()
        self.head = nn.Linear(7, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.stem(x))
        x = self.act(self.blocks(x))
        self.tokens_first(x.flatten(2).permute(2, 0, 1))
        self.pair(x)
        out: torch.Tensor = self.head(x.mean((2, 3)))
        return out


class Pair(nn.Module):
    """Gives a tuple."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        return x * 2, None


@pytest.fixture
def tiny() -> Tiny:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Tiny().eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 9, 9, generator=torch.Generator().manual_seed(1))

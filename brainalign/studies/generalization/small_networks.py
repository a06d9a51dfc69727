"""Small networks that are trained here, in a second or less each: perceptrons with a bottleneck, autoencoders."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Samples", "autoencoder", "digits", "perceptron", "train_autoencoder", "train_classifier"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

N_DIGITS = 10


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs and labels, training apart from test: float32 (n, ...) and int64 (n,)."""

    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor


def digits(n_train: int, *, noise: float = 0.0, seed: int = 0) -> Samples:
    """Return scikit-learn's digits, scaled to unit range: half for tests, ``n_train`` of the other half for training.

    ``noise`` is the share of training labels that are drawn anew; test labels stay. The halves are the same for all
    seeds, so that networks compare on the same test samples; the training samples and the noise follow the seed.
    """
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    test, rest = order[: len(X) // 2], order[len(X) // 2 :]
    rng = np.random.default_rng([seed, n_train])
    train = rng.choice(rest, n_train, replace=False)
    labels = y[train].astype(np.int64)
    wrong = rng.random(n_train) < noise
    labels[wrong] = rng.integers(0, N_DIGITS, int(wrong.sum()))
    images = torch.from_numpy((X / 16).astype(np.float32))
    return Samples(images[train], torch.from_numpy(labels), images[test], torch.from_numpy(y[test].astype(np.int64)))


def perceptron(sizes: Sequence[int], *, seed: int = 0) -> nn.Sequential:
    """Return linear layers ``linear1``, … with rectifiers ``relu1``, … between them, weights by seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential()
        for i, (given, made) in enumerate(itertools.pairwise(sizes), start=1):
            network.add_module(f"linear{i}", nn.Linear(given, made))
            if i < len(sizes) - 1:
                network.add_module(f"relu{i}", nn.ReLU())
    return network


def autoencoder(n_inputs: int, bottleneck: int, *, hidden: int = 128, seed: int = 0) -> nn.Sequential:
    """Return an encoder and a decoder with one hidden layer each; the bottleneck is ``linear2``, without rectifier."""
    network = perceptron([n_inputs, hidden, bottleneck, hidden, n_inputs], seed=seed)
    network[3] = nn.Identity()
    return network


def train_classifier(
    network: nn.Module, X: torch.Tensor, y: torch.Tensor, *, steps: int = 400, rate: float = 3e-3
) -> float:
    """Minimise cross-entropy on all samples at once by Adam; return the last loss."""
    return _minimise(network, X, lambda out: F.cross_entropy(out, y), steps, rate)


def train_autoencoder(network: nn.Module, X: torch.Tensor, *, steps: int = 600, rate: float = 3e-3) -> float:
    """Minimise the squared error of the reconstruction on all samples at once by Adam; return the last loss."""
    return _minimise(network, X, lambda out: F.mse_loss(out, X), steps, rate)


def _minimise(
    network: nn.Module, X: torch.Tensor, loss_of: Callable[[torch.Tensor], torch.Tensor], steps: int, rate: float
) -> float:
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    network.train()
    value = float("nan")
    for _ in range(steps):
        optimiser.zero_grad()
        loss = loss_of(network(X))
        torch.autograd.backward(loss)
        optimiser.step()
        value = float(loss.detach())
    network.eval()
    return value

"""Trained networks of rising depth on images that none of them was trained on: held-out halves, class by class."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from brainalign.datasets.image_files import open_images
from brainalign.errors import DatasetError, InputError
from brainalign.models import load_network
from brainalign.models.network import Network
from brainalign.studies.generalization.profiles import class_profile, embeddings_at, layer_profile, network_profile
from brainalign.studies.generalization.small_networks import Samples
from brainalign.studies.relations import relate_all

__all__ = ["CLASSES", "ResnetStudy", "labelled_images", "resnet_study"]

#: In the order of the networks' outputs.
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LAYERS = ("layer1", "layer2", "layer3", "flatten", "linear")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class ResnetStudy:
    """Networks of rising depth on held-out images.

    Attributes
    ----------
    networks : DataFrame
        One row a network: model, depth, n_parameters, test_error of all images (training errors are below a percent, so
        it stands for the gap), loss and margin of both halves.
    layers : DataFrame
        Rows of `layer_profile`, with model and depth: one half of the images stands for training.
    classes : DataFrame
        Rows of `class_profile` at the last embedding, with model, depth and the error of the class.
    relations : DataFrame
        Dimension and distance against the error of a class, over networks and classes; networks share a class, so
        classes are the groups.
    embeddings : dict
        (model, layer) to embeddings (n, units) of all images.
    labels : array
    """

    networks: pd.DataFrame
    layers: pd.DataFrame
    classes: pd.DataFrame
    relations: pd.DataFrame
    embeddings: dict[tuple[str, str], np.ndarray]
    labels: np.ndarray


def labelled_images(
    images: str | Path, network: Network, *, n_per_class: int | None = None, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Read images from a folder or zip of ``…/CLASS/name.jpg``, prepared for a network.

    Returns
    -------
    inputs : float32 tensor (n, 3, 32, 32)
    labels : int64 tensor (n,)

    Raises
    ------
    DatasetError
        If a folder is none of the ten classes, or there are no images.
    """
    rng = np.random.default_rng(seed)
    with open_images(Path(images)) as source:
        by_class: dict[str, list[str]] = {}
        for name in source.names():
            by_class.setdefault(PurePosixPath(name).parent.name, []).append(name)
        unknown = sorted(set(by_class) - set(CLASSES))
        if unknown or not by_class:
            raise DatasetError(f"{images}: expected images in folders {', '.join(CLASSES)}; found {unknown or 'none'}.")
        made, labels = [], []
        for label, kind in enumerate(CLASSES):
            names = by_class.get(kind, [])
            if n_per_class is not None and n_per_class < len(names):
                names = sorted(rng.choice(names, n_per_class, replace=False).tolist())
            for name in names:
                with Image.open(io.BytesIO(source.read(name))) as image:
                    made.append(network.preprocess(image))
                labels.append(label)
    return torch.stack(made), torch.tensor(labels)


def resnet_study(
    weights: Sequence[str | Path],
    images: str | Path,
    *,
    n_per_class: int = 200,
    lipschitz: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> ResnetStudy:
    """Measure CIFAR ResNets on images that they were not trained on.

    Parameters
    ----------
    weights : sequence of paths
        Checkpoints of CIFAR ResNets; depth and classes are read from the weights.
    images : path
        Folder or zip of labelled images.
    n_per_class : int
        Images of each class, half of them in each half.
    lipschitz : bool
        Bound the part after each layer too.
    seed : int
        Of all draws.
    progress : callable, optional
        Called with what was done, the count and the total.

    Raises
    ------
    InputError, DatasetError, ModelError
        For no weights, images without their class, weights that do not fit.

    Notes
    -----
    ``layer3`` and ``flatten`` hold the same numbers here (maps are averaged over the grid), but the part after them
    differs. The training images are not needed: both halves are held out, so distances between them estimate what
    independent samples give, and probes are fitted on one half and scored on the other. Cost: one pass of all images a
    network, and half a minute of Lipschitz bounds for the deeper ones.
    """
    if not weights:
        raise InputError("no files of weights are given.")
    networks, layers, classes = [], [], []
    kept: dict[tuple[str, str], np.ndarray] = {}
    inputs = labels = torch.empty(0)
    for i, file in enumerate(weights, start=1):
        network = load_network(f"cifar-resnet:{file}")
        if not len(inputs):
            inputs, labels = labelled_images(images, network, n_per_class=n_per_class, seed=seed)
        samples = _halves(inputs, labels, seed)
        depth = int(network.attributes["depth"])
        name: dict[str, Any] = {"model": f"cifar-resnet{depth}", "depth": depth}
        at = embeddings_at(network.module, inputs, LAYERS)
        kept |= {(name["model"], layer): Z for layer, Z in at.items()}
        own = network_profile(network.module, samples, lipschitz=lipschitz)
        error = float((at["linear"].argmax(1) != labels.numpy()).mean())
        networks.append({**name, **own, "test_error": error, "accuracy": 1 - error})
        profile = layer_profile(network.module, samples, LAYERS, lipschitz=lipschitz, n_points=4, seed=seed)
        layers.append(profile.assign(**name))
        wrong = pd.Series(at["linear"].argmax(1) != labels.numpy()).groupby(labels.numpy()).mean()
        by_class = class_profile(network.module, samples, "flatten", seed=seed)
        classes.append(by_class.assign(**name, error=by_class["class"].map(wrong)))
        if progress is not None:
            progress("networks", i, len(weights))
    by_class = pd.concat(classes, ignore_index=True)
    relations = relate_all(
        by_class, x=["dimension", "wasserstein"], y=["error"], group="class", n_permutations=2000, seed=seed
    )
    table = pd.concat(layers, ignore_index=True)
    return ResnetStudy(pd.DataFrame(networks), table, by_class, relations, kept, labels.numpy())


def _halves(inputs: torch.Tensor, labels: torch.Tensor, seed: int) -> Samples:
    """Deal the images of each class to two halves."""
    rng = np.random.default_rng(seed)
    first = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels.numpy()).tolist():
        rows = rng.permutation(np.flatnonzero(labels.numpy() == label))
        first[rows[: len(rows) // 2]] = True
    one, other = torch.from_numpy(first), torch.from_numpy(~first)
    return Samples(inputs[one], labels[one], inputs[other], labels[other])

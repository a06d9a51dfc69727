"""ResNets for 32x32 images: ``cifar-resnet:FILE``, a checkpoint of depth 20, 32, 44, 56, 110 and so on.

The depth and the number of classes are read from the weights.
"""

from __future__ import annotations

from brainalign.cifar_resnet import CifarResNet
from brainalign.errors import ModelError
from brainalign.models.checkpoints import load_weights
from brainalign.models.covariates import published, training_set
from brainalign.models.engine import file_sha256
from brainalign.models.network import Network, described_transform
from brainalign.models.preprocess import Preprocessing
from brainalign.models.request import ModelRequest
from brainalign.weights import read_weights

__all__ = ["load"]

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_PREPROCESSING = Preprocessing(size=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


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

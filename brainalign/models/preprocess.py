"""From an image to the input tensor, declared so that it can be hashed and printed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from brainalign.errors import ChoiceError, InputError, near_names

__all__ = ["Preprocessing", "read_preprocessing"]

_INTERPOLATION = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_RESIZE = ("short-side", "exact")


def read_preprocessing(text: str) -> Preprocessing:
    """Read a preprocessing from JSON, as :meth:`Preprocessing.canonical` writes it; what is absent has its default.

    Raises
    ------
    InputError
        No JSON object, or names that a preprocessing does not have.

    Examples
    --------
    >>> read_preprocessing('{"size": 32, "mean": [0.5, 0.5, 0.5]}').mean
    (0.5, 0.5, 0.5)
    """
    try:
        values: dict[str, Any] = json.loads(text)
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return Preprocessing(**given)
    except (json.JSONDecodeError, RecursionError, AttributeError, TypeError) as error:
        raise InputError(
            f"{text!r} is no preprocessing ({error}); expected JSON such as "
            '{"size": 224, "resize_to": 256, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}'
        ) from error


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop, scale.

    Parameters
    ----------
    size
        Height and width of the input, in pixels.
    resize
        ``"short-side"``: the short side becomes ``resize_to`` and the centre is cropped, so a square image is seen
        whole when ``resize_to == size``. ``"exact"``: height and width are set and the aspect ratio is not kept.
    resize_to
        Length of the short side before the crop, in pixels; ``None``: ``size``.
    interpolation
        ``nearest``, ``box``, ``bilinear``, ``bicubic`` or ``lanczos``, as Pillow does them (antialiased).
    mean, std
        Per channel, on the scale 0 to 1: ``(x - mean) / std``.

    Examples
    --------
    >>> from PIL import Image
    >>> Preprocessing(size=4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))(Image.new("RGB", (8, 6), "white")).shape
    torch.Size([3, 4, 4])
    """

    size: int
    resize: str = "short-side"
    resize_to: int | None = None
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.interpolation not in _INTERPOLATION:
            raise ChoiceError(
                f"unknown interpolation {self.interpolation!r}." + near_names(self.interpolation, _INTERPOLATION)
            )
        if self.resize not in _RESIZE:
            raise ChoiceError(f"unknown resize rule {self.resize!r}." + near_names(self.resize, _RESIZE))
        if self.size < 1 or (self.resize_to is not None and self.resize_to < self.size):
            raise InputError(f"size must be positive and resize_to at least size (got {self.size}, {self.resize_to})")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise InputError(f"mean and std need three values, std above zero (got {self.mean}, {self.std})")

    def canonical(self) -> str:
        """Return the JSON text that is hashed: sorted keys, no spaces, every value spelt out.

        >>> Preprocessing(size=32).canonical()[:60]
        '{"interpolation":"bicubic","mean":[0.0,0.0,0.0],"resize":"sh'
        """
        values = asdict(self)
        values["resize_to"] = self.size if self.resize_to is None else self.resize_to
        values["mean"], values["std"] = [float(m) for m in self.mean], [float(s) for s in self.std]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """Turn an image into a float32 tensor (3, size, size)."""
        image = image if image.mode == "RGB" else image.convert("RGB")
        resized = self._resized(image)
        left, top = round((resized.width - self.size) / 2), round((resized.height - self.size) / 2)
        cropped = resized.crop((left, top, left + self.size, top + self.size))
        pixels = torch.from_numpy(np.array(cropped, dtype=np.uint8)).permute(2, 0, 1).float().div_(255)
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return pixels.sub_(mean[:, None, None]).div_(std[:, None, None])

    def _resized(self, image: Image.Image) -> Image.Image:
        if self.resize == "exact":
            target = (self.size, self.size)
        else:
            short = self.size if self.resize_to is None else self.resize_to
            width, height = image.size
            # the long side is cut to an integer, not rounded, as torchvision does: published weights expect it
            target = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
        return image if image.size == target else image.resize(target, _INTERPOLATION[self.interpolation])

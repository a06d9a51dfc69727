"""What a preprocessing does, seen from check images: size, crop, order of channels, mean and standard deviation.

A description says what a preprocessing is meant to do; images of known colours and ramps show what it does. So a
preprocessing that does not fit the weights is found before an embedding is made of it, and one that changed under an
unchanged description is found before its rows are added to others.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from brainalign.errors import ModelError

__all__ = ["Seen", "differences", "refuse_unlike_training", "see_preprocessing"]

_WIDTH, _HEIGHT = 384, 288  # no square: a crop and a change of aspect look different
_LOW, _HIGH = 40, 220
_COLOURS = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255)}
_SCALE_ERROR = 0.004  # one step of 255
_WINDOW_ERROR = 0.02


@dataclass(frozen=True)
class Seen:
    """What a preprocessing was seen to do.

    Attributes
    ----------
    size
        Height and width of what it gives, in pixels.
    order
        Which colour each channel shows: ``"RGB"``, ``"BGR"``; ``"?"`` where a channel shows no single one.
    mean, std
        Per colour R, G, B on the scale 0 to 1, as in ``(x - mean) / std``.
    window
        Left, top, right and bottom of the part of a 4:3 image that is kept, as shares of its width and height.
    """

    size: tuple[int, int]
    order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    window: tuple[float, ...]

    def document(self) -> dict[str, Any]:
        """Return what is recorded with an embedding."""
        rounded = {k: [round(v, 4) for v in getattr(self, k)] for k in ("mean", "std", "window")}
        return {**asdict(self), **rounded, "size": list(self.size)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Seen:
        """Read what `document` returned."""
        numbers = {k: tuple(map(float, document[k])) for k in ("mean", "std", "window")}
        height, width = document["size"]
        return cls(size=(int(height), int(width)), order=str(document["order"]), **numbers)


def see_preprocessing(transform: Callable[[Any], Any]) -> Seen | None:
    """Look at what a preprocessing makes of check images; None where that is no image of three channels.

    Cost: six small images.
    """
    try:
        black, white = (_centre(transform, (v, v, v)) for v in (0, 255))
        shown = {name: _centre(transform, colour) for name, colour in _COLOURS.items()}
        ramp = transform(_ramps())
    except Exception:  # a transform may refuse images for reasons of its own; with real ones its error is shown
        return None
    if black is None or white is None or any(v is None for v in shown.values()):
        return None
    span = white - black
    if not (np.abs(span) > 0).all():
        return None
    share = {name: (values - black) / span for name, values in shown.items()}  # of each channel
    order = "".join(next((n for n in "RGB" if share[n][channel] > 0.98), "?") for channel in range(3))
    places = [order.index(n) if n in order else channel for channel, n in enumerate("RGB")]
    std, mean = 1 / span, -black / span
    window = _window(np.asarray(ramp, dtype=np.float64), black, span, places)
    return Seen(tuple(ramp.shape[1:]), order, tuple(mean[places].tolist()), tuple(std[places].tolist()), window)


def _centre(transform: Callable[[Any], Any], colour: tuple[int, int, int]) -> Any:
    made = transform(Image.new("RGB", (_WIDTH, _HEIGHT), colour))
    if not isinstance(made, torch.Tensor) or made.ndim != 3 or made.shape[0] != 3 or not made.is_floating_point():
        return None
    return made[:, made.shape[1] // 2, made.shape[2] // 2].double().numpy()


def _ramps() -> Image.Image:
    """Red grows from left to right, green from top to bottom; blue stays."""
    x = np.linspace(_LOW, _HIGH, _WIDTH)[None, :].repeat(_HEIGHT, 0)
    y = np.linspace(_LOW, _HIGH, _HEIGHT)[:, None].repeat(_WIDTH, 1)
    return Image.fromarray(np.stack([x, y, np.full_like(x, 128)], 2).round().astype(np.uint8))


def _window(ramp: Any, black: Any, span: Any, places: list[int]) -> tuple[float, ...]:
    """Extrapolate the ramps, which are straight inside, to the edges of the window."""
    ends = []
    for channel, axis in ((places[0], 1), (places[1], 0)):
        values = (ramp[channel] - black[channel]) / span[channel] * 255
        line = values.mean(0 if axis == 1 else 1)
        where = (line - _LOW) / (_HIGH - _LOW)
        n = len(where)
        inside = slice(n // 8, n - n // 8)
        at = (np.arange(n) + 0.5) / n
        slope, start = np.polyfit(at[inside], where[inside], 1) if n >= 8 else (where[-1] - where[0], where[0])
        ends.append((start, start + slope))
    (left, right), (top, bottom) = ends
    return tuple(float(v) for v in (left, top, right, bottom))


def differences(one: Seen, other: Seen) -> tuple[list[str], list[str]]:
    """Say in words how two differ: first in colours (order, mean, std), then in place (size, window)."""
    colours = []
    if one.order != other.order:
        colours.append(f"channels {one.order} and not {other.order}")
    for name in ("mean", "std"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if any(abs(a - b) > _SCALE_ERROR * max(1, abs(a), abs(b)) for a, b in zip(mine, theirs, strict=True)):
            colours.append(f"{name} {_said(mine)} and not {_said(theirs)}")
    place = []
    if one.size != other.size:
        place.append(f"size {one.size[0]}x{one.size[1]} and not {other.size[0]}x{other.size[1]}")
    if any(abs(a - b) > _WINDOW_ERROR for a, b in zip(one.window, other.window, strict=True)):
        place.append(
            f"the part {_said(one.window)} of a 4:3 image (left, top, right, bottom) and not {_said(other.window)}"
        )
    return colours, place


def _said(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in values) + ")"


def refuse_unlike_training(given: Seen | None, trained: Seen | None, *, model: str) -> None:
    """Compare the preprocessing that was passed with the one that the weights were trained with.

    Raises
    ------
    ModelError
        Other colours: these cost accuracy without any error. Another size or window is a choice; it warns.
    """
    if given is None or trained is None:
        return
    colours, place = differences(given, trained)
    if colours:
        raise ModelError(
            f"the preprocessing given for {model!r} does not fit its weights, as a check image shows: it gives "
            + "; ".join([*colours, *place])
            + ". If that is meant, pass (callable, 'what it does')."
        )
    if place:
        warnings.warn(
            f"the preprocessing given for {model!r} is not the one that it was trained with: it gives "
            + "; ".join(place),
            UserWarning,
            stacklevel=2,
        )

"""Procedural scenes: dead leaves that occlude one another, each with a 1/f texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["dead_leaves"]

FloatArray = npt.NDArray[np.float64]
_FIELD = 256


@dataclass(frozen=True)
class _Style:
    """What all leaves of one scene share."""

    palette: FloatArray
    fields: list[FloatArray]
    contrast: float
    angle: float
    turn: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Style:
        fields = [_texture(rng, beta=rng.uniform(0.7, 1.6), stretch=rng.uniform(0, 2)) for _ in range(2)]
        angle, turn = rng.uniform(0, np.pi), np.pi * rng.uniform(0.05, 1) ** 2
        return cls(_palette(rng), fields, rng.uniform(0.03, 0.25), angle, turn)


def dead_leaves(seed: int, *, size: int = 160, max_leaves: int = 400) -> npt.NDArray[np.uint8]:
    """Draw one scene.

    Parameters
    ----------
    seed : int
        Everything random follows from it.
    size : int
        Side in pixels, at most 192.
    max_leaves : int
        Leaves are drawn from the front until the scene is full or this many lie in it.

    Returns
    -------
    array, shape (size, size, 3), uint8

    Notes
    -----
    Leaf radii follow a power law (density r^-3 near), which makes edges and sizes scale-invariant as in natural images
    (Lee, Mumford & Huang 2001, doi:10.1023/A:1011109015675). Cost: some 200 leaves, each a few passes over its
    bounding box; about 20 ms.

    Examples
    --------
    >>> dead_leaves(0, size=64).shape
    (64, 64, 3)
    """
    rng = np.random.default_rng([17, seed])
    style = _Style.draw(rng)
    smallest, power = size * rng.uniform(0.03, 0.1), rng.uniform(2.4, 3.4)
    canvas = np.zeros((size, size, 3))
    empty = np.ones((size, size), dtype=bool)
    left = size * size
    for _ in range(max_leaves):
        left -= _draw(canvas, empty, rng, _power_law(rng, smallest, 0.45 * size, power), style)
        if left < 0.005 * size * size:
            break
    canvas[empty] = style.palette[0] * 0.5
    return _expose(canvas, rng)


def _draw(
    canvas: FloatArray, empty: npt.NDArray[np.bool_], rng: np.random.Generator, radius: float, style: _Style
) -> int:
    """Draw one leaf behind all earlier ones; return how many pixels it filled."""
    size = len(empty)
    cx, cy = rng.uniform(-0.3 * radius, size + 0.3 * radius, 2)
    aspect, angle = rng.uniform(0.3, 1.0), style.angle + style.turn * rng.uniform(-0.5, 0.5)
    square = rng.random() < 0.35
    colour = style.palette[rng.integers(len(style.palette))] * rng.uniform(0.75, 1.3)
    field, at = style.fields[rng.integers(len(style.fields))], rng.integers(0, _FIELD - size, 2)
    strength, slope = style.contrast * rng.uniform(0.2, 2.0), rng.uniform(-0.25, 0.25)
    reach = radius * (1.45 if square else 1.0)
    x0, x1 = max(0, int(cx - reach)), min(size, int(cx + reach) + 2)
    y0, y1 = max(0, int(cy - reach)), min(size, int(cy + reach) + 2)
    if x0 >= x1 or y0 >= y1 or not empty[y0:y1, x0:x1].any():
        return 0
    x, y = np.arange(x0, x1)[None, :] - cx, np.arange(y0, y1)[:, None] - cy
    u = (x * np.cos(angle) + y * np.sin(angle)) / radius
    v = (y * np.cos(angle) - x * np.sin(angle)) / (radius * aspect)
    inside = (np.maximum(np.abs(u), np.abs(v)) < 1) if square else (u**2 + v**2 < 1)
    window = inside & empty[y0:y1, x0:x1]
    patch = field[at[0] : at[0] + y1 - y0, at[1] : at[1] + x1 - x0]
    shade = np.exp(strength * patch[window] + slope * u[window])
    canvas[y0:y1, x0:x1][window] = colour * shade[:, None]
    empty[y0:y1, x0:x1][window] = False
    return len(shade)


def _texture(rng: np.random.Generator, *, beta: float, stretch: float) -> FloatArray:
    """Gaussian field of amplitude spectrum f^-beta, stretched along one random direction, unit variance."""
    angle = rng.uniform(0, np.pi)
    fy, fx = np.fft.fftfreq(_FIELD)[:, None], np.fft.rfftfreq(_FIELD)[None, :]
    along = fx * np.cos(angle) + fy * np.sin(angle)
    across = -fx * np.sin(angle) + fy * np.cos(angle)
    frequency = np.hypot(along * np.exp(stretch), across)
    frequency[0, 0] = 1.0
    # below 1/64 per pixel the spectrum is flat, so that texture lives inside leaves
    amplitude = np.maximum(frequency, 1 / 64) ** -beta
    amplitude[0, 0] = 0.0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((_FIELD, _FIELD))) * amplitude, (_FIELD, _FIELD))
    return np.asarray(field / field.std(), dtype=np.float64)


def _palette(rng: np.random.Generator) -> FloatArray:
    """Muted colours of one scene: log-normal luminance, warm-cool chroma that most leaves share, shape (24, 3)."""
    luminance = np.exp(rng.normal(np.log(0.28), rng.uniform(0.35, 0.8), 24))
    common, spread = rng.normal(0, 0.22, 2), rng.uniform(0.03, 0.16)
    warm, green = (common + rng.normal(0, spread, (24, 2))).T
    chroma: FloatArray = np.exp(np.stack([warm, 0.5 * green, -warm - 0.4 * green], axis=1))
    return luminance[:, None] * chroma


def _power_law(rng: np.random.Generator, low: float, high: float, power: float) -> float:
    edge = 1 - power
    return float((low**edge + rng.random() * (high**edge - low**edge)) ** (1 / edge))


def _expose(canvas: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Light from one side, antialias, and map linear light to 8 bits with a display gamma of 2.2."""
    size = len(canvas)
    direction, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    ramp = np.linspace(-1, 1, size)
    light = np.exp(depth * (ramp[:, None] * np.sin(direction) + ramp[None, :] * np.cos(direction)))
    lit = canvas * light[:, :, None]
    padded = np.pad(lit, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = 0.2 * padded[:-2] + 0.6 * padded[1:-1] + 0.2 * padded[2:]
    soft = 0.2 * rows[:, :-2] + 0.6 * rows[:, 1:-1] + 0.2 * rows[:, 2:]
    exposed = soft / np.quantile(soft, 0.97)
    # a camera saturates: highlights above full scale are white
    return np.round(255 * np.minimum(exposed, 1.0) ** (1 / 2.2)).astype(np.uint8)

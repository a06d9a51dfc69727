"""The two areas of the simulated cortex, from Gabor energy to noise-free responses. No network takes part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brainalign.datasets.gabor import GRID, N_ORIENTATIONS, N_SCALES
from brainalign.errors import UndefinedError

__all__ = ["Area", "early_area", "later_area", "normalised_energy", "second_order"]

Array = npt.NDArray[np.float32]
Float = npt.NDArray[np.float64]

N_PRODUCTS = 192
_POOLS = ((0.5, 0.5, 0.5), (0.3, 0.3, 0.2), (0.7, 0.3, 0.2), (0.3, 0.7, 0.2), (0.7, 0.7, 0.2))
"""Centre and Gaussian size (share of the image side) of the windows over which products are pooled."""


@dataclass(frozen=True)
class Area:
    """Noise-free responses of one area of one subject.

    Attributes
    ----------
    responses : array, shape (n_stimuli, n_neuroids)
        Mean zero, variance one over the stimuli (n - 1 in the denominator).
    rf_x, rf_y, rf_size : arrays, shape (n_neuroids,)
        Receptive field: centre and standard deviation as a share of the image side.
    """

    responses: Float
    rf_x: Float
    rf_y: Float
    rf_size: Float


def normalised_energy(energy: Array) -> Array:
    """Divide energy by what all channels carry nearby (divisive normalisation); same shape (n, c, 32, 32).

    The semi-saturation is 0.3 of the median of that pool over stimuli and places, so contrast survives in part.
    """
    pool = energy.mean(axis=1)
    for axis in (1, 2):
        pool = np.stack([_shifted(pool, step, axis) for step in range(-3, 4)]).mean(axis=0)
    out: Array = energy / (pool + 0.3 * np.median(pool))[:, None]
    return out


def early_area(normalised: Array, n_neuroids: int, rng: np.random.Generator) -> Area:
    """Gabor energy in small receptive fields, tuned to orientation and scale, compressed by a square root.

    Parameters
    ----------
    normalised : array, shape (n, 24, 32, 32)
        From :func:`normalised_energy`.
    n_neuroids : int
    rng : Generator
        Fixes receptive fields and tuning.
    """
    x, y = rng.uniform(0.15, 0.85, (2, n_neuroids))
    size = rng.uniform(0.04, 0.11, n_neuroids)
    scale, orientation = rng.uniform(0, N_SCALES - 1, n_neuroids), rng.uniform(0, N_ORIENTATIONS, n_neuroids)
    wide, narrow = rng.uniform(0.4, 0.9, n_neuroids), rng.uniform(0.5, 1.2, n_neuroids)
    scales, orientations = np.divmod(np.arange(N_SCALES * N_ORIENTATIONS), N_ORIENTATIONS)
    turn = np.abs(orientations[None] - orientation[:, None])
    turn = np.minimum(turn, N_ORIENTATIONS - turn)
    tuning = np.exp(-((scales[None] - scale[:, None]) ** 2) / (2 * wide[:, None] ** 2))
    tuning *= np.exp(-(turn**2) / (2 * narrow[:, None] ** 2))
    fields = _windows(x, y, size)
    flat = normalised.reshape(len(normalised), normalised.shape[1], -1)
    drive = np.empty((len(flat), n_neuroids))
    for i, maps in enumerate(flat):
        drive[i] = np.einsum("vc,vc->v", tuning, fields @ maps.T)
    return Area(_standardised(np.sqrt(drive)), x, y, size)


def second_order(normalised: Array, rng: np.random.Generator) -> Float:
    """Products of rectified energies at two places, pooled in windows, shape (n, 5, 192).

    Each product joins two channels at a fixed displacement: corners and crosses (same place), contours and curves
    (along the edge), and edges across scales, in the spirit of Portilla & Simoncelli 2000,
    doi:10.1023/A:1026553619983.
    """
    n = len(normalised)
    by_scale = normalised.reshape(n, N_SCALES, N_ORIENTATIONS, GRID, GRID)
    # what exceeds the mean over orientations is oriented structure, not contrast
    oriented = np.maximum(by_scale - by_scale.mean(axis=2, keepdims=True), 0).reshape(n, -1, GRID, GRID)
    centres = np.array(_POOLS)
    windows = _windows(centres[:, 0], centres[:, 1], centres[:, 2])
    pooled = np.empty((n, len(_POOLS), N_PRODUCTS))
    for product in range(N_PRODUCTS):
        a, b, dy, dx = _pair(product, rng)
        other = _shifted(_shifted(oriented[:, b], dy, 1), dx, 2)
        pooled[:, :, product] = np.sqrt(oriented[:, a] * other).reshape(n, -1) @ windows.T
    return pooled


def later_area(pooled: Float, n_neuroids: int, rng: np.random.Generator, *, n_inputs: int = 12) -> Area:
    """Random readout of rectified, compressed second-order products.

    Parameters
    ----------
    pooled : array, shape (n, 5, 192)
        From :func:`second_order`; products that hardly vary over the stimuli have the same say as all others.
    n_neuroids : int
    rng : Generator
        Fixes window, inputs, thresholds and weights of each neuroid.
    n_inputs : int
        Products that one neuroid reads.
    """
    spread = pooled.std(axis=0)
    z = np.divide(pooled - pooled.mean(axis=0), spread, out=np.zeros_like(pooled), where=spread > 0)
    window = rng.integers(0, len(_POOLS), n_neuroids)
    responses = np.empty((len(pooled), n_neuroids))
    for neuroid in range(n_neuroids):
        inputs = rng.choice(pooled.shape[2], n_inputs, replace=False)
        thresholds = rng.normal(0, 0.5, n_inputs)
        weights = rng.normal(0, 1, n_inputs)
        responses[:, neuroid] = np.sqrt(np.maximum(z[:, window[neuroid], inputs] - thresholds, 0)) @ weights
    centres = np.array(_POOLS)[window]
    return Area(_standardised(responses), centres[:, 0], centres[:, 1], centres[:, 2])


def _pair(product: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Two channels and the displacement (rows, columns) between the places where they are read."""
    scale, orientation = int(rng.integers(N_SCALES)), int(rng.integers(N_ORIENTATIONS))
    turn = int(rng.integers(1, N_ORIENTATIONS))
    reach = (2, 3, 5, 7)[scale]
    first = scale * N_ORIENTATIONS + orientation
    if product % 3 == 0:
        return first, scale * N_ORIENTATIONS + (orientation + turn) % N_ORIENTATIONS, 0, 0
    if product % 3 == 1:
        # energy at frequency angle a belongs to an edge at a + 90 degrees; follow the edge
        along = np.pi * orientation / N_ORIENTATIONS + np.pi / 2
        bend = (orientation + int(rng.integers(-1, 2))) % N_ORIENTATIONS
        dy, dx = round(reach * np.sin(along)), round(reach * np.cos(along))
        return first, scale * N_ORIENTATIONS + bend, dy, dx
    other = (scale + int(rng.integers(1, N_SCALES))) % N_SCALES
    return first, other * N_ORIENTATIONS + (orientation + turn - 1) % N_ORIENTATIONS, 0, 0


def _windows(x: Float, y: Float, size: Float) -> Float:
    """Gaussian windows on the grid that sum to one, shape (n_windows, 1024)."""
    at = (np.arange(GRID) + 0.5) / GRID
    across = np.exp(-((at[None] - x[:, None]) ** 2) / (2 * size[:, None] ** 2))
    down = np.exp(-((at[None] - y[:, None]) ** 2) / (2 * size[:, None] ** 2))
    flat = (down[:, :, None] * across[:, None, :]).reshape(len(x), -1)
    out: Float = flat / flat.sum(axis=1, keepdims=True)
    return out


def _shifted(maps: Array, step: int, axis: int) -> Array:
    """Maps displaced by ``step`` places; the border value fills what comes in."""
    index = np.clip(np.arange(maps.shape[axis]) + step, 0, maps.shape[axis] - 1)
    return np.take(maps, index, axis=axis)


def _standardised(drive: Float) -> Float:
    centred = drive - drive.mean(axis=0)
    spread = centred.std(axis=0, ddof=1)
    if not (spread > 0).all():
        raise UndefinedError(
            f"{int((spread <= 0).sum())} of {drive.shape[1]} simulated neuroids respond alike to all {len(drive)} "
            "stimuli; give more, or more varied, images."
        )
    out: Float = centred / spread
    return out

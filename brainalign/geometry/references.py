"""Curves of clouds without structure across scales: what a dimension curve looks like for its dimension alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from brainalign.geometry.distinct import neighbourhoods_as_drawn
from brainalign.geometry.scale_values import dimensions_at, sees_distances_only

__all__ = ["GRID", "REFERENCES", "MatchedReference", "matched_reference", "reference_draws"]

FloatArray = npt.NDArray[np.float64]

# whole dimensions, each at most half as large again as the one before
GRID = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 170, 220, 300, 400, 550, 750, 1024)
N_DRAWS = 3
MOST_CENTRES = 2000


def _directions(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    gaussian = rng.standard_normal((n, d))
    unit: FloatArray = gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)
    return unit


def _ball(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    points: FloatArray = _directions(rng, n, d) * rng.random((n, 1)) ** (1 / d)
    return points


def _gaussian(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    return rng.standard_normal((n, d))


def _sphere(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    return _directions(rng, n, d + 1)


REFERENCES: dict[str, Callable[[np.random.Generator, int, int], FloatArray]] = {
    "ball": _ball,
    "gaussian": _gaussian,
    "sphere": _sphere,
}


@dataclass(frozen=True, eq=False)
class MatchedReference:
    """The curve of a reference cloud.

    Attributes
    ----------
    values : array, shape (s,)
        Dimension at each scale; NaN where no dimension matches.
    draws : tuple of arrays, each (draws, s)
        The single curves of the one or two whole dimensions that ``values`` lies between.
    """

    values: FloatArray
    draws: tuple[FloatArray, ...]


def matched_reference(
    kind: str, first: float, n: int, scales: tuple[int, ...], estimator: str, average: str
) -> MatchedReference:
    """Return the curve of a reference cloud of ``n`` points whose value at the first scale is ``first``.

    Between two whole dimensions the curves are interpolated, on logarithms; below one dimension the curve of one is
    moved; above the largest dimension that is tried there is none.

    Notes
    -----
    Curves are means over three draws and are kept for the process. Cost of a new one: n² log n, for up to 2,000 of the
    points.
    """

    def draws(place: int) -> FloatArray:
        return reference_draws(kind, GRID[place], n, scales, estimator, average)

    place = min(max(int(np.searchsorted(GRID, first)), 1), len(GRID) - 1)
    while place < len(GRID) - 1 and draws(place)[:, 0].mean() < first:
        place += 1
    while place > 1 and draws(place - 1)[:, 0].mean() > first:
        place -= 1
    around = (draws(place - 1), draws(place))
    low, high = (np.log(curves.mean(0)) for curves in around)
    share = (np.log(first) - low[0]) / (high[0] - low[0])
    if share > 1:
        return MatchedReference(np.full(len(scales), np.nan), around)
    if share < 0:
        return MatchedReference(np.exp(low + np.log(first) - low[0]), around[:1])
    return MatchedReference(np.exp((1 - share) * low + share * high), around)


@functools.lru_cache(maxsize=4096)
def reference_draws(kind: str, d: int, n: int, scales: tuple[int, ...], estimator: str, average: str) -> FloatArray:
    """Return the curves (draws, s) of clouds of a whole dimension."""
    curves = []
    for draw in range(N_DRAWS):
        rng = np.random.default_rng([draw, d, n])
        points = REFERENCES[kind](rng, n, d)
        near = neighbourhoods_as_drawn(points, 1 if sees_distances_only(estimator) else max(scales))
        centres = torch.arange(min(n, MOST_CENTRES))
        curves.append(dimensions_at(near, scales, estimator, average, rows=centres))
    together = np.array(curves)
    together.flags.writeable = False
    return together

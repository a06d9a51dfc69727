"""What the estimators that see only distances need to know of each neighbourhood, at every scale, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import to_numpy
from brainalign.geometry.distinct import Neighbourhoods
from brainalign.kernels.cloud import CHUNK_BYTES, Cloud
from brainalign.kernels.distance_rows import distance_rows

__all__ = ["Shells", "shells_of_cloud", "shells_of_neighbourhoods"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shells:
    """Distances T_1 ≤ … ≤ T_k of ``n`` points, summed up at several ``scales`` k (columns), as multiples of T_1.

    Attributes
    ----------
    scales : array of int, shape (s,)
        Numbers of neighbours k.
    outer, inner : array, shape (n, s)
        log(T_k / T_1) and log(T_h / T_1) with h = max(1, k // 2).
    inside : array, shape (n, s)
        Mean of log(T_j / T_1) over the k - 1 neighbours inside; 0 for k = 1.
    mean : array, shape (n, s)
        Mean of T_j / T_1 over the k neighbours.
    """

    scales: npt.NDArray[np.intp]
    outer: FloatArray
    inner: FloatArray
    inside: FloatArray
    mean: FloatArray


def shells_of_neighbourhoods(near: Neighbourhoods, scales: Sequence[int]) -> Shells:
    """Sum up stored neighbours. Cost: n k for the largest k."""
    widest = max(scales)
    step = max(1, CHUNK_BYTES // (16 * widest))
    parts = [
        _summed(near.distance[start : start + step, :widest], scales) for start in range(0, len(near.distance), step)
    ]
    return _joined(parts)


def shells_of_cloud(cloud: Cloud, scales: Sequence[int], rows: torch.Tensor | None = None) -> Shells:
    """Sum up the neighbours of all points, or of some rows, without keeping them.

    Cost: n p multiplications and a sort of n distances for each row.
    """
    widest, parts = max(scales), []
    for _, distance in distance_rows(cloud, rows):
        if widest < distance.shape[1] // 4:
            distance = torch.topk(distance, widest, dim=1, largest=False, sorted=True).values
        else:
            distance = torch.sort(distance, dim=1).values[:, :widest]
        parts.append(_summed(to_numpy(distance), scales))
    return _joined(parts)


def _summed(distance: FloatArray, scales: Sequence[int]) -> Shells:
    last = np.asarray(scales) - 1
    # multiples of the nearest: equal distances give exact zeros, and no unit of the data can overflow
    ratio = distance / distance[:, :1]
    log = np.log(ratio)
    summed = np.cumsum(log, axis=1)
    before = np.maximum(last, 1)
    return Shells(
        np.asarray(scales),
        log[:, last],
        log[:, np.maximum((last + 1) // 2, 1) - 1],
        np.where(last > 0, summed[:, before - 1] / before, 0.0),
        np.cumsum(ratio, axis=1)[:, last] / (last + 1),
    )


def _joined(parts: list[Shells]) -> Shells:
    def column(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts])

    return Shells(parts[0].scales, *(column(name) for name in ("outer", "inner", "inside", "mean")))

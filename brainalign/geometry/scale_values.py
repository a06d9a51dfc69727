"""The dimension of one cloud at many neighbourhood sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from brainalign.errors import ChoiceError
from brainalign.geometry.abide import abide
from brainalign.geometry.by_distance import BY_DISTANCE
from brainalign.geometry.by_position import BY_POSITION
from brainalign.geometry.distinct import Neighbourhoods
from brainalign.geometry.local_dimension import TWO, averaged, check_choices
from brainalign.geometry.shells import Shells, shells_of_cloud, shells_of_neighbourhoods
from brainalign.kernels.cloud import make_cloud

__all__ = ["check_curve_estimator", "dimensions_at", "sees_distances_only"]

FloatArray = npt.NDArray[np.float64]


def check_curve_estimator(estimator: str, average: str, smallest: int) -> None:
    """Refuse estimators that do not exist, or that no number of neighbours changes."""
    check_choices(estimator, average, smallest)
    if estimator in TWO:
        raise ChoiceError(f"estimator={estimator!r} sees two neighbours at any k; see decimation_curve.")


def sees_distances_only(estimator: str) -> bool:
    """Tell whether the estimator needs no more of a neighbourhood than its distances."""
    return estimator in BY_DISTANCE


def dimensions_at(
    near: Neighbourhoods, scales: Sequence[int], estimator: str, average: str, *, rows: torch.Tensor | None = None
) -> FloatArray:
    """Return the dimension at each scale.

    Parameters
    ----------
    near : Neighbourhoods
        Points that differ. Where they hold fewer neighbours than the largest scale, an estimator that sees distances
        only measures all distances anew, some rows at a time.
    scales : sequence of int
        Numbers of neighbours, ascending.
    estimator, average : str
        As in `local_dimension`.
    rows : tensor of int, optional
        Average over these points only, where distances are measured anew.
    """
    if not sees_distances_only(estimator):
        return np.array([_by_position(near, k, estimator, average) for k in scales])
    if near.distance.shape[1] >= max(scales):
        shells = shells_of_neighbourhoods(near, scales)
    else:
        shells = shells_of_cloud(make_cloud(near.points, near.metric), scales, rows)
    return np.array([_by_distance(shells, s, estimator, average) for s in range(len(scales))])


def _by_distance(shells: Shells, s: int, estimator: str, average: str) -> float:
    name = "mle-unbiased" if average == "unbiased" else estimator
    estimate = BY_DISTANCE[name](shells, s)
    return estimate.value if estimate.inverse is None else averaged(estimate.inverse, int(shells.scales[s]), average)[0]


def _by_position(near: Neighbourhoods, k: int, estimator: str, average: str) -> float:
    if estimator == "abide":
        return abide(near, k).value
    return averaged(1 / BY_POSITION[estimator](near, k), k, average)[0]

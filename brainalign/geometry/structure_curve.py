"""Whether neighbourhoods of different size have the same shape."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, to_numpy
from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError, near_names
from brainalign.geometry.dimension_curve import default_scales
from brainalign.geometry.distinct import Neighbourhoods, neighbourhoods
from brainalign.geometry.shape_distance import BOUNDS, shape_distance, shape_of
from brainalign.kernels.cloud import make_cloud
from brainalign.kernels.neighbours import Neighbours, check_k, neighbours_of

__all__ = ["StructureCurve", "structure_curve"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
Distance = Callable[[FloatArray, FloatArray], float]

METHODS = ("gw", *BOUNDS)


@dataclass(frozen=True, eq=False)
class StructureCurve:
    """Squared Gromov-Wasserstein distances between neighbourhoods of different size.

    Attributes
    ----------
    scales : array of int, shape (s,)
        Numbers of neighbours k.
    consecutive, to_largest : arrays, shape (s - 1,)
        Distance between k_i and k_{i+1}, and between k_i and the largest; means over reference points. Debiased unless
        asked otherwise: values around zero mean that only sampling separates the scales.
    consecutive_error, to_largest_error : arrays, shape (s - 1,)
        Standard errors over reference points.
    raw_consecutive, raw_to_largest : arrays, shape (s - 1,)
        The same without debiasing.
    floor : array, shape (s,)
        Distance between two draws of points from the same neighbourhood: what sampling alone brings about.
    debiased, method, n_points, n_references : bool, str, int, int
        As given.
    """

    scales: IndexArray
    consecutive: FloatArray
    to_largest: FloatArray
    consecutive_error: FloatArray
    to_largest_error: FloatArray
    raw_consecutive: FloatArray = field(repr=False)
    raw_to_largest: FloatArray = field(repr=False)
    floor: FloatArray
    debiased: bool
    method: str
    n_points: int
    n_references: int

    @property
    def mean(self) -> float:
        """Mean of ``consecutive``."""
        return float(self.consecutive.mean())

    @property
    def slope(self) -> float:
        """Slope of ``consecutive`` on log10 of the smaller k; NaN for two scales."""
        if len(self.consecutive) < 2:
            return math.nan
        return float(np.polyfit(np.log10(self.scales[:-1]), self.consecutive, 1)[0])


def structure_curve(
    X: Any,
    *,
    scales: Sequence[int] | None = None,
    n_points: int = 48,
    n_references: int = 24,
    debiased: bool = True,
    n_starts: int = 1,
    method: str = "gw",
    seed: int = 0,
) -> StructureCurve:
    """Compare the shape of small and of large neighbourhoods of the same points.

    Around each of some reference points and for each k, ``n_points`` of the k nearest neighbours are drawn without
    replacement, and their distances divided by the mean. Shapes are compared by the squared Gromov-Wasserstein
    distance.

    Parameters
    ----------
    X : array, shape (n, p), or Neighbours
        Points in rows, or their graph with at least as many neighbours as the largest scale.
    scales : sequence of int, optional
        Numbers of neighbours, all above ``n_points``. Default: powers of two up to the one nearest n / 2.
    n_points, n_references : int
        Points drawn from a neighbourhood; neighbourhoods.
    debiased : bool
        Subtract the mean of the two distances between independent draws from the same neighbourhood. Without it the
        distance is mostly its sampling floor, which falls with dimension.
    n_starts : int
        Starts of the search for the best plan. One is enough above two dimensions; local optima leave a positive rest
        of up to .02 at one or two dimensions, which five starts diminish.
    method : {"gw", "tlb", "slb"}
        The distance, or its third or second lower bound, of which the second costs next to nothing.
    seed : int
        Of the draws.

    Returns
    -------
    StructureCurve
        Distances between scales, their errors and the floor.

    Raises
    ------
    ShapeError
        If there are too few points for two scales above ``n_points``, or a scale is not smaller than n.
    InputError, ChoiceError, NonFiniteError
        For counts and scales that are none, an unknown method, NaN or inf.
    UndefinedError
        If too few points differ.

    Notes
    -----
    Cost: n p for each reference point, and (3 s - 3) ``n_references`` ``n_starts`` searches of about a millisecond.

    References
    ----------
    Mémoli 2011, doi:10.1007/s10208-011-9093-5, without his factor one half; the debiased form follows Feydy et al.
    2019, arXiv:1810.08278.

    Examples
    --------
    >>> curve = structure_curve(np.random.default_rng(0).normal(size=(400, 10)), n_references=6, method="slb")
    >>> curve.scales.tolist(), curve.consecutive.shape, bool(abs(curve.mean) < 0.01)
    ([64, 128, 256], (2,), True)
    """
    _check_counts(n_points, n_references, method)
    near, sizes = _prepared(X, scales, n_points)
    rng = np.random.default_rng(seed)
    centres = np.sort(rng.choice(near.n, min(n_references, near.n), replace=False))
    listed = _lists(near, centres, sizes[-1])
    cloud = make_cloud(near.points, near.metric)

    def shape(rows: IndexArray) -> FloatArray:
        drawn = rng.choice(rows, n_points, replace=False)
        return shape_of(to_numpy(cloud.exact(torch.as_tensor(drawn, device=near.points.device))))

    search = functools.partial(shape_distance, n_starts=n_starts, seed=seed)
    apart: Distance = search if method == "gw" else BOUNDS[method]
    values = [_around([[shape(rows[:k]) for _ in range(2)] for k in sizes], apart) for rows in listed]
    consecutive, to_largest, floor = (np.array(part) for part in zip(*values, strict=True))
    correct = float(debiased)
    debiased_consecutive = consecutive - correct * (floor[:, :-1] + floor[:, 1:]) / 2
    debiased_to_largest = to_largest - correct * (floor[:, :-1] + floor[:, -1:]) / 2
    return StructureCurve(
        scales=np.array(sizes),
        consecutive=debiased_consecutive.mean(0),
        to_largest=debiased_to_largest.mean(0),
        consecutive_error=_error(debiased_consecutive),
        to_largest_error=_error(debiased_to_largest),
        raw_consecutive=consecutive.mean(0),
        raw_to_largest=to_largest.mean(0),
        floor=floor.mean(0),
        debiased=debiased,
        method=method,
        n_points=n_points,
        n_references=len(centres),
    )


def _error(values: FloatArray) -> FloatArray:
    error: FloatArray = values.std(0, ddof=1) / math.sqrt(len(values))
    return error


def _around(shapes: list[list[FloatArray]], apart: Distance) -> tuple[list[float], list[float], list[float]]:
    """Return distances to the next scale, to the largest, and between the two draws of each scale."""
    first = [draws[0] for draws in shapes]
    consecutive = [apart(C, D) for C, D in itertools.pairwise(first)]
    to_largest = [apart(C, first[-1]) for C in first[:-2]]
    floor = [apart(C, D) for C, D in shapes]
    return consecutive, [*to_largest, consecutive[-1]], floor


def _check_counts(n_points: int, n_references: int, method: str) -> None:
    for name, count, least in (("n_points", n_points, 3), ("n_references", n_references, 2)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < least:
            raise InputError(f"{name}={count!r}; give an integer of at least {least}.")
    if method not in METHODS:
        raise ChoiceError(f"method={method!r} is unknown.{near_names(str(method), METHODS)}")


def _prepared(X: Any, scales: Sequence[int] | None, n_points: int) -> tuple[Neighbourhoods, tuple[int, ...]]:
    source = X if isinstance(X, Neighbours) else as_matrix(X, name="X", min_rows=4)
    near = neighbourhoods(source, 1 if scales is None or not isinstance(source, Neighbours) else int(max(scales)))
    limit = source.k if isinstance(source, Neighbours) else near.n - 1
    sizes = tuple(k for k in default_scales(near.n) if n_points < k <= limit) if scales is None else tuple(scales)
    for k in sizes:
        check_k(k)
    if len(sizes) < 2 and scales is None:
        raise ShapeError(
            f"{near.n} different points leave {len(sizes)} scales above n_points={n_points}; two are needed: give more "
            "points, or a smaller n_points."
        )
    if len(sizes) < 2 or list(sizes) != sorted(set(sizes)) or sizes[0] <= n_points:
        raise InputError(
            f"scales={sizes} must be at least two numbers of neighbours above n_points={n_points}, ascending, "
            "each once."
        )
    if sizes[-1] >= near.n:
        raise UndefinedError(f"only {near.n} points differ, so none has {sizes[-1]} neighbours; give smaller scales.")
    if isinstance(source, Neighbours) and near.distance.shape[1] < sizes[-1]:
        near = neighbourhoods(source, sizes[-1])
    return near, sizes


def _lists(near: Neighbourhoods, centres: IndexArray, k: int) -> IndexArray:
    """Return the nearest neighbours of some points, from the graph where it is wide enough."""
    if near.distance.shape[1] >= k:
        return near.index[centres, :k]
    return neighbours_of(near.points, centres, k=k, metric=near.metric)

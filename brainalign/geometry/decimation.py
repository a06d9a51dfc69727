"""Dimension over the number of points: a scale for estimators that see the nearest neighbours only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix
from brainalign.errors import InputError
from brainalign.geometry.distinct import neighbourhoods
from brainalign.geometry.local_dimension import TWO, check_choices, local_dimension
from brainalign.kernels.neighbours import neighbour_graph

__all__ = ["DecimationCurve", "decimation_curve"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

SMALLEST_SIZE = 32
MOST_DRAWS = 16


@dataclass(frozen=True, eq=False)
class DecimationCurve:
    """Dimension of random subsets.

    Attributes
    ----------
    sizes : array of int, shape (s,)
        Points of each subset, falling.
    values, errors : arrays, shape (s,)
        Mean dimension over disjoint subsets, and its standard error; NaN for a single subset.
    distance : array, shape (s,)
        Mean distance to the two nearest neighbours: the length that belongs to the size.
    n_draws : array of int, shape (s,)
        Subsets of each size.
    """

    sizes: IndexArray
    values: FloatArray
    errors: FloatArray
    distance: FloatArray
    n_draws: IndexArray


def decimation_curve(
    X: Any,
    *,
    sizes: Sequence[int] | None = None,
    estimator: str = "twonn",
    k: int = 2,
    average: str = "arithmetic",
    seed: int = 0,
) -> DecimationCurve:
    """Measure dimension on ever smaller random subsets, so that nearest neighbours lie ever farther apart.

    Parameters
    ----------
    X : array, shape (n, p)
        Points in rows; equal and nearly equal ones are dropped first.
    sizes : sequence of int, optional
        Numbers of points. Default: n, n / 2, n / 4, … down to 32.
    estimator, k, average
        As in `local_dimension`.
    seed : int
        Of the subsets. Each size cuts one random order into disjoint subsets, at most sixteen.

    Returns
    -------
    DecimationCurve
        A flat stretch is a dimension; noise raises the end of many points, a curved manifold that of few.

    Raises
    ------
    InputError
        If a size is larger than the number of points that differ, or not larger than ``k``.
    ShapeError, ChoiceError, UndefinedError, NonFiniteError
        As in `local_dimension`.

    Notes
    -----
    Cost: twice that of one estimate.

    References
    ----------
    Facco et al. 2017, doi:10.1038/s41598-017-11873-y.

    Examples
    --------
    >>> curve = decimation_curve(np.random.default_rng(0).random((400, 3)))
    >>> curve.sizes.tolist(), curve.n_draws.tolist()
    ([400, 200, 100, 50], [1, 2, 4, 8])
    """
    check_choices(estimator, average, k)
    needed = 2 if estimator in TWO else k
    near = neighbourhoods(as_matrix(X, name="X"), needed)
    wanted = _sizes(sizes, near.n, needed)
    order = np.random.default_rng(seed).permutation(near.n)
    values, errors, distance, n_draws = [], [], [], []
    for size in wanted:
        draws = min(near.n // size, MOST_DRAWS)
        found, apart = [], []
        for draw in range(draws):
            rows = torch.as_tensor(np.sort(order[draw * size : (draw + 1) * size]), device=near.points.device)
            graph = neighbour_graph(near.points[rows], k=max(2, needed), metric=near.metric)
            found.append(local_dimension(graph, estimator=estimator, k=k, average=average).value)
            apart.append(float(graph.distance[:, :2].mean()))
        values.append(float(np.mean(found)))
        errors.append(float(np.std(found, ddof=1) / np.sqrt(draws)) if draws > 1 else np.nan)
        distance.append(float(np.mean(apart)))
        n_draws.append(draws)
    return DecimationCurve(np.array(wanted), np.array(values), np.array(errors), np.array(distance), np.array(n_draws))


def _sizes(sizes: Sequence[int] | None, n: int, k: int) -> tuple[int, ...]:
    if sizes is None:
        halves = (n // 2**i for i in range(n.bit_length()))
        return (n, *(size for size in halves if max(SMALLEST_SIZE, k + 1) <= size < n))
    wanted = tuple(int(size) for size in sizes)
    bad = [size for size in wanted if not k < size <= n]
    if bad or not wanted:
        raise InputError(f"sizes={wanted} must lie above k={k} and not above the {n} points that differ.")
    return wanted

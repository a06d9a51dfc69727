"""How local dimension changes with the size of neighbourhoods, apart from what dimension alone makes it do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainalign.arrays import as_matrix
from brainalign.errors import ChoiceError, InputError, ShapeError, UndefinedError, near_names
from brainalign.geometry.distinct import Neighbourhoods, neighbourhoods
from brainalign.geometry.references import REFERENCES, matched_reference
from brainalign.geometry.scale_values import check_curve_estimator, dimensions_at, sees_distances_only
from brainalign.geometry.slopes import DimensionCurve
from brainalign.kernels.neighbours import Neighbours, check_k

__all__ = ["default_scales", "dimension_curve"]

SMALLEST_SCALE = 16
FEW = 64


def dimension_curve(
    X: Any,
    *,
    scales: Sequence[int] | None = None,
    estimator: str = "mle",
    average: str = "harmonic",
    reference: str | Sequence[str] | None = "ball",
) -> DimensionCurve:
    """Measure local dimension from small to large neighbourhoods.

    Parameters
    ----------
    X : array, shape (n, p), or Neighbours
        Points in rows, or their graph (the extreme scale only where it holds all n - 1 neighbours).
    scales : sequence of int, optional
        Numbers of neighbours. Default: powers of two from 16 (from 2 below 64 points) to the one nearest n / 2.
    estimator : str
        Any of `local_dimension` but TwoNN, whose scales are those of `decimation_curve`.
    average : {"harmonic", "arithmetic", "unbiased"}
        How pointwise estimates are averaged.
    reference : {"ball", "gaussian", "sphere"}, several of them, or None
        Clouds of the same n, uniform in a ball, normal, or uniform on a sphere, of the dimension that gives the same
        value at the first scale. Their slope is what the dimension alone, n and the border bring about.

    Returns
    -------
    DimensionCurve
        Values, slopes, excess slopes over the references.

    Raises
    ------
    ShapeError
        If a scale is not smaller than the number of points or than the neighbours of the graph.
    ChoiceError, InputError, NonFiniteError
        For unknown names, scales that are no numbers of neighbours, NaN or inf.
    UndefinedError
        If too few points differ, or a dimension is infinite.

    Notes
    -----
    The raw slope is a function of dimension: it falls from -.03 to -.11 for uniform balls of 2 to 20 dimensions
    (n = 2,000). Compare excess slopes. Cost: n² p and n² log n, and as much for each new reference curve, of which two
    or three are needed and kept for the process; nothing of size n² is kept.

    Examples
    --------
    >>> square = np.random.default_rng(0).random((300, 2))
    >>> curve = dimension_curve(square, scales=(16, 32, 64))
    >>> curve.values.round(1).tolist(), abs(curve.excess_slope) < 0.1
    ([1.9, 1.9, 1.8], True)
    """
    kinds = _kinds(reference)
    near, wanted, whole = _prepared(X, scales, estimator, average)
    sizes = (*wanted, near.n - 1) if whole else wanted
    values = dimensions_at(near, sizes, estimator, average)
    matched = {kind: matched_reference(kind, values[0], near.n, sizes, estimator, average) for kind in kinds}
    return DimensionCurve(
        np.asarray(wanted),
        values[: len(wanted)],
        near.n - 1 if whole else None,
        float(values[-1]) if whole else math.nan,
        matched,
        estimator,
        average,
        near.n,
        near.equal + near.nearly_equal,
    )


def default_scales(n: int) -> tuple[int, ...]:
    """Return powers of two from 16 (from 2 below 64 points) to the one nearest n / 2.

    >>> default_scales(2000), default_scales(10)
    ((16, 32, 64, 128, 256, 512, 1024), (2, 4))
    """
    last = min(round(math.log2(n / 2)), math.ceil(math.log2(n - 1)) - 1)
    first = round(math.log2(SMALLEST_SCALE)) if n >= FEW else 1
    return tuple(2**i for i in range(first, last + 1))


def _kinds(reference: str | Sequence[str] | None) -> tuple[str, ...]:
    kinds = () if reference is None else (reference,) if isinstance(reference, str) else tuple(reference)
    for kind in kinds:
        if kind not in REFERENCES:
            raise ChoiceError(f"reference={kind!r} is unknown.{near_names(str(kind), REFERENCES)}")
    return kinds


def _prepared(
    X: Any, scales: Sequence[int] | None, estimator: str, average: str
) -> tuple[Neighbourhoods, tuple[int, ...], bool]:
    """Return neighbourhoods, scales, and whether the extreme scale can be had."""
    source = X if isinstance(X, Neighbours) else as_matrix(X, name="X", min_rows=4)
    n, limit = (source.n, source.k) if isinstance(source, Neighbours) else (len(source), len(source) - 1)
    anew = not isinstance(source, Neighbours) and sees_distances_only(estimator)
    if scales is None:
        wanted = tuple(k for k in default_scales(neighbourhoods(source, 1).n) if k <= limit)
    else:
        wanted = tuple(scales)
    _check_scales(wanted, limit, n)
    check_curve_estimator(estimator, average, wanted[0])
    near = neighbourhoods(source, 1 if anew else wanted[-1])
    if wanted[-1] >= near.n:
        raise UndefinedError(f"only {near.n} points differ, so none has {wanted[-1]} neighbours; give smaller scales.")
    whole = sees_distances_only(estimator) and wanted[-1] < near.n - 1
    return near, wanted, whole and (anew or near.distance.shape[1] >= near.n - 1)


def _check_scales(scales: tuple[int, ...], limit: int, n: int) -> None:
    for k in scales:
        check_k(k)
    if len(scales) < 2 or list(scales) != sorted(set(scales)):
        raise InputError(f"scales={scales} must be at least two numbers of neighbours, ascending, each once.")
    if scales[-1] > limit:
        raise ShapeError(f"the largest scale is {scales[-1]}, but {n} points come with {limit} neighbours each.")

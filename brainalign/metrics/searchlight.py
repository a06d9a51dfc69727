"""A map of alignment: any measure on the neuroids around each one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import InputError, ShapeError, UndefinedError
from brainalign.kernels.surroundings import along_surface, within_sphere
from brainalign.metrics.scorers import MetricLike, Scorer
from brainalign.metrics.shared import Preparation

__all__ = ["searchlight"]

FloatArray = npt.NDArray[np.float64]


def searchlight(
    metric: MetricLike,
    X: Any,
    Y: Any,
    *,
    coordinates: Any,
    radius: float,
    faces: Any = None,
    min_neuroids: int = 5,
) -> FloatArray:
    """Score a representation against the neuroids around each neuroid.

    Parameters
    ----------
    metric : str or callable
        Metric id, or any ``metric(X, Y) -> float``.
    X : array-like, shape (n_stimuli, p)
        Representation; prepared once for all places.
    Y : array-like, shape (n_stimuli, v)
        Responses of the neuroids, rows = the same stimuli in the same order.
    coordinates : array-like, shape (v, 3)
        Where each neuroid lies: voxels in the unit of ``radius``, or the vertices of a surface.
    radius : float
        How far the surroundings reach; along the edges of the surface where ``faces`` are given.
    faces : array-like of int, shape (f, 3), optional
        Triangles of the surface, as rows of ``coordinates``.
    min_neuroids : int
        Fewest neuroids that are scored.

    Returns
    -------
    array, shape (v,)
        The value at each neuroid; NaN where there are fewer neuroids, or where the measure is undefined.

    Raises
    ------
    ShapeError
        ``coordinates`` or ``faces`` of another shape.
    InputError
        A radius that is not above zero, faces that name no vertex.
    PairingError, NonFiniteError, ChoiceError
        Rows that do not pair, NaN or inf, an unknown id.

    Notes
    -----
    Kriegeskorte et al. 2006, doi:10.1073/pnas.0600244103. Neighbouring values share neuroids, so they vary together:
    correct for multiple tests by the largest value of each permutation. Cost: one preparation and score a neuroid.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, where = rng.normal(size=(30, 4)), np.arange(20.0)[:, None] * [1, 0, 0]
    >>> Y = np.hstack([X, rng.normal(size=(30, 16))])
    >>> found = searchlight("cka.linear.debiased", X, Y, coordinates=where, radius=2)
    >>> int(np.nanargmax(found)) < 4
    True
    """
    x, y = as_pair(X, Y)
    places = to_numpy(as_matrix(coordinates, name="coordinates").double().cpu())
    if places.shape != (y.shape[1], 3):
        raise ShapeError(f"coordinates have shape {places.shape}; {y.shape[1]} neuroids need ({y.shape[1]}, 3).")
    if not 0 < radius < np.inf:
        raise InputError(f"radius={radius!r}: give a length above zero, in the unit of the coordinates.")
    around = (
        within_sphere(places, radius) if faces is None else along_surface(places, _triangles(faces, places), radius)
    )
    scorer = Scorer(metric, Preparation(x, "X"))
    values = np.full(len(places), np.nan)
    for i, rows in enumerate(around):
        if len(rows) >= min_neuroids:
            try:
                values[i] = scorer.score(Preparation(y[:, rows], "Y"))
            except UndefinedError:
                continue
    return values


def _triangles(faces: Any, vertices: FloatArray) -> npt.NDArray[np.intp]:
    triangles = np.asarray(faces)
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise ShapeError(f"faces must be whole numbers of shape (f, 3), got {triangles.dtype} {triangles.shape}.")
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(vertices):
        raise InputError(f"faces name vertices {triangles.min()} to {triangles.max()}; there are {len(vertices)}.")
    return triangles.astype(np.intp)

"""Whether two representations change across scales in the same way, and how concentrated one of them is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix
from brainalign.errors import InputError, PairingError, UndefinedError
from brainalign.geometry.dimension_curve import dimension_curve
from brainalign.geometry.global_dimension import global_dimension
from brainalign.geometry.slopes import DimensionCurve
from brainalign.geometry.spectrum import spectrum_exponent
from brainalign.geometry.structure_curve import StructureCurve

__all__ = ["Concentration", "ScalePatternSimilarity", "concentration", "scale_pattern_similarity"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

LEAST_SCALES = 3


@dataclass(frozen=True, eq=False)
class ScalePatternSimilarity:
    """Similarity of two curves over the scales that both have.

    Attributes
    ----------
    r : float
        Pearson correlation over common scales, -1 to 1; NaN if a curve is constant.
    l2 : float
        Root of the summed squared differences: 0 for equal patterns.
    scales : array of int
        The common scales.
    """

    r: float
    l2: float
    scales: IndexArray


def scale_pattern_similarity(
    curve_a: DimensionCurve | StructureCurve, curve_b: DimensionCurve | StructureCurve
) -> ScalePatternSimilarity:
    """Compare how two representations change across scales.

    Dimension curves are compared as log(m(k) / m(k_max)) with k_max the largest common scale, so that the dimension
    itself does not enter; structure curves by their distances to the largest scale.

    Parameters
    ----------
    curve_a, curve_b : DimensionCurve or StructureCurve
        Two of one kind, from the same number of points.

    Raises
    ------
    InputError
        For curves of two kinds, or made with other estimators or numbers of points.
    UndefinedError
        For fewer than three common scales.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 6))
    >>> curve = dimension_curve(X, scales=(8, 16, 32), reference=None)
    >>> similarity = scale_pattern_similarity(curve, curve)
    >>> round(similarity.r, 6), similarity.l2
    (1.0, 0.0)
    """
    if isinstance(curve_a, DimensionCurve) and isinstance(curve_b, DimensionCurve):
        _require_alike(curve_a, curve_b, ("estimator", "average", "n"))
        patterns = [(curve.scales, np.log(curve.values)) for curve in (curve_a, curve_b)]
    elif isinstance(curve_a, StructureCurve) and isinstance(curve_b, StructureCurve):
        _require_alike(curve_a, curve_b, ("method", "debiased", "n_points"))
        if curve_a.scales[-1] != curve_b.scales[-1]:
            raise InputError(
                f"the largest scales are {curve_a.scales[-1]} and {curve_b.scales[-1]}; distances to the largest scale "
                "compare only where it is the same."
            )
        patterns = [(curve.scales[:-1], curve.to_largest) for curve in (curve_a, curve_b)]
    else:
        raise InputError(
            f"a {type(curve_a).__name__} and a {type(curve_b).__name__} do not compare; give two of one kind."
        )
    common, at_a, at_b = np.intersect1d(patterns[0][0], patterns[1][0], return_indices=True)
    if len(common) < LEAST_SCALES:
        raise UndefinedError(f"the curves have {len(common)} scales in common; at least {LEAST_SCALES} are needed.")
    a, b = patterns[0][1][at_a], patterns[1][1][at_b]
    if isinstance(curve_a, DimensionCurve):
        a, b = a - a[-1], b - b[-1]
    flat = np.ptp(a) == 0 or np.ptp(b) == 0
    r = math.nan if flat else float(np.corrcoef(a, b)[0, 1])
    return ScalePatternSimilarity(r, float(np.linalg.norm(a - b)), common)


@dataclass(frozen=True, eq=False)
class Concentration:
    """How few dimensions a representation fills, from small scales to the whole.

    Attributes
    ----------
    scales, dimension : arrays
        Local dimension at each number of neighbours.
    ratio : array or None
        ``dimension`` divided by that of the other representation; None without one.
    small_to_large : float
        Dimension at the smallest scale divided by that at the largest: above 1 where features dissipate at small
        scales, and where there is noise.
    participation_ratio : float
        Global linear dimension.
    exponent : float
        Out-of-sample exponent of the spectrum.
    """

    scales: IndexArray
    dimension: FloatArray
    ratio: FloatArray | None
    small_to_large: float
    participation_ratio: float
    exponent: float


def concentration(
    X: Any,
    other: Any = None,
    *,
    scales: Sequence[int] | None = None,
    fit: tuple[int, int] = (11, 500),
    repeats: Any = None,
) -> Concentration:
    """Measure how concentrated the points of a representation are, as such and against another one.

    Parameters
    ----------
    X : array, shape (n, p)
        Stimuli in rows, for example responses averaged over repeats.
    other : array, shape (n, q), optional
        Another representation of as many stimuli, for example a model.
    scales, fit, repeats
        As in `dimension_curve` and `spectrum_exponent`; noise adds dimensions at small scales, which repeats take out
        of the exponent only.

    Raises
    ------
    PairingError
        If the two do not have the same number of rows: dimension compares only at the same n.
    ShapeError, InputError, UndefinedError, NonFiniteError
        As in `dimension_curve` and `spectrum_exponent`.

    Examples
    --------
    >>> wide, narrow = np.random.default_rng(0).normal(size=(2, 100, 20))
    >>> narrow = narrow * np.arange(1, 21) ** -1.0
    >>> result = concentration(narrow, wide, fit=(2, 20))
    >>> bool((result.ratio < 1).all()), result.exponent > 1.5
    (True, True)
    """
    points = as_matrix(X, name="X")
    compared = None if other is None else as_matrix(other, name="other")
    if compared is not None and len(compared) != len(points):
        raise PairingError(
            f"X has {len(points)} rows and other has {len(compared)}; dimension compares only at the same number."
        )
    curve = dimension_curve(points, scales=scales, reference=None)
    ratio = None
    if compared is not None:
        ratio = curve.values / dimension_curve(compared, scales=curve.scales.tolist(), reference=None).values
    return Concentration(
        curve.scales,
        curve.values,
        ratio,
        float(curve.values[0] / curve.values[-1]),
        global_dimension(points),
        spectrum_exponent(points, fit=fit, repeats=repeats).exponent,
    )


def _require_alike(a: Any, b: Any, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(a, name) != getattr(b, name):
            raise InputError(
                f"the curves were made with {name}={getattr(a, name)!r} and {getattr(b, name)!r}; make both alike."
            )

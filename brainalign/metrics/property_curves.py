"""Properties that have a value at every scale: curves of dimension, structure, convergence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ChoiceError, InputError, UndefinedError, near_names
from brainalign.geometry import dimension_curve
from brainalign.kernels.transport import diameter
from brainalign.metrics.representation import LARGEST_SAMPLE, SAMPLE_PAIRS, Representation

__all__ = ["CURVES", "CurveProperty", "MeasuredCurve", "get_curve", "measure_curves"]

FloatArray = npt.NDArray[np.float64]
# scales, values, standard errors (NaN where there is none)
Values = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True)
class CurveProperty:
    """One property over scales; fields as of `brainalign.metrics.representation.Property`."""

    id: str
    version: int
    family: str
    title: str
    values: Callable[[Representation], Values]
    source: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class MeasuredCurve:
    """A property of one representation at its scales, or the reason why it has none; NaN marks what is undefined."""

    property: str
    scales: FloatArray
    values: FloatArray
    errors: FloatArray
    n_stimuli: int
    dropped: int
    reason: str | None = None


def _dimension(name: str, title: str, source: str, *, estimator: str, average: str) -> CurveProperty:
    def values(representation: Representation) -> Values:
        found = dimension_curve(representation.points, estimator=estimator, average=average, reference=None)
        return found.scales.astype(np.float64), found.values, np.full(len(found.values), np.nan)

    params = {"estimator": estimator, "average": average}
    return CurveProperty(f"dimension.curve.{name}", 1, "dimension", title, values, source, params)


def _structure(representation: Representation) -> Values:
    curve = representation.structure
    return curve.scales[:-1].astype(np.float64), curve.consecutive, curve.consecutive_error


def _approach(representation: Representation) -> Values:
    rate, unit = representation.rate, diameter(representation.points)
    error = rate.per_draw.std(axis=0, ddof=1) / np.sqrt(len(rate.per_draw))
    return rate.sizes.astype(np.float64), rate.distance / unit, error / unit


_LEVINA, _MACKAY = "Levina & Bickel 2004", "MacKay & Ghahramani 2005"

CURVES: dict[str, CurveProperty] = {
    record.id: record
    for record in (
        _dimension("mle", "Maximum likelihood at k neighbours", _LEVINA, estimator="mle", average="arithmetic"),
        _dimension("mle-harmonic", "The same, stimuli together", _MACKAY, estimator="mle", average="harmonic"),
        _dimension(
            "gride", "Ratio of k to k/2 neighbours, likelihood", "Denti et al. 2022, doi:10.1038/s41598-022-20991-1",
            estimator="gride", average="harmonic",
        ),
        _dimension(
            "mada", "Ratio of k to k/2 neighbours", "Farahmand et al. 2007, doi:10.1145/1273496.1273530",
            estimator="mada", average="harmonic",
        ),
        _dimension(
            "mom", "Method of moments", "Amsaleg et al. 2018, doi:10.1007/s10618-018-0578-6",
            estimator="mom", average="harmonic",
        ),
        CurveProperty(
            "scale.curve.structure", 1, "scale", "Debiased distance from k to 2 k neighbours", _structure,
            "Mémoli 2011, doi:10.1007/s10208-011-9093-5",
        ),
        CurveProperty(
            "convergence.curve.wasserstein", 1, "convergence", "Distance of two samples of n points, in diameters",
            _approach, "Weed & Bach 2019, doi:10.3150/18-BEJ1065",
            {"largest": LARGEST_SAMPLE, "n_draws": SAMPLE_PAIRS},
        ),
    )
}  # fmt: skip


def get_curve(property_id: str) -> CurveProperty:
    """Return the record of a curve, or raise ChoiceError with near names."""
    if property_id not in CURVES:
        raise ChoiceError(f"property {property_id!r} is unknown.{near_names(property_id, CURVES)}")
    return CURVES[property_id]


def measure_curves(X: Any, properties: Iterable[str] | None = None) -> list[MeasuredCurve]:
    """Measure properties at all their scales.

    Parameters
    ----------
    X : array-like, shape (n_stimuli, n_units), or Representation
        Stimuli in rows.
    properties : iterable of str, optional
        Ids of `CURVES`; default all.

    Raises
    ------
    ChoiceError, ShapeError, NonFiniteError
        For unknown ids, fewer than four stimuli, NaN or inf.

    Notes
    -----
    Cost: n² p for each curve of dimension, and about a second for those of structure and of convergence.
    """
    wanted = [get_curve(name) for name in (CURVES if properties is None else properties)]
    points = X if isinstance(X, Representation) else Representation(X)
    counts = len(points.points), points.dropped
    found = []
    for record in wanted:
        try:
            found.append(MeasuredCurve(record.id, *record.values(points), *counts))
        except (UndefinedError, InputError) as undefined:
            nothing = np.full(1, np.nan)
            found.append(MeasuredCurve(record.id, nothing, nothing, nothing, *counts, str(undefined)))
    return found

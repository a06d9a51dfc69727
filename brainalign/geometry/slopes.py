"""Curves of dimension over scales, and how they change."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from brainalign.errors import UndefinedError
from brainalign.geometry.references import MatchedReference

__all__ = ["DimensionCurve", "Slopes", "log_slope"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Slopes:
    """How a curve changes over its scales.

    Attributes
    ----------
    slope : float
        Of dimension on log10 k: dimensions a decade.
    loglog_slope : float
        Of log dimension on log k.
    cv : float
        Standard deviation over scales divided by the mean.
    excess_slope : float
        ``loglog_slope`` minus that of the reference; NaN without one.
    """

    slope: float
    loglog_slope: float
    cv: float
    excess_slope: float


@dataclass(frozen=True, eq=False)
class DimensionCurve:
    """Local dimension over neighbourhood sizes.

    Attributes
    ----------
    scales, values : arrays, shape (s,)
        Numbers of neighbours and the dimension at each.
    extreme_scale, extreme_value : int or None, float
        All n - 1 neighbours, where the border of the cloud rules, and the dimension there; kept apart.
    references : dict of str to MatchedReference
        The matched references, at ``scales`` and then the extreme scale where there is one.
    estimator, average : str
        As given.
    n, dropped : int
        Points used, and points dropped because they (nearly) equal others.
    """

    scales: IndexArray
    values: FloatArray
    extreme_scale: int | None
    extreme_value: float
    references: dict[str, MatchedReference] = field(repr=False)
    estimator: str
    average: str
    n: int
    dropped: int

    @property
    def slope(self) -> float:
        """Dimensions a decade, without the extreme scale."""
        return self.slopes().slope

    @property
    def loglog_slope(self) -> float:
        """Slope of log dimension on log k, without the extreme scale."""
        return self.slopes().loglog_slope

    @property
    def cv(self) -> float:
        """Standard deviation over scales divided by the mean, without the extreme scale."""
        return self.slopes().cv

    @property
    def excess_slope(self) -> float:
        """``loglog_slope`` minus that of the first reference, without the extreme scale."""
        return self.slopes().excess_slope

    @property
    def excess_slopes(self) -> dict[str, float]:
        """The excess slope over every reference."""
        return {kind: self.slopes(reference=kind).excess_slope for kind in self.references}

    @property
    def outside_references(self) -> bool | None:
        """Whether the log-log slope lies outside the span of those of all references; None for fewer than two.

        Clouds without any structure across scales differ among themselves by about .05, so only outside their span is
        a slope a sign of structure. The span is widened by two standard deviations of the slope of one cloud.
        """
        excess = list(self.excess_slopes.values())
        if len(excess) < 2:
            return None
        margin = 2 * self._spread_of_draws()
        return min(excess) > margin or max(excess) < -margin

    def _spread_of_draws(self) -> float:
        """Standard deviation of the log-log slope over draws of a reference, pooled over all."""
        sets = [curves for reference in self.references.values() for curves in reference.draws]
        slopes = [[log_slope(self.scales, curve[: len(self.scales)]) for curve in curves] for curves in sets]
        return float(np.sqrt(np.var(slopes, axis=1, ddof=1).mean()))

    def slopes(self, *, extremes: bool = False, drop_last: int = 0, reference: str | None = None) -> Slopes:
        """Return the slopes with the extreme scale, or without the last scales, against one of the references.

        Raises
        ------
        UndefinedError
            If fewer than two scales are left.
        """
        scales, values = self.scales, self.values
        if extremes and self.extreme_scale is not None:
            scales, values = np.append(scales, self.extreme_scale), np.append(values, self.extreme_value)
        kept = slice(0, len(scales) - drop_last)
        scales, values = scales[kept], values[kept]
        if len(scales) < 2:
            raise UndefinedError(f"{len(scales)} scale is left; a slope needs at least two.")
        loglog = log_slope(scales, values)
        name = reference or next(iter(self.references), None)
        excess = math.nan if name is None else loglog - log_slope(scales, self.references[name].values[: len(scales)])
        linear = float(np.polyfit(np.log10(scales), values, 1)[0])
        return Slopes(linear, loglog, float(np.std(values) / np.mean(values)), excess)


def log_slope(scales: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Return the least-squares slope of log values on log scales."""
    if not np.all(np.isfinite(values)):
        return math.nan
    return float(np.polyfit(np.log(np.asarray(scales)), np.log(np.asarray(values)), 1)[0])

"""One matrix, what several of its properties need, and the record of a property."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from brainalign.arrays import as_matrix
from brainalign.errors import UndefinedError
from brainalign.generalization import WassersteinRate, wasserstein_rate
from brainalign.geometry import (
    DimensionCurve,
    SpectrumExponent,
    StructureCurve,
    dimension_curve,
    spectrum_exponent,
    structure_curve,
)
from brainalign.geometry.distinct import neighbourhoods
from brainalign.kernels import Neighbours, neighbour_graph

__all__ = ["Number", "Property", "Representation"]

WIDEST_GRAPH = 100
# points in the larger samples whose distance is measured, and pairs of samples at each size
LARGEST_SAMPLE = 400
SAMPLE_PAIRS = 5


class Representation:
    """One matrix, and what several properties need of it, each computed once.

    Parameters
    ----------
    X : array-like, shape (n_stimuli, n_units)
        Errors as in `brainalign.arrays.as_matrix`.
    """

    def __init__(self, X: Any) -> None:
        self.points: torch.Tensor = as_matrix(X, name="X", min_rows=4)

    @cached_property
    def graph(self) -> Neighbours:
        """The 100 nearest neighbours of each stimulus, or all that there are."""
        return neighbour_graph(self.points, k=min(WIDEST_GRAPH, len(self.points) - 1))

    @cached_property
    def dropped(self) -> int:
        """Number of stimuli that local measures leave out because they (nearly) equal an earlier one."""
        try:
            return len(self.points) - neighbourhoods(self.graph, 1).n
        except UndefinedError:
            return len(self.points) - 1

    @cached_property
    def curve(self) -> DimensionCurve:
        """Dimension over scales, with a ball as reference."""
        return dimension_curve(self.points)

    @cached_property
    def structure(self) -> StructureCurve:
        """Shapes of neighbourhoods over scales."""
        return structure_curve(self.points)

    @cached_property
    def rate(self) -> WassersteinRate:
        """Distances of two samples, at four sizes up to 400 or half of all points."""
        largest = min(len(self.points) // 2, LARGEST_SAMPLE)
        sizes = [largest // 8, largest // 4, largest // 2, largest]
        return wasserstein_rate(self.points, sizes=sizes, n_draws=SAMPLE_PAIRS)

    @cached_property
    def spectrum(self) -> SpectrumExponent:
        """The power law of the spectrum."""
        return spectrum_exponent(self.points)


Number = tuple[float, float]


@dataclass(frozen=True)
class Property:
    """One property of a representation.

    Attributes
    ----------
    id, version
        The id spells the estimator; a changed number is a new version.
    family : {"dimension", "scale", "spectrum", "convergence"}
        What it describes.
    title : str
        In words.
    value : callable
        ``value(representation) -> (value, standard error or NaN)``.
    params : dict
        Estimator and its settings.
    cost, source : str
        In multiplications; where it comes from.
    asked : bool
        Whether it is measured only where it is named: it costs more than the rest together.
    """

    id: str
    version: int
    family: str
    title: str
    value: Callable[[Representation], Number]
    cost: str
    source: str
    params: dict[str, Any] = field(default_factory=dict)
    asked: bool = False

    @property
    def key(self) -> str:
        """Return ``id.vN``, the name of result files."""
        return f"{self.id}.v{self.version}"

    def function(self, X: Any) -> float:
        """Return the property of a matrix (n_stimuli, n_units)."""
        return self.value(Representation(X))[0]

"""Measures that are fitted and scored by folds, in the form of a pair measure: folds stay where stimuli are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix, to_numpy
from brainalign.encoding import make_folds
from brainalign.similarity.checks import require_same_stimuli
from brainalign.stats.forms import RecomputedForm

__all__ = ["FoldedForm", "FoldedMatrix"]

IndexArray = npt.NDArray[np.intp]

LEAST_TESTED = 3  # stimuli that have an RDM


@dataclass(frozen=True)
class FoldedMatrix:
    """A matrix (n, p), the fold in which each stimulus is tested, and the source of each stimulus."""

    values: npt.NDArray[Any]
    fold: IndexArray
    source: IndexArray


@dataclass(frozen=True)
class FoldedForm(RecomputedForm):
    """A measure ``function(X, Y, folds=…)``, fitted anew for every resample and permutation.

    Attributes
    ----------
    function : callable
        Takes (train, test) pairs as ``folds``.
    title : str
        What errors call it.
    n_folds, seed : int
        Of the folds, drawn when a matrix is prepared. Subsets keep them, unless one is left with fewer than three
        stimuli or half of its even share (where a part of the stimuli is scored on its own): then all are drawn anew.
    groups : tuple, optional
        Source of each stimulus, never on both sides of a fold.
    """

    function: Callable[..., float]
    title: str
    n_folds: int = 5
    seed: int = 0
    groups: tuple[Any, ...] | None = None

    def grouped(self, groups: npt.ArrayLike) -> FoldedForm:
        """Return the form whose folds keep these groups whole."""
        return replace(self, groups=tuple(np.asarray(groups).tolist()))

    def n_stimuli(self, a: FoldedMatrix) -> int:
        """Return the number of stimuli."""
        return len(a.values)

    def prepare(self, X: Any, *, name: str = "X") -> FoldedMatrix:
        """Draw the folds of a matrix (n, p)."""
        matrix = to_numpy(as_matrix(X, name=name))
        source = np.arange(len(matrix)) if self.groups is None else np.unique(self.groups, return_inverse=True)[1]
        return FoldedMatrix(matrix, self._draw(source), source)

    def restrict(self, a: FoldedMatrix, rows: IndexArray) -> FoldedMatrix:
        """Return these stimuli only, each in the fold where it was if enough are left in every fold."""
        fold, source = a.fold[rows], a.source[rows]
        fewest = int(np.bincount(fold, minlength=self.n_folds).min())
        if fewest < max(LEAST_TESTED, len(fold) / (2 * self.n_folds)):
            fold = self._draw(source)
        return FoldedMatrix(a.values[rows], fold, source)

    def _draw(self, source: IndexArray) -> IndexArray:
        fold = np.zeros(len(source), dtype=np.intp)
        groups = None if self.groups is None else source
        for number, (_, test) in enumerate(make_folds(len(source), self.n_folds, groups, self.seed)):
            fold[test] = number
        return fold

    def score(self, a: FoldedMatrix, b: FoldedMatrix) -> float:
        """Fit and score, by the folds of the first side."""
        require_same_stimuli(len(a.values), len(b.values))
        folds = [(np.flatnonzero(a.fold != f), np.flatnonzero(a.fold == f)) for f in range(self.n_folds)]
        return float(self.function(a.values, b.values, folds=folds))

"""Repeated presentations as arrays: which rows are the same stimulus, means of chosen repeats, sums of squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import ShapeError, UndefinedError

__all__ = ["Repeats", "as_repeats"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Repeats:
    """Responses with their repeats.

    Attributes
    ----------
    values : array, shape (n_presentations, n_neuroids)
        One row a presentation, sorted by stimulus.
    stimuli : array, shape (n_stimuli,)
        Stimulus ids, in order of first appearance.
    counts : array of int, shape (n_stimuli,)
        Presentations of each stimulus.
    """

    values: npt.NDArray[Any]
    stimuli: npt.NDArray[Any]
    counts: IndexArray

    @cached_property
    def starts(self) -> IndexArray:
        """Row at which each stimulus begins."""
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]]).astype(np.intp)

    def mean(self) -> FloatArray:
        """Mean over all repeats, shape (n_stimuli, n_neuroids)."""
        return self._sum(self.values) / self.counts[:, None]

    def residual_squares(self) -> FloatArray:
        """Sum over a stimulus's repeats of squared deviations from their mean, shape (n_stimuli, n_neuroids)."""
        centred = self.values - np.repeat(self.mean(), self.counts, axis=0)
        return self._sum(centred**2)

    def subset_means(self, sizes: tuple[int, ...], rng: np.random.Generator) -> list[FloatArray]:
        """Means of disjoint random subsets of ``sizes`` repeats of every stimulus."""
        if sum(sizes) > self.counts.min():
            raise UndefinedError(
                f"subsets of {sizes} repeats need {sum(sizes)} of every stimulus; the fewest is {self.counts.min()}."
            )
        keys = rng.random(len(self.values)) + np.repeat(np.arange(len(self.counts)), self.counts)
        order = np.argsort(keys)
        out, at = [], 0
        for size in sizes:
            rows = order[self.starts[:, None] + np.arange(at, at + size)]
            out.append(self.values[rows].mean(axis=1, dtype=np.float64))
            at += size
        return out

    def _sum(self, rows: npt.NDArray[Any]) -> FloatArray:
        return np.add.reduceat(rows, self.starts, axis=0, dtype=np.float64)


def as_repeats(responses: Any) -> Repeats:
    """Read repeats from a labelled response object or an array (stimulus, repetition, neuroid) with NaN for none.

    A labelled object is anything with ``responses["response"]`` (presentation, neuroid) and ``responses["stimulus"]``.

    Raises
    ------
    ShapeError
        For an array that is not three-dimensional, or a stimulus without any repeat.
    """
    if not isinstance(responses, np.ndarray):
        values = np.asarray(responses["response"].values)
        labels = np.asarray(responses["stimulus"].values)
        return _sorted_by_stimulus(values, labels)
    if responses.ndim != 3:
        raise ShapeError(
            f"repeats come as (stimulus, repetition, neuroid), got {responses.ndim} dimensions {responses.shape}; "
            "responses that were averaged before have no repeats to take a ceiling from."
        )
    present = np.asarray(np.isfinite(responses).all(axis=2))
    counts: IndexArray = present.sum(axis=1)
    if counts.min() < 1:
        raise ShapeError(f"stimulus {int(np.argmin(counts))} has no complete repeat.")
    return Repeats(responses[present], np.arange(len(responses)), counts)


def _sorted_by_stimulus(values: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Repeats:
    if values.ndim != 2 or len(values) != len(labels):
        raise ShapeError(f"responses {values.shape} do not match {len(labels)} presentation labels.")
    unique, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Repeats(values[np.argsort(rank[inverse], kind="stable")], unique[order], counts[order])

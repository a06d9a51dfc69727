"""Every member of one list against every member of another, on all stimuli and on many subsets of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from brainalign.stats.forms import PairForm

__all__ = ["GridForm", "score_all", "score_subsets"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@runtime_checkable
class GridForm(Protocol):
    """A form that has a faster way for many members than one at a time."""

    def score_all(self, many_a: Sequence[Any], many_b: Sequence[Any]) -> FloatArray:
        """Return ``score(a, b)`` of every pair, shape (len(many_a), len(many_b))."""
        ...

    def score_subsets(self, many_a: Sequence[Any], many_b: Sequence[Any], subsets: Sequence[IndexArray]) -> FloatArray:
        """Return ``score(restrict(a, rows), restrict(b, rows))`` of every pair, for each ``rows`` of ``subsets``.

        Shape (len(many_a), len(many_b), len(subsets)).
        """
        ...


def score_all(form: PairForm, many_a: Sequence[Any], many_b: Sequence[Any]) -> FloatArray:
    """Score every pair, shape (len(many_a), len(many_b))."""
    if isinstance(form, GridForm) and many_a and many_b:
        return form.score_all(many_a, many_b)
    scores = [[form.score(a, b) for b in many_b] for a in many_a]
    return np.array(scores, dtype=np.float64).reshape(len(many_a), len(many_b))


def score_subsets(
    form: PairForm, many_a: Sequence[Any], many_b: Sequence[Any], subsets: Sequence[IndexArray]
) -> FloatArray:
    """Score every pair on each subset of the stimuli, shape (len(many_a), len(many_b), len(subsets)).

    Each member is restricted to a subset once.
    """
    if isinstance(form, GridForm) and many_a and many_b and len(subsets):
        return form.score_subsets(many_a, many_b, subsets)
    out = np.empty((len(many_a), len(many_b), len(subsets)))
    for s, rows in enumerate(subsets):
        a, b = ([form.restrict(member, rows) for member in many] for many in (many_a, many_b))
        out[:, :, s] = score_all(form, a, b)
    return out

"""Every member of one list against every member of another, and many members restricted to the same stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from brainalign.stats.forms import PairForm

__all__ = ["GridForm", "restrict_all", "score_all"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@runtime_checkable
class GridForm(Protocol):
    """A form that has a faster way for many members than one at a time; the values are the same."""

    def restrict_all(self, many: Sequence[Any], rows: IndexArray) -> list[Any]:
        """Return ``[restrict(a, rows) for a in many]``."""
        ...

    def score_all(self, many_a: Sequence[Any], many_b: Sequence[Any]) -> FloatArray:
        """Return ``score(a, b)`` of every pair, shape (len(many_a), len(many_b))."""
        ...


def restrict_all(form: PairForm, many: Sequence[Any], rows: IndexArray) -> list[Any]:
    """Restrict prepared objects to the same stimuli."""
    if isinstance(form, GridForm) and many:
        return form.restrict_all(many, rows)
    return [form.restrict(a, rows) for a in many]


def score_all(form: PairForm, many_a: Sequence[Any], many_b: Sequence[Any]) -> FloatArray:
    """Score every pair, shape (len(many_a), len(many_b))."""
    if isinstance(form, GridForm) and many_a and many_b:
        return form.score_all(many_a, many_b)
    scores = [[form.score(a, b) for b in many_b] for a in many_a]
    return np.array(scores, dtype=np.float64).reshape(len(many_a), len(many_b))

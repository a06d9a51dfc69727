"""Preparation of two matrices for many measures: what several measures need is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from brainalign.similarity import MutualKnnForm, RsaForm
from brainalign.similarity.kendall import KendallForm
from brainalign.similarity.neighbours import ALL_NEIGHBOURS
from brainalign.similarity.rdm_form import comparable_distances, distances_to_compare
from brainalign.stats import PairForm

__all__ = ["Preparation", "matrices"]


class Preparation:
    """One matrix, prepared for one measure after the other.

    RDMs of one distance serve all comparators, and neighbours of one metric all ``k``; what was prepared for the
    latest measure is kept until the next.
    """

    def __init__(self, X: torch.Tensor, name: str) -> None:
        self.X, self.name = X, name
        self._made: dict[tuple[str, ...], Any] = {}
        self._latest: tuple[PairForm, Any] | None = None

    @property
    def n(self) -> int:
        """Number of stimuli."""
        return len(self.X)

    def of(self, form: PairForm) -> Any:
        """Return the prepared object of a measure; errors are those of its ``prepare``."""
        if self._latest is None or self._latest[0] != form:
            self._latest = None  # two at once would need the memory of both
            self._latest = form, self._prepared(form)
        return self._latest[1]

    def _prepared(self, form: PairForm) -> Any:
        if isinstance(form, RsaForm | KendallForm):
            key = ("distances", distances_to_compare(form.distance, form.compare))
            found = self._once(key, lambda: comparable_distances(self.X, form.distance, form.compare, self.name))
            return form.prepare_distances(found, name=self.name)
        if isinstance(form, MutualKnnForm) and len(self.X) <= ALL_NEIGHBOURS:
            key = ("neighbours", form.metric)
            first = self._once(key, lambda: form.prepare(self.X, name=self.name))
            return form.prepare_order(first.order)
        return form.prepare(self.X, name=self.name)

    def _once(self, key: tuple[str, ...], make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def matrices(Z: Any) -> list[Any]:
    """Return the matrices of a list (subjects, layers), or the one matrix, which may be a nested list of numbers."""
    if isinstance(Z, (list, tuple)) and len(Z) and getattr(Z[0], "ndim", np.ndim(Z[0])) == 2:
        return list(Z)
    return [Z]

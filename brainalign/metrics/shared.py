"""Preparation of two matrices for many measures: what several measures need is made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from brainalign.similarity import MutualKnnForm, RsaForm
from brainalign.similarity.kendall import KendallForm
from brainalign.similarity.neighbours import ALL_NEIGHBOURS
from brainalign.similarity.rdm_form import comparable_distances, distances_to_compare
from brainalign.stats import PairForm

__all__ = ["Preparation"]


class Preparation:
    """One matrix, prepared for one measure after the other.

    RDMs of one distance serve all comparators, and neighbours of one metric all ``k``.
    """

    def __init__(self, X: torch.Tensor, name: str) -> None:
        self.X, self.name = X, name
        self._made: dict[tuple[str, ...], Any] = {}

    def of(self, form: PairForm) -> Any:
        """Return the prepared object of a measure; errors are those of its ``prepare``."""
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

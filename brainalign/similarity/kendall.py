"""RSA by Kendall's tau: which of two dissimilarities is larger, over all pairs of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import kendalltau

from brainalign.arrays import as_vector, to_numpy
from brainalign.similarity.checks import require_choice, require_same_stimuli
from brainalign.similarity.rdm import DISTANCES
from brainalign.similarity.rdm_form import Distances, comparable_distances, ranked, stimuli_of_pairs, subset_of_pairs
from brainalign.stats.forms import RecomputedForm

__all__ = ["KENDALL_COMPARATORS", "KendallForm", "OrderedRdm"]

IndexArray = npt.NDArray[np.intp]

KENDALL_COMPARATORS = ("tau-a", "tau-b")


@dataclass(frozen=True)
class OrderedRdm:
    """A condensed RDM, its twice-counted ranks (whole numbers), and the share of pairs of pairs without ties."""

    dissimilarity: torch.Tensor
    n: int
    order: npt.NDArray[np.int64]
    untied: float
    scale: float
    eps: float


@dataclass(frozen=True)
class KendallForm(RecomputedForm):
    """RSA by tau-a or tau-b; parameters and measure as in `rsa`. Ranks are taken anew for every subset."""

    distance: str = "correlation"
    compare: str = "tau-a"

    def __post_init__(self) -> None:
        require_choice("distance", self.distance, DISTANCES)
        require_choice("compare", self.compare, KENDALL_COMPARATORS)

    def n_stimuli(self, a: OrderedRdm) -> int:
        """Return the number of stimuli."""
        return a.n

    def prepare(self, X: Any, *, name: str = "X") -> OrderedRdm:
        """Prepare a matrix (n, p). Cost: n² p flops and one sort."""
        return self.prepare_distances(comparable_distances(X, self.distance, self.compare, name), name=name)

    def prepare_distances(self, found: Distances, *, name: str = "X") -> OrderedRdm:
        """Prepare dissimilarities that several comparators share. Cost: one sort."""
        return _ordered(found.values, stimuli_of_pairs(found.values, name), found.scale, found.eps, name)

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> OrderedRdm:
        """Prepare a condensed RDM (n_pairs,), SciPy order. Cost: one sort."""
        v = as_vector(rdm, name=name).double()
        return _ordered(v, stimuli_of_pairs(v, name), float(v.abs().max()), torch.finfo(torch.float64).eps, name)

    def restrict(self, a: OrderedRdm, rows: IndexArray) -> OrderedRdm:
        """Return the prepared object of these stimuli only. Cost: one sort of the pairs that remain."""
        kept = subset_of_pairs(a.dissimilarity, a.n, rows)
        return _ordered(kept, len(rows), a.scale, a.eps, "the subset of stimuli")

    def score(self, a: OrderedRdm, b: OrderedRdm) -> float:
        """Return tau. Cost: a sort of n² / 2 numbers."""
        require_same_stimuli(a.n, b.n)
        tau_b = float(kendalltau(a.order, b.order, method="asymptotic").statistic)
        return tau_b if self.compare == "tau-b" else tau_b * (a.untied * b.untied) ** 0.5


def _ordered(v: torch.Tensor, n: int, scale: float, eps: float, name: str) -> OrderedRdm:
    order = to_numpy(2 * ranked(v, scale, eps, name)).astype(np.int64)
    ties = np.unique(order, return_counts=True)[1].astype(np.float64)
    count = len(v)
    return OrderedRdm(v, n, order, 1 - float((ties * (ties - 1)).sum()) / (count * (count - 1)), scale, eps)

"""Jaccard index of neighbourhoods: neighbours in common over neighbours in either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import hypergeom

from brainalign.arrays import as_pair
from brainalign.similarity.neighbours import MutualKnnForm, NeighbourLists

__all__ = ["JaccardForm", "jaccard_chance", "neighbourhood_jaccard"]


def neighbourhood_jaccard(X: Any, Y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    """Neighbours that a stimulus has in both representations over those it has in either, averaged over stimuli.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order.
    k : int
        Number of neighbours, fewer than the number of stimuli.
    metric : {"cosine", "euclidean"}
        Distance in both.

    Returns
    -------
    float
        Between 0 and 1; `jaccard_chance` is the mean over all pairings. Compare only at the same number of stimuli.

    Raises
    ------
    ShapeError, PairingError, UndefinedError, ChoiceError, NonFiniteError
        As in `mutual_knn`.

    Notes
    -----
    Wang et al. 2020, arXiv:2008.13390 (k-NN Jaccard similarity of embeddings, as in the review of Klabunde et al. 2023,
    arXiv:2305.06329). Cost: as `mutual_knn`.

    Examples
    --------
    >>> neighbourhood_jaccard([[0.0], [1.0], [3.0], [7.0]], [[0.0], [1.0], [9.0], [7.0]], k=1, metric="euclidean")
    0.75
    """
    form = JaccardForm(k=k, metric=metric)
    x, y = as_pair(X, Y)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


def jaccard_chance(n_stimuli: int, k: int) -> float:
    """Return the mean over all pairings: the number in common is hypergeometric.

    >>> round(jaccard_chance(1000, 10), 6)
    0.005292
    """
    common = range(k + 1)
    share = hypergeom(n_stimuli - 1, k, k).pmf(common)
    return float(sum(p * c / (2 * k - c) for c, p in zip(common, share, strict=True)))


@dataclass(frozen=True)
class JaccardForm(MutualKnnForm):
    """`neighbourhood_jaccard` in the form that shares neighbour lists between scores, subsamples and permutations."""

    def null_moments(self, a: NeighbourLists, b: NeighbourLists) -> None:
        """Return nothing: the mean is known (`jaccard_chance`), the standard deviation is not."""
        return

    @property
    def _scale(self) -> int:
        return 1

    def _worth(self) -> npt.NDArray[np.float64]:
        counts = np.arange(self.k + 1.0)
        return counts / (2 * self.k - counts)

    def _value(self, common: torch.Tensor) -> torch.Tensor:
        counts = common.double()
        return (counts / (2 * self.k - counts)).mean(-1)

"""The form of a measure that shares work between scores, resamples and permutations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["PairForm"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@runtime_checkable
class PairForm(Protocol):
    """A measure of two representations of the same ``n`` stimuli.

    ``prepare`` turns a matrix into whatever the measure needs of it (a Gram matrix, ranks of an RDM, neighbour
    lists); all else works on prepared objects, so that one preparation serves every score, resample and permutation.
    """

    @property
    def smooth(self) -> bool:
        """Whether the statistic is smooth enough for the delete-block jackknife."""
        ...

    def prepare(self, X: Any) -> Any:
        """Prepare a matrix (n, p)."""
        ...

    def prepare_rdm(self, rdm: Any) -> Any:
        """Prepare a condensed RDM; raises ``ResponseKindError`` where the measure needs points."""
        ...

    def restrict(self, a: Any, rows: IndexArray) -> Any:
        """Return the prepared object of these stimuli only, as if prepared from ``X[rows]``."""
        ...

    def score(self, a: Any, b: Any) -> float:
        """Return the value of the measure."""
        ...

    def leave_blocks_out(self, a: Any, b: Any, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return the value with each block of stimuli left out, shape (n_blocks,)."""
        ...

    def permuted(self, many_a: Sequence[Any], b: Any, permutations: IndexArray) -> FloatArray:
        """Return ``score(a, b[permutation])`` for all ``a`` and permutations (R, n), shape (len(many_a), R)."""
        ...

    def null_moments(self, a: Any, b: Any) -> tuple[float, float] | None:
        """Return mean and standard deviation over all n! permutations, where a closed form is known."""
        ...

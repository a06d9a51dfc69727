"""The form of a measure that shares work between scores, resamples and permutations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from brainalign.errors import ResponseKindError, UndefinedError
from brainalign.stats.crossed import CrossedPermutations

__all__ = ["CrossedForm", "PairForm", "RecomputedForm", "permuted_pairs"]

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

    @property
    def recomputed(self) -> bool:
        """Whether leaving out or permuting costs a full evaluation each time, so that fewer are affordable."""
        ...

    def prepare(self, X: Any, *, name: str = "X") -> Any:
        """Prepare a matrix (n, p); errors call it ``name``."""
        ...

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> Any:
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

    def null_skewness(self, a: Any, b: Any) -> float | None:
        """Return the skewness over all n! permutations, where a closed form is known."""
        ...


@runtime_checkable
class CrossedForm(PairForm, Protocol):
    """A measure that scores all pairs of permuted representations at once, for little more than permuting each."""

    def crossed(self, many_a: Sequence[Any], many_b: Sequence[Any], left: IndexArray, right: IndexArray) -> FloatArray:
        """Return ``score(a[s], b[t])`` for all permutations s of ``left`` (S, n) and t of ``right`` (T, n).

        Shape (len(many_a), S, len(many_b), T).
        """
        ...


def permuted_pairs(
    form: PairForm, many_a: Sequence[Any], many_b: Sequence[Any], permutations: CrossedPermutations | IndexArray
) -> list[FloatArray]:
    """Return ``score(a, b[permutation])`` of all pairs and permutations, for each ``b`` an array (len(many_a), R)."""
    if not isinstance(permutations, CrossedPermutations):
        return [form.permuted(many_a, b, permutations) for b in many_b]
    if not isinstance(form, CrossedForm):
        return [form.permuted(many_a, b, permutations.relative) for b in many_b]
    values = form.crossed(many_a, many_b, permutations.left, permutations.right)
    return [permutations.null(values[:, :, k]) for k in range(len(many_b))]


class RecomputedForm(ABC):
    """A measure without closed or batched forms: every resample and permutation is evaluated anew, and is exact.

    A measure gives `prepare`, `restrict` and `score`; `restrict` with all rows in another order permutes.
    """

    title: str = "this measure"

    @property
    def smooth(self) -> bool:
        """The delete-block jackknife is valid."""
        return True

    @property
    def recomputed(self) -> bool:
        """Every resample and permutation costs a full evaluation."""
        return True

    @abstractmethod
    def prepare(self, X: Any, *, name: str = "X") -> Any:
        """Prepare a matrix (n, p); errors call it ``name``."""

    @abstractmethod
    def restrict(self, a: Any, rows: IndexArray) -> Any:
        """Return the prepared object of these stimuli, as if prepared from ``X[rows]``."""

    @abstractmethod
    def score(self, a: Any, b: Any) -> float:
        """Return the value of the measure."""

    @abstractmethod
    def n_stimuli(self, a: Any) -> int:
        """Return the number of stimuli of a prepared object."""

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> Any:
        """Raise: the measure needs the responses themselves."""
        raise ResponseKindError(f"{self.title} needs response patterns; for responses that exist only as RDMs use RSA.")

    def leave_blocks_out(self, a: Any, b: Any, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return the value with each block of stimuli left out, NaN where undefined. Cost: an evaluation a block."""
        n, values = self.n_stimuli(a), np.empty(len(blocks))
        for i, block in enumerate(blocks):
            rows = np.setdiff1d(np.arange(n), block)
            try:
                values[i] = self.score(self.restrict(a, rows), self.restrict(b, rows))
            except UndefinedError:
                values[i] = np.nan
        return values

    def permuted(self, many_a: Sequence[Any], b: Any, permutations: IndexArray) -> FloatArray:
        """Return the value of every ``a`` with ``b`` permuted, shape (len(many_a), R). Cost: an evaluation each."""
        values = np.empty((len(many_a), len(permutations)))
        for r, order in enumerate(permutations):
            shuffled = self.restrict(b, np.asarray(order))
            values[:, r] = [self.score(a, shuffled) for a in many_a]
        return values

    def null_moments(self, a: Any, b: Any) -> tuple[float, float] | None:
        """Return nothing: no closed form is known."""
        return None

    def null_skewness(self, a: Any, b: Any) -> float | None:
        """Return nothing: no closed form is known."""
        return None

"""The form of a measure that shares work between scores, resamples and permutations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from brainalign.errors import ResponseKindError, UndefinedError

__all__ = ["PairForm", "RecomputedForm", "permuted_pairs"]

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

    @property
    def mirrored(self) -> bool:
        """Whether ``a`` and ``b`` can change places, and permuting ``b`` is what costs in `permuted`."""
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


def permuted_pairs(
    form: PairForm, many_a: Sequence[Any], many_b: Sequence[Any], permutations: IndexArray
) -> list[FloatArray]:
    """Return ``score(a, b[permutation])`` of all pairs and permutations, for each ``b`` an array (len(many_a), R).

    Notes
    -----
    Permuting ``b`` is permuting ``a`` by the inverse, so a mirrored form permutes whichever side has fewer members.
    """
    if not form.mirrored or len(many_b) <= len(many_a):
        return [form.permuted(many_a, b, permutations) for b in many_b]
    inverse = np.argsort(permutations, axis=1)
    by_a = np.stack([form.permuted(many_b, a, inverse) for a in many_a], axis=1)
    return list(by_a)


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

    @property
    def mirrored(self) -> bool:
        """Permuting costs an evaluation, whichever side is permuted."""
        return False

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

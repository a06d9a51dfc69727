"""CKNNA: centred kernel alignment of nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import InputError, ResponseKindError, UndefinedError
from brainalign.kernels.cloud import make_cloud
from brainalign.similarity.checks import require_permutations, require_same_stimuli
from brainalign.similarity.neighbours import MutualKnnForm, NeighbourLists

__all__ = ["CknnaForm", "NeighbourGram", "cknna"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

LEAST_STIMULI = 4


def cknna(X: Any, Y: Any, *, k: int = 10) -> float:
    """Return the kernel alignment of two representations over the neighbours that they have in common.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order. Rows are scaled to unit norm.
    k : int
        Number of nearest neighbours, 2 or more. With all n_stimuli - 1 it is the debiased CKA of the scaled rows.

    Returns
    -------
    float
        1 for the same representation. Chance depends on data, n_stimuli and k: see `calibrate`.

    Raises
    ------
    UndefinedError
        A row of zeros; a representation whose own alignment is not positive.
    ShapeError, InputError, PairingError, NonFiniteError
        Too few stimuli for ``k``, ``k`` below 2, rows that do not pair, NaN or inf.

    Notes
    -----
    Huh et al. 2024, arXiv:2405.07987, as their published code computes it: unbiased HSIC of the two kernels, both set
    to zero outside the directed graph of common neighbours. That graph is not symmetric, which the sum over paths of
    HSIC notices, so X and Y do not swap exactly. There is no absolute constant in the denominator: scale does not
    matter. Cost: n² (p + q) flops, then n k.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(20, 5))
    >>> round(cknna(X, 2 * X, k=5), 12)
    1.0
    """
    form = CknnaForm(k=k)
    x, y = as_pair(X, Y)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


@dataclass(frozen=True, eq=False)
class NeighbourGram:
    """Cosines between all stimuli (n, n), and the neighbours of each."""

    gram: FloatArray
    lists: NeighbourLists

    @cached_property
    def member(self) -> npt.NDArray[np.bool_]:
        """Whether j is a neighbour of i, shape (n, n)."""
        out = np.zeros(self.gram.shape, dtype=bool)
        np.put_along_axis(out, self.lists.index, True, axis=1)
        return out

    @cached_property
    def own(self) -> float:
        """Alignment of the representation with itself."""
        return _alignment(self, self, np.arange(len(self.gram)))


@dataclass(frozen=True)
class CknnaForm:
    """`cknna` in the form that shares Gram matrices and neighbour lists."""

    k: int = 10

    def __post_init__(self) -> None:
        MutualKnnForm(k=self.k)
        if self.k < 2:
            raise InputError(f"k={self.k}: CKNNA needs at least 2 neighbours.")

    @property
    def smooth(self) -> bool:
        """Whether the delete-block jackknife is valid: no, neighbours jump."""
        return False

    @property
    def recomputed(self) -> bool:
        """Subsamples and permutations share Gram matrices and lists."""
        return False

    def prepare(self, X: Any, *, name: str = "X") -> NeighbourGram:
        """Prepare a matrix (n, p). Cost: 2 n² p flops, 12 n² bytes kept."""
        points = as_matrix(X, name=name, min_rows=LEAST_STIMULI)
        unit = make_cloud(points, "cosine").exact(slice(None))
        return NeighbourGram(to_numpy(unit @ unit.T), MutualKnnForm(k=self.k).prepare(points, name=name))

    def prepare_rdm(self, rdm: Any, *, name: str = "rdm") -> NeighbourGram:
        """Raise: the measure needs the responses themselves."""
        raise ResponseKindError("CKNNA needs response patterns; for responses that exist only as RDMs use RSA.")

    def restrict(self, a: NeighbourGram, rows: IndexArray) -> NeighbourGram:
        """Return the prepared object of these stimuli only. Cost: O(len(rows)²)."""
        return NeighbourGram(a.gram[np.ix_(rows, rows)], MutualKnnForm(k=self.k).restrict(a.lists, rows))

    def score(self, a: NeighbourGram, b: NeighbourGram) -> float:
        """Return CKNNA. Cost: n k."""
        require_same_stimuli(len(a.gram), len(b.gram))
        return _alignment(a, b, np.arange(len(a.gram))) / _norms(a, b)

    def leave_blocks_out(self, a: NeighbourGram, b: NeighbourGram, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return the value with each block of stimuli left out; further neighbours step in. Cost: n² a block."""
        n, values = len(a.gram), np.empty(len(blocks))
        for i, block in enumerate(blocks):
            rest = np.setdiff1d(np.arange(n), block)
            values[i] = self.score(self.restrict(a, rest), self.restrict(b, rest))
        return values

    def permuted(self, many_a: Sequence[NeighbourGram], b: NeighbourGram, permutations: IndexArray) -> FloatArray:
        """Return the value of every ``a`` with ``b`` permuted, shape (len(many_a), R). Cost: n k each."""
        orders = require_permutations(permutations, len(b.gram))
        for a in many_a:
            require_same_stimuli(len(a.gram), len(b.gram))
        return np.array([[_alignment(a, b, order) / _norms(a, b) for order in orders] for a in many_a])

    def null_moments(self, a: NeighbourGram, b: NeighbourGram) -> tuple[float, float] | None:
        """Return nothing: no closed form is known."""
        return None

    def null_skewness(self, a: NeighbourGram, b: NeighbourGram) -> float | None:
        """Return nothing: no closed form is known."""
        return None


def _norms(a: NeighbourGram, b: NeighbourGram) -> float:
    if min(a.own, b.own) <= 0:
        raise UndefinedError("the alignment of a representation with itself is not positive: CKNNA has no value here.")
    return float((a.own * b.own) ** 0.5)


def _alignment(a: NeighbourGram, b: NeighbourGram, order: IndexArray) -> float:
    """Unbiased HSIC, up to a factor, of both kernels on the common edges, ``b`` in another order of stimuli."""
    n, k = len(a.gram), a.lists.index.shape[1]
    start, end = np.repeat(np.arange(n), k), a.lists.index.ravel()
    common = b.member[order[start], order[end]]
    start, end = start[common], end[common]
    in_a, in_b = a.gram[start, end], b.gram[order[start], order[end]]
    mutual = a.member[end, start] & b.member[order[end], order[start]]
    paths = np.bincount(end, in_a, n) @ np.bincount(start, in_b, n)
    products = float((in_a * in_b)[mutual].sum())
    squares = float(in_a.sum() * in_b.sum()) / ((n - 1) * (n - 2))
    return products + squares - 2 * float(paths) / (n - 2)

"""Soft matching: how well units of one representation pair up with units of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import UndefinedError
from brainalign.kernels.gram import centred
from brainalign.similarity.checks import require_permutations, require_same_stimuli
from brainalign.stats.forms import RecomputedForm

__all__ = ["SoftMatchingForm", "soft_matching"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

LEAST_STIMULI = 3
MOST_STEPS = 10**8


def soft_matching(X: Any, Y: Any) -> float:
    """Return the mean correlation of units that are matched as well as possible.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order. Units that do not vary are left out.

    Returns
    -------
    float
        The largest ``Σ T_ij r_ij`` over transport plans T that give each unit the same mass, r the correlation of
        units over stimuli: 1 for the same units in any order. With as many units on both sides it is the mean
        correlation of the best one-to-one pairing.

    Raises
    ------
    UndefinedError
        Fewer than 3 stimuli, or no unit that varies.
    PairingError, InputError, ShapeError, NonFiniteError
        Rows that do not pair, values that cannot be used.

    Notes
    -----
    Khosla & Williams 2024, arXiv:2311.09466. Unlike CKA it depends on the axes: a rotation changes it. The best match
    is taken on the stimuli that are scored, so unrelated units score above 0: report the excess over the permutation
    mean (`calibrate`). Cost: 2 n p q flops, and an optimal transport of p by q units, many times a product of matrices.

    Examples
    --------
    >>> X = [[1.0, 0.0], [2.0, 5.0], [4.0, 1.0], [3.0, 2.0]]
    >>> round(soft_matching(X, [[0.0, 2.0], [5.0, 4.0], [1.0, 8.0], [2.0, 6.0]]), 12)
    1.0
    """
    form = SoftMatchingForm()
    x, y = as_pair(X, Y)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


@dataclass(frozen=True)
class SoftMatchingForm(RecomputedForm):
    """`soft_matching` on centred units of unit norm, float64."""

    title = "soft matching"

    def n_stimuli(self, a: FloatArray) -> int:
        """Return the number of stimuli."""
        return len(a)

    def prepare(self, X: Any, *, name: str = "X") -> FloatArray:
        """Prepare a matrix (n, p): its units that vary, z-scored to unit norm."""
        matrix = as_matrix(X, name=name)
        return _unit_columns(to_numpy(centred(matrix.double())[0]), name)

    def restrict(self, a: FloatArray, rows: IndexArray) -> FloatArray:
        """Return the units over these stimuli only, scaled anew."""
        kept = a[np.asarray(rows)]
        return _unit_columns(kept - kept.mean(axis=0), "the subset of stimuli")

    def score(self, a: FloatArray, b: FloatArray) -> float:
        """Return the mean correlation under the best plan. Cost: one optimal transport."""
        import ot

        require_same_stimuli(len(a), len(b))
        correlation = a.T @ b
        plan = ot.emd(np.empty(0), np.empty(0), 1 - correlation, numItermax=MOST_STEPS)
        return float((plan * correlation).sum())

    def permuted(self, many_a: Sequence[FloatArray], b: FloatArray, permutations: IndexArray) -> FloatArray:
        """Return the value of every ``a`` with the rows of ``b`` permuted, shape (len(many_a), R)."""
        orders = require_permutations(permutations, len(b))
        return np.array([[self.score(a, b[order]) for order in orders] for a in many_a])


def _unit_columns(C: FloatArray, name: str) -> FloatArray:
    if len(C) < LEAST_STIMULI:
        raise UndefinedError(f"{name} has {len(C)} stimuli; soft matching needs at least {LEAST_STIMULI}.")
    norm = np.linalg.norm(C, axis=0)
    varies = norm > len(C) * np.finfo(np.float64).eps * np.abs(C).max(initial=0.0)
    if not varies.any():
        raise UndefinedError(f"{name} has no unit that varies over stimuli: there is nothing to match.")
    return np.asarray(C[:, varies] / norm[varies])

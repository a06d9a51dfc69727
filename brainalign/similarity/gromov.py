"""Gromov-Wasserstein: whether two representations have the same shape, whichever stimulus lies where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_matrix, as_pair, to_numpy
from brainalign.errors import InputError, UndefinedError
from brainalign.kernels.distances import condensed_distances, to_square
from brainalign.kernels.gram import centred
from brainalign.kernels.gromov import distortion, entropic_plan, gromov_plan, starting_plans, third_lower_bound
from brainalign.similarity.checks import require_same_stimuli
from brainalign.stats.forms import RecomputedForm

__all__ = ["GromovForm", "gromov_wasserstein", "gromov_wasserstein_bound"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

LEAST_STIMULI = 3
ENTROPIC_ABOVE = 1000


def gromov_wasserstein(X: Any, Y: Any, *, n_starts: int = 5, seed: int = 0) -> float:
    """Return the least mean squared difference of distances over all pairings of stimuli: lower is more aligned.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of as many stimuli. Which stimulus is which does not enter: the shapes are compared.
    n_starts : int
        Starts of the search, of which the best end counts: spread evenly, by sorted distances, each stimulus to
        itself, and from there on at random.
    seed : int
        Of the random starts.

    Returns
    -------
    float
        Squared Gromov-Wasserstein distance between Euclidean distances divided by their mean. A local optimum, so never
        below the true least value; `gromov_wasserstein_bound` is never above it.

    Raises
    ------
    UndefinedError
        Fewer than 3 stimuli, or a constant representation.
    PairingError, InputError, ShapeError, NonFiniteError
        Rows that do not pair, values that cannot be used, no start.

    Notes
    -----
    Mémoli 2011, doi:10.1007/s10208-011-9093-5; conditional gradient of POT. Above 1000 stimuli one plan of entropic
    proximal steps takes its place. The value of two samples of one shape is not 0 but falls with n: compare at the same
    number of stimuli. Cost: for each start a few tens of transports between n and n points.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(12, 3))
    >>> round(gromov_wasserstein(X, 2 * X[::-1]), 9)
    0.0
    """
    form = GromovForm(n_starts=n_starts, seed=seed)
    x, y = as_pair(X, Y)
    return form.score(form.prepare(x, name="X"), form.prepare(y, name="Y"))


def gromov_wasserstein_bound(X: Any, Y: Any) -> float:
    """Return a lower bound of the true least value that `gromov_wasserstein` looks for (third lower bound).

    Parameters and errors as there. Cost: n³.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(12, 3)), rng.normal(size=(12, 3))
    >>> gromov_wasserstein_bound(X, Y) <= gromov_wasserstein(X, Y)
    True
    """
    form = GromovForm()
    x, y = as_pair(X, Y)
    return third_lower_bound(form.prepare(x, name="X"), form.prepare(y, name="Y"))[0]


@dataclass(frozen=True)
class GromovForm(RecomputedForm):
    """`gromov_wasserstein` on square tables of distances with mean one."""

    n_starts: int = 5
    seed: int = 0

    title = "Gromov-Wasserstein"

    @property
    def smooth(self) -> bool:
        """Whether the delete-block jackknife is valid: no, the best plan jumps, and it is 1.9 times too wide."""
        return False

    def __post_init__(self) -> None:
        if isinstance(self.n_starts, bool) or not isinstance(self.n_starts, int | np.integer) or self.n_starts < 1:
            raise InputError(f"n_starts={self.n_starts!r} is no number of starts; give an integer of at least 1.")

    def n_stimuli(self, a: FloatArray) -> int:
        """Return the number of stimuli."""
        return len(a)

    def prepare(self, X: Any, *, name: str = "X") -> FloatArray:
        """Prepare a matrix (n, p): Euclidean distances over their mean. Cost: n² p flops."""
        C, _ = centred(as_matrix(X, name=name))
        return _of_mean_one(to_numpy(to_square(condensed_distances(C, "euclidean"), len(C))), name)

    def restrict(self, a: FloatArray, rows: IndexArray) -> FloatArray:
        """Return the distances between these stimuli only."""
        return _of_mean_one(a[np.ix_(rows, rows)], "the subset of stimuli")

    def score(self, a: FloatArray, b: FloatArray) -> float:
        """Return the least distortion found."""
        return distortion(a, b, self._plan(a, b))

    def leave_blocks_out(self, a: FloatArray, b: FloatArray, blocks: Sequence[IndexArray]) -> FloatArray:
        """Return the value with each block of stimuli of both sides left out, from the plan of all stimuli."""
        plan, values = self._plan(a, b), np.empty(len(blocks))
        for i, block in enumerate(blocks):
            rest = np.setdiff1d(np.arange(len(a)), block)
            kept_a, kept_b = self.restrict(a, rest), self.restrict(b, rest)
            values[i] = distortion(kept_a, kept_b, gromov_plan(kept_a, kept_b, _nearest_plan(plan[np.ix_(rest, rest)])))
        return values

    def permuted(self, many_a: Sequence[FloatArray], b: FloatArray, permutations: IndexArray) -> FloatArray:
        """Return the value itself: which stimulus is which does not enter, so no permutation changes it."""
        return np.repeat([[self.score(a, b)] for a in many_a], len(permutations), axis=1)

    def _plan(self, a: FloatArray, b: FloatArray) -> FloatArray:
        require_same_stimuli(len(a), len(b))
        if len(a) > ENTROPIC_ABOVE:
            return entropic_plan(a, b)
        plans = [gromov_plan(a, b, start) for start in starting_plans(a, b, self.n_starts, self.seed)]
        return min(plans, key=lambda plan: distortion(a, b, plan))


def _of_mean_one(D: FloatArray, name: str) -> FloatArray:
    n = len(D)
    if n < LEAST_STIMULI:
        raise UndefinedError(f"{name} has {n} stimuli; Gromov-Wasserstein needs at least {LEAST_STIMULI}.")
    mean = D.sum() / (n * (n - 1))
    if mean <= 0:
        raise UndefinedError(f"{name} is constant: all distances are zero.")
    return np.asarray(D / mean)


def _nearest_plan(part: FloatArray) -> FloatArray:
    """Return a plan of equal masses that keeps most of a part of one."""
    import ot

    plan: FloatArray = ot.emd(np.empty(0), np.empty(0), part.max() - part)
    return plan

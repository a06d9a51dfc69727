"""Differences within pairs against zero: every pair could as well have been the other way round."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from brainalign.errors import InputError, UndefinedError
from brainalign.stats.relations.correlation import as_vector
from brainalign.stats.relations.exchange import p_of
from brainalign.stats.resampling import Interval

__all__ = ["SignFlip", "sign_flip"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SignFlip:
    """Mean difference of pairs.

    ``interval`` is Student's t over pairs. ``p`` is two-sided, over all signs where there are few pairs (``exact``),
    else over signs drawn at random. ``n_distinct`` signs differ in what they make of the pairs; ``smallest_p`` is the
    smallest p that they allow: a mean and its negative are equally far from zero.
    """

    difference: float
    interval: Interval
    p: float
    n: int
    n_permutations: int
    n_distinct: int
    smallest_p: float
    exact: bool


def sign_flip(differences: npt.ArrayLike, *, n_permutations: int = 10_000, seed: int = 0) -> SignFlip:
    """Test whether paired differences are centred on zero.

    Parameters
    ----------
    differences : array, shape (n,)
        One for each pair.
    n_permutations, seed : int
        Signs at random where there are more than that, and their seed.

    Raises
    ------
    UndefinedError
        For fewer than two pairs.
    InputError, ShapeError, NonFiniteError
        For other input that cannot be used.

    Examples
    --------
    >>> found = sign_flip([0.2, 0.1, 0.3, 0.2, 0.1, 0.4])
    >>> round(found.difference, 3), found.p, found.smallest_p
    (0.217, 0.03125, 0.03125)
    """
    d = as_vector(differences, name="differences")
    n = len(d)
    if n < 2:
        raise UndefinedError(f"{n} pairs: a contrast needs at least two.")
    if n_permutations < 1:
        raise InputError(f"n_permutations must be at least 1, got {n_permutations}.")
    exact = 2**n <= n_permutations + 1
    if exact:  # the first row is the observed one
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))[1:]
    else:
        signs = np.random.default_rng(seed).choice((1.0, -1.0), size=(n_permutations, n))
    n_distinct = 2 ** int(np.count_nonzero(d))
    mean, se = float(d.mean()), float(d.std(ddof=1)) / math.sqrt(n)
    half = float(scipy_stats.t.ppf(0.975, n - 1)) * se
    return SignFlip(
        difference=mean,
        interval=Interval(mean, mean - half, mean + half, se, 0.95, "Student's t over pairs", n - 1),
        p=p_of(abs(mean), np.abs(signs @ d) / n),
        n=n,
        n_permutations=len(signs),
        n_distinct=n_distinct,
        smallest_p=max(min(1.0, 2 / n_distinct), 1 / (len(signs) + 1)),
        exact=exact,
    )

"""What a relation becomes when one more thing is held fixed: does it explain the relation?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.stats.bootstrap import draw_counts
from brainalign.stats.relations.correlation import as_columns, as_vector, partial_samples
from brainalign.stats.relations.exchange import Exchange, p_of
from brainalign.stats.relations.relation import N_BOOTSTRAP, correlation_null, half_width
from brainalign.stats.resampling import Interval

__all__ = ["Change", "change_given"]


@dataclass(frozen=True)
class Change:
    """A correlation before and after something is held fixed.

    ``before``, ``after`` with their two-sided permutation p; ``difference`` is before less after, with an interval by
    the bootstrap of whole groups, both correlations in the same samples. ``n`` units.
    """

    before: float
    before_p: float
    after: float
    after_p: float
    difference: Interval
    n: int


def change_given(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    given: npt.ArrayLike,
    *,
    groups: Any = None,
    covariates: npt.ArrayLike | None = None,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> Change:
    """Relate two variables before and after others are held fixed.

    Parameters
    ----------
    x, y : arrays, shape (n,)
    given : array, shape (n,) or (n, q)
        What is held fixed after.
    groups, n_permutations, seed
        As in `relation_of`.
    covariates : array, optional
        Held fixed before and after.

    Raises
    ------
    ShapeError, NonFiniteError, UndefinedError
        As in `relation_of`.

    Examples
    --------
    >>> z = np.repeat(np.arange(8.0), 3)
    >>> noise = np.random.default_rng(0).normal(size=(2, 24))
    >>> found = change_given(z + noise[0], z + noise[1], z)
    >>> found.before > 0.8, abs(found.after) < 0.5, found.difference.low > 0
    (True, True, True)
    """
    one, other = as_vector(x, name="x"), as_vector(y, name="y", n=len(np.asarray(x)))
    Z, exchange = as_columns(covariates, len(one)), Exchange(groups, len(one))
    both = np.column_stack([Z, as_columns(given, len(one))])
    draws = {"count": n_permutations, "seed": seed}
    before, null_before, _ = correlation_null(one, other, Z, exchange, **draws)
    after, null_after, _ = correlation_null(one, other, both, exchange, **draws)
    counts = draw_counts(len(one), N_BOOTSTRAP, groups=groups, seed=seed)
    drawn = partial_samples(one, other, Z, counts) - partial_samples(one, other, both, counts)
    n_groups = exchange.n_independent
    se, half = half_width(drawn, n_groups)
    middle = before - after
    return Change(
        before=before,
        before_p=p_of(abs(before), np.abs(null_before)),
        after=after,
        after_p=p_of(abs(after), np.abs(null_after)),
        difference=Interval(middle, middle - half, middle + half, se, 0.95, "cluster bootstrap", n_groups - 1),
        n=len(one),
    )

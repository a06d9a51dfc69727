"""One property against one score over models that are not independent: families, covariates, intervals, nulls."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from brainalign.errors import UndefinedError
from brainalign.stats.bootstrap import draw_counts
from brainalign.stats.relations.correlation import (
    as_columns,
    as_vector,
    partial_samples,
    ranks,
    residuals,
    unit_columns,
)
from brainalign.stats.relations.exchange import Exchange, Rearranged, p_of
from brainalign.stats.relations.kendall import kendall_tau, tau_null, tau_samples
from brainalign.stats.resampling import Interval

__all__ = ["Level", "Relation", "correlation_null", "correlations_with", "half_width", "relation_of"]

FloatArray = npt.NDArray[np.float64]

N_BOOTSTRAP = 2000


@dataclass(frozen=True)
class Level:
    """A correlation within families, or between their means, with the null of that level.

    ``n`` counts the units or the families. ``n_distinct`` orders of the values differ; ``smallest_p`` is the smallest
    p that they allow; ``exact`` says whether all of them were tried.
    """

    r: float
    p: float
    n: int
    n_permutations: int
    n_distinct: int
    smallest_p: float
    exact: bool


@dataclass(frozen=True)
class Relation:
    """How a property goes with a score over units (models or layers).

    Attributes
    ----------
    r, rho, tau : float
        Pearson and Spearman correlation, Kendall's tau-b.
    partial : float or None
        Pearson correlation given the covariates; None without any.
    interval, partial_interval, tau_interval : Interval (or None)
        Of ``r``, ``partial`` and ``tau``, by a bootstrap of whole groups.
    p, rho_p, tau_p, partial_p : float
        Two-sided, by permutation of units within groups and of whole groups (all units without groups).
    within, between : Level or None
        The correlation inside groups (deviations from their means) and that of group means, each with its own null;
        None where nothing can be exchanged at that level.
    leave_one_group_out, leave_one_group_out_p : dict
        ``r`` and its p without each group; of units, one at a time, without groups ``r`` alone. NaN where too little is
        left.
    n, n_groups : int
        Units, and groups of them (the units themselves without groups).
    n_permutations, n_distinct, smallest_p, exact
        Of ``p``: permutations tried, orders of the values that differ, the smallest p they allow, whether all of them
        were tried.
    n_dropped : int
        Units that were left out because a value of theirs is missing.
    """

    r: float
    rho: float
    partial: float | None
    interval: Interval
    p: float
    within: Level | None
    between: Level | None
    leave_one_group_out: dict[str, float]
    n: int
    rho_p: float
    partial_p: float | None
    partial_interval: Interval | None
    leave_one_group_out_p: dict[str, float] = field(repr=False)
    n_groups: int
    n_permutations: int
    n_distinct: int
    smallest_p: float
    exact: bool
    tau: float
    tau_p: float
    tau_interval: Interval
    n_dropped: int = 0


def relation_of(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    groups: Any = None,
    covariates: npt.ArrayLike | None = None,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> Relation:
    """Relate two variables over units.

    Parameters
    ----------
    x, y : arrays, shape (n,)
        A property and a score of each unit.
    groups : sequence of length n, optional
        Family of each unit: units of one family are not independent.
    covariates : array, shape (n,) or (n, q), optional
        What the controlled relation holds fixed.
    n_permutations, seed : int
        Permutations at random where there are more orders than that; their seed and that of the bootstrap.

    Returns
    -------
    Relation

    Raises
    ------
    ShapeError, NonFiniteError, InputError
        For inputs that do not pair, fewer than four units, NaN or inf.
    UndefinedError
        If x or y is constant, or the covariates explain one of them.

    Notes
    -----
    The controlled relation is permuted by Freedman & Lane 1983, doi:10.2307/1391660: what covariates leave of y is
    exchanged, and the covariates are fitted again. The interval is symmetric in Fisher's z with the bootstrap's
    standard error and Student's t with as many degrees of freedom as groups less one: with few families a percentile
    interval is too narrow. Cost: n_permutations n (q + 1) multiplications for each of the p, twice that for each group
    left out, and n_permutations n² comparisons of small integers for tau.

    Examples
    --------
    >>> x = np.arange(12.0)
    >>> found = relation_of(x, x**2, groups=["a", "b", "c", "d"] * 3)
    >>> round(found.r, 2), round(found.rho, 6), found.p < 0.001, found.between.n
    (0.96, 1.0, True, 4)
    """
    one, other = as_vector(x, name="x"), as_vector(y, name="y", n=len(np.asarray(x)))
    if len(one) < 4:
        raise UndefinedError(f"{len(one)} units: a relation needs at least four.")
    Z, exchange = as_columns(covariates, len(one)), Exchange(groups, len(one))
    none = Z[:, :0]
    draws = {"count": n_permutations, "seed": seed}
    r, null, drawn = correlation_null(one, other, none, exchange, **draws)
    rho, rho_null, _ = correlation_null(ranks(one), ranks(other), none, exchange, **draws)
    counts = draw_counts(len(one), N_BOOTSTRAP, groups=groups, seed=seed)
    n_groups = exchange.n_independent
    partial = partial_p = partial_interval = None
    if Z.shape[1]:
        partial, partial_null, _ = correlation_null(one, other, Z, exchange, **draws)
        partial_p = p_of(abs(partial), np.abs(partial_null))
        partial_interval = _interval(partial, partial_samples(one, other, Z, counts), n_groups)
    left_out = _leave_one_out(one, other, groups, draws)
    tau = kendall_tau(one, other)
    return Relation(
        r=r,
        rho=rho,
        partial=partial,
        interval=_interval(r, partial_samples(one, other, none, counts), n_groups),
        p=p_of(abs(r), np.abs(null)),
        within=_level("within", one, other, exchange, draws),
        between=_level("between", one, other, exchange, draws),
        leave_one_group_out={group: value for group, (value, _) in left_out.items()},
        n=len(one),
        rho_p=p_of(abs(rho), np.abs(rho_null)),
        partial_p=partial_p,
        partial_interval=partial_interval,
        leave_one_group_out_p={group: p for group, (_, p) in left_out.items()},
        n_groups=n_groups,
        n_permutations=len(null),
        n_distinct=drawn.n_distinct,
        smallest_p=drawn.smallest_p,
        exact=drawn.exact,
        tau=tau,
        tau_p=p_of(abs(tau), np.abs(tau_null(one, exchange.rearrange(other, count=n_permutations, seed=seed).values))),
        tau_interval=_plain_interval(tau, tau_samples(one, other, counts), n_groups),
    )


def correlation_null(
    x: FloatArray, y: FloatArray, covariates: FloatArray, exchange: Exchange, *, count: int, seed: int
) -> tuple[float, FloatArray, Rearranged]:
    """Return a (partial) correlation, the same under each permutation, and what was permuted."""
    a = unit_columns(x, covariates, name="x")
    b = unit_columns(y, covariates, name="y")
    drawn = exchange.rearrange(b, count=count, seed=seed)
    return float(np.clip(a @ b, -1, 1)), correlations_with(a, drawn.values, covariates), drawn


def correlations_with(unit: FloatArray, rearranged: FloatArray, covariates: FloatArray) -> FloatArray:
    """Correlate columns of length one, (n,) or (n, K), with every row of (R, n), given covariates; (R,) or (R, K)."""
    rest = residuals(rearranged.T, covariates)
    length = np.linalg.norm(rest, axis=0)
    rest = np.divide(rest, length, out=np.zeros_like(rest), where=length > 0)
    return np.asarray(rest.T @ unit)


def _level(name: str, x: FloatArray, y: FloatArray, exchange: Exchange, draws: dict[str, int]) -> Level | None:
    if name not in exchange.levels:
        return None
    a, b = exchange.means(x), exchange.means(y)
    if name == "within":
        a, b = x - a[exchange.of_unit], y - b[exchange.of_unit]
    none = np.empty((len(a), 0))
    try:
        unit_x, unit_y = unit_columns(a, none, name="x"), unit_columns(b, none, name="y")
    except UndefinedError:  # constant inside every family, or alike in all
        return None
    # means are exchanged freely, deviations inside their families alone
    level = Exchange(None, len(b)) if name == "between" else exchange
    drawn = level.rearrange(unit_y, level=name, count=draws["count"], seed=draws["seed"])
    r = float(np.clip(unit_x @ unit_y, -1, 1))
    null = np.abs(correlations_with(unit_x, drawn.values, none))
    return Level(r, p_of(abs(r), null), len(a), len(null), drawn.n_distinct, drawn.smallest_p, drawn.exact)


def _leave_one_out(x: FloatArray, y: FloatArray, groups: Any, draws: dict[str, int]) -> dict[str, tuple[float, float]]:
    labels = np.array([str(g) for g in groups] if groups is not None else [str(i) for i in range(len(x))])
    found: dict[str, tuple[float, float]] = {}
    for group in dict.fromkeys(labels.tolist()):
        kept = labels != group
        try:
            if groups is None:
                r, p = _plain_r(x[kept], y[kept]), math.nan
            else:
                exchange = Exchange(labels[kept], int(kept.sum()))
                r, null, _ = correlation_null(x[kept], y[kept], np.empty((kept.sum(), 0)), exchange, **draws)
                p = p_of(abs(r), np.abs(null))
        except UndefinedError:
            r, p = math.nan, math.nan
        found[group] = r, p
    return found


def _plain_r(x: FloatArray, y: FloatArray) -> float:
    none = np.empty((len(x), 0))
    return float(np.clip(unit_columns(x, none, name="x") @ unit_columns(y, none, name="y"), -1, 1))


def _interval(r: float, drawn: FloatArray, n_groups: int, level: float = 0.95) -> Interval:
    """Interval of a correlation from bootstrap samples, symmetric in Fisher's z."""
    limit = 1 - np.finfo(np.float64).eps
    se, half = half_width(np.arctanh(np.clip(drawn, -limit, limit)), n_groups, level)
    centre = math.atanh(min(max(r, -limit), limit))
    low, high = math.tanh(centre - half), math.tanh(centre + half)
    return Interval(r, min(low, r), max(high, r), se * (1 - r * r), level, "cluster bootstrap", n_groups - 1)


def _plain_interval(tau: float, drawn: FloatArray, n_groups: int, level: float = 0.95) -> Interval:
    """Interval of tau, symmetric: small samples reach one too often for Fisher's z."""
    se, half = half_width(drawn, n_groups, level)
    low, high = max(tau - half, -1.0), min(tau + half, 1.0)
    return Interval(tau, low, high, se, level, "cluster bootstrap", n_groups - 1)


def half_width(drawn: FloatArray, n_groups: int, level: float = 0.95) -> tuple[float, float]:
    """Return the standard error of bootstrap samples of whole groups, and half of the interval by Student's t.

    Raises
    ------
    UndefinedError
        If more than half of the samples are NaN.
    """
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < len(drawn) / 2:
        raise UndefinedError("more than half of the bootstrap samples leave no spread: no interval is known.")
    se = float(finite.std(ddof=1)) * math.sqrt(n_groups / (n_groups - 1))
    return se, float(scipy_stats.t.ppf(0.5 + level / 2, n_groups - 1)) * se

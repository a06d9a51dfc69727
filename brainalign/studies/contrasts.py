"""Categorical claims (data size, language, objective, fine-tuning) as differences between matched models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from brainalign.errors import InputError, UndefinedError
from brainalign.stats import Interval
from brainalign.stats.relations import SignFlip, sign_flip
from brainalign.studies.columns import column, complete, numbers

__all__ = ["Contrast", "contrast"]


@dataclass(frozen=True, eq=False)
class Contrast:
    """Mean difference of a score between two kinds of models, matched in everything that was named.

    Attributes
    ----------
    difference : float
        Mean over pairs of the score at ``levels[1]`` less that at ``levels[0]``; with families the mean over families
        of the means over their pairs.
    interval : Interval
        Student's t over pairs, or over families.
    p : float
        Two-sided; every pair, or every family as a whole, could as well have been the other way round. ``exact``: all
        signs were tried.
    within, between : SignFlip or None
        With families, both levels of the null. Within families every pair turns on its own, so that the pairs count as
        independent; between them whole families turn, which is what ``difference``, ``interval`` and ``p`` are of.
        ``within`` is None where no family has more than one pair, both are without families.
    pairs : DataFrame
        One row a pair: the columns matched by, the score at each level (mean of all models that match), the number of
        models behind it, and the difference.
    levels : tuple
        The two values of the factor.
    n_permutations, n_distinct, smallest_p, exact
        Of ``p``: signs tried, signs that differ, the smallest p they allow (with fewer than six pairs or families it
        cannot fall below .05), whether all were tried.
    n_unmatched : int
        Rows that have no partner, or lack a value, and are left out.
    """

    difference: float
    interval: Interval
    p: float
    pairs: pd.DataFrame = field(repr=False)
    levels: tuple[Any, Any]
    n_permutations: int
    n_distinct: int
    smallest_p: float
    exact: bool
    n_unmatched: int
    within: SignFlip | None = None
    between: SignFlip | None = None

    def sentence(self, *, y: str, factor: str) -> str:
        """Say the contrast in words."""
        i = self.interval
        pairs = f"{len(self.pairs)} matched pairs"
        inside = ""
        if self.between is not None:
            pairs = f"the means of {self.between.n} families with {pairs}"
        if self.within is not None:
            w = self.within
            inside = (
                f" Pairs turned inside families, as if they were independent: {w.difference:.3g} "
                f"[{w.interval.low:.3g}, {w.interval.high:.3g}], p = {w.p:.2g} ({_how(w)})."
            )
        return (
            f"{y} at {factor} = {self.levels[1]} less that at {factor} = {self.levels[0]}, over {pairs}: "
            f"{self.difference:.3g} [{i.low:.3g}, {i.high:.3g}], p = {self.p:.2g} ({_how(self)}); {self.n_unmatched} "
            f"rows have no partner.{inside}"
        )


def _how(found: Contrast | SignFlip) -> str:
    tried = f"all {found.n_distinct:,}" if found.exact else f"{found.n_permutations:,} of {found.n_distinct:.1g}"
    return f"{tried} signs, so p is at least {found.smallest_p:.2g}"


def contrast(
    table: pd.DataFrame,
    *,
    y: str,
    factor: str,
    match: Sequence[str] = (),
    levels: tuple[Any, Any] | None = None,
    group: str | None = None,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> Contrast:
    """Compare a score between two kinds of models, pair by pair.

    Parameters
    ----------
    table : DataFrame
        One row a model.
    y : str
        Column of the score; ``log(name)`` is its logarithm.
    factor : str
        Column of the kind, such as ``pretrained`` or ``training_data``.
    match : sequence of str
        Columns in which the two models of a pair agree, such as ``architecture``. Several models that match at one
        level are averaged, so that every pair counts once.
    levels : tuple of two, optional
        The values of the factor to compare, the second less the first; needed where there are more than two. Default:
        in ascending order.
    group : str, optional
        Column of families: pairs of one family are not independent. The models of a pair agree in it, too.
    n_permutations, seed : int
        Signs at random where there are more than that, and their seed.

    Returns
    -------
    Contrast

    Raises
    ------
    ChoiceError, InputError
        For columns that are absent, no column to match by, or a factor that has not two levels.
    UndefinedError
        If fewer than two pairs match, or all are of one family.

    Notes
    -----
    Signs of whole blocks and signs within them: Winkler et al. 2015, doi:10.1016/j.neuroimage.2015.05.092. Families of
    more pairs count no more than others.

    Examples
    --------
    >>> table = pd.DataFrame({"size": [1, 1, 2, 2, 3, 3], "tuned": [False, True] * 3, "r": [3, 2, 5, 3, 6, 5.0]})
    >>> found = contrast(table, y="r", factor="tuned", match=("size",))
    >>> round(found.difference, 3), found.p, len(found.pairs)
    (-1.333, 0.25, 3)
    """
    if isinstance(match, str) or not match:
        raise InputError(
            f"match={match!r}: name the columns in which two models of a pair agree, such as ('architecture',); models "
            "that differ in everything show no effect of one thing."
        )
    match = [*match, group] if group is not None and group not in match else [*match]
    rows = complete(table, [y, factor, *match]).assign(_score=lambda t: numbers(t, y))
    chosen = _levels(column(rows, factor), factor, levels)
    rows = rows[rows[factor].isin(chosen)]
    grouped = rows.groupby([*match, factor], sort=True, dropna=False)["_score"].agg(["mean", "size"]).unstack(factor)
    paired = grouped.dropna()
    if len(paired) < 2:
        raise UndefinedError(
            f"{len(paired)} pairs of models agree in {', '.join(match)} and differ in {factor}; at least two are "
            f"needed, of {len(table)} rows."
        )
    first, second = (paired["mean"][level] for level in chosen)
    pairs = pd.DataFrame(
        {
            **{f"{factor}={level}": paired["mean"][level] for level in chosen},
            **{f"n {factor}={level}": paired["size"][level].astype(int) for level in chosen},
            "difference": second - first,
        }
    ).reset_index()
    draws = {"n_permutations": n_permutations, "seed": seed}
    found, between = sign_flip(pairs["difference"].to_numpy(), **draws), None
    if group is not None:
        families = pairs.groupby(group, sort=False)["difference"].mean()
        if len(families) < 2:
            raise UndefinedError(
                f"all {len(pairs)} pairs are of one {group} ({families.index[0]!r}): nothing can be said beyond it."
            )
        between = sign_flip(families.to_numpy(), **draws)
    main = found if between is None else between
    return Contrast(
        difference=main.difference,
        interval=main.interval,
        p=main.p,
        pairs=pairs,
        levels=chosen,
        n_permutations=main.n_permutations,
        n_distinct=main.n_distinct,
        smallest_p=main.smallest_p,
        exact=main.exact,
        n_unmatched=len(table) - int(paired["size"].to_numpy().sum()),
        within=found if between is not None and len(pairs) > between.n else None,
        between=between,
    )


def _levels(values: pd.Series, factor: str, given: tuple[Any, Any] | None) -> tuple[Any, Any]:
    there = sorted(values.unique().tolist(), key=lambda v: (str(type(v)), v))
    if given is None:
        if len(there) != 2:
            shown = ", ".join(map(repr, there[:12]))
            raise InputError(f"{factor!r} has {len(there)} levels ({shown}); name two of them (levels).")
        return there[0], there[1]
    absent = [level for level in given if level not in there]
    if len(given) != 2 or given[0] == given[1] or absent:
        raise InputError(f"levels={given!r}: {factor!r} has the levels {there!r}; name two of them.")
    return given[0], given[1]

"""What a relation is worth, in one word, with the rule that decided it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from brainalign.stats.relations.relation import Relation

__all__ = ["ALPHA", "LEAST_GROUPS", "LEAST_MODELS", "Check", "Verdict", "verdict"]

ALPHA = 0.05
LEAST_MODELS = 10
LEAST_GROUPS = 5


@dataclass(frozen=True)
class Check:
    """The same relation made otherwise (without extreme scales, with another estimator): r and its p."""

    r: float
    p: float


@dataclass(frozen=True)
class Verdict:
    """``word`` is undecided, artefact, fragile or holds; ``rule`` says which rule decided, with its numbers."""

    word: str
    rule: str

    def __str__(self) -> str:
        return f"{self.word}: {self.rule}"


def verdict(
    relation: Relation,
    *,
    p_max: float,
    checks: Mapping[str, Check],
    n_models: int | None = None,
    n_families: int | None = None,
    control: str = "the covariates",
) -> Verdict:
    """Judge a relation by fixed rules, the first that applies.

    1. *undecided*: fewer than 10 independent models or 5 families, or the interval of the controlled relation holds
       both 0 and the raw value.
    2. *artefact*: raw p < .05; given the control, less than half of it is left and p > .05.
    3. *fragile*: the sign or the significance is lost in one of the checks, or without one family.
    4. *holds*: none of these, and the p that pays for the search over scales is below .05.

    Where none applies, nothing was shown: *undecided*.

    Parameters
    ----------
    relation : Relation
        At the scale that was named beforehand; with groups and covariates.
    p_max : float
        p of the maximum over all scales.
    checks : mapping of str to Check
        How the relation is without the extreme scales, with other estimators.
    n_models, n_families : int, optional
        Independent models and families, where units are layers, or groups no families. Default: those of
        ``relation``.
    control : str
        Name of what the controlled relation holds fixed.
    """
    models = relation.n if n_models is None else n_models
    families = relation.n_groups if n_families is None else n_families
    if models < LEAST_MODELS or families < LEAST_GROUPS:
        there = f"{models} independent models of {families or 'no named'} families"
        return Verdict("undecided", f"{there}; at least {LEAST_MODELS} of {LEAST_GROUPS} are needed")
    controlled = _controlled(relation, control)
    if controlled is not None:
        return controlled
    lost = _lost(relation, checks)
    if lost is not None:
        return Verdict("fragile", lost)
    if p_max < ALPHA:
        return Verdict("holds", f"p = {p_max:.2g} for the largest correlation over all scales, and every check agrees")
    return Verdict("undecided", f"no relation is shown: p = {p_max:.2g} for the largest correlation over all scales")


def _controlled(relation: Relation, control: str) -> Verdict | None:
    interval = relation.partial_interval
    if relation.partial is None or relation.partial_p is None or interval is None:
        return None
    given = f"given {control}, r = {relation.partial:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
    if interval.low <= 0 <= interval.high and interval.low <= relation.r <= interval.high:
        return Verdict("undecided", f"{given}, which holds both 0 and the raw {relation.r:.2f}")
    left = abs(relation.partial) < abs(relation.r) / 2 and relation.partial_p > ALPHA
    if relation.p < ALPHA and left:
        raw = f"raw r = {relation.r:.2f}, p = {relation.p:.2g}"
        return Verdict("artefact", f"{raw}; {given}, p = {relation.partial_p:.2g}: less than half is left")
    return None


def _lost(relation: Relation, checks: Mapping[str, Check]) -> str | None:
    """Return the first check in which the sign or the significance is lost, in words."""
    p_without = relation.leave_one_group_out_p
    without = {f"without {name}": Check(r, p_without[name]) for name, r in relation.leave_one_group_out.items()}
    for name, check in {**checks, **without}.items():
        if not math.isfinite(check.r):
            continue
        if check.r * relation.r < 0:
            return f"{name}, r = {check.r:.2f} has the other sign than {relation.r:.2f}"
        if relation.p < ALPHA <= check.p:
            return f"{name}, r = {check.r:.2f} is no longer significant (p = {check.p:.2g}, before {relation.p:.2g})"
    return None

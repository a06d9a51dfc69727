"""Properties against scores over a table of models or layers, and what may be said of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainalign.errors import InputError, UndefinedError
from brainalign.stats import holm
from brainalign.stats.relations import (
    Check,
    Level,
    Relation,
    RelationCurve,
    Verdict,
    relation_curve,
    relation_of,
    verdict,
)
from brainalign.studies.columns import complete, covariate_matrix, numbers

__all__ = ["Judged", "Pair", "grid_of", "judge", "relate", "relate_all", "relate_pairs", "sentence"]

Pair = tuple[str, str, Relation | UndefinedError]


def relate(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    group: str | None = None,
    covariates: Sequence[str] = (),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> Relation:
    """Relate a property with a score over the rows of a table: models, or layers.

    Parameters
    ----------
    table : DataFrame
        One row a unit.
    x, y : str
        Columns; ``log(name)`` is the natural logarithm of one.
    group : str, optional
        Column of families: models of one family are not independent, so that whole families are exchanged, and
        models inside them, and whole families are drawn by the bootstrap.
    covariates : sequence of str
        Columns that the controlled relation holds fixed; text is taken as kinds.
    n_permutations, seed : int
        Permutations where there are more orders than that, and the seed of all that is drawn.

    Returns
    -------
    Relation
        ``r``, ``rho``, ``tau``, ``partial``, their intervals and p, ``within`` and ``between`` families,
        ``leave_one_group_out``. Rows in which a column is missing are left out and counted in ``n_dropped``.

    Raises
    ------
    ChoiceError, InputError
        For columns that are absent or hold no numbers.
    UndefinedError
        If fewer than four rows are complete, a column is constant, or the covariates explain one.

    Notes
    -----
    Cost: as `brainalign.stats.relations.relation_of`; a second for a hundred models.

    Examples
    --------
    >>> table = pd.DataFrame({"dimension": [3, 5, 4, 8, 9, 7.0], "r": [0.5, 0.4, 0.45, 0.2, 0.1, 0.3]})
    >>> found = relate(table, x="dimension", y="r")
    >>> round(found.r, 2), round(found.p, 4), found.n
    (-0.99, 0.0028, 6)
    """
    if isinstance(covariates, str):
        raise InputError(f"covariates={covariates!r} must be a sequence of columns, such as ({covariates!r},).")
    rows = complete(table, [x, y, *covariates, *([group] if group else [])])
    _require_rows(rows, table, [x, y, *covariates])
    found = relation_of(
        numbers(rows, x).to_numpy(),
        numbers(rows, y).to_numpy(),
        groups=None if group is None else rows[group].astype(str).tolist(),
        covariates=covariate_matrix(rows, covariates),
        n_permutations=n_permutations,
        seed=seed,
    )
    return dataclasses.replace(found, n_dropped=len(table) - len(rows))


def _require_rows(rows: pd.DataFrame, table: pd.DataFrame, names: Sequence[str]) -> None:
    if len(rows) < 4:
        raise UndefinedError(
            f"{len(rows)} of {len(table)} rows have a value of each of {', '.join(names)}; a relation needs at least 4."
        )


def relate_all(
    table: pd.DataFrame,
    *,
    x: Sequence[str],
    y: Sequence[str],
    group: str | None = None,
    covariates: Sequence[str] = (),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Relate every property with every score, p corrected over the whole grid.

    Parameters
    ----------
    table, group, covariates, n_permutations, seed
        As in `relate`.
    x, y : sequences of str
        Columns.

    Returns
    -------
    DataFrame
        One row for each pair: x, y, n, n_groups, n_dropped, r, low, high, p, p_holm, rho, rho_p, rho_p_holm, tau,
        tau_low, tau_high, tau_p, tau_p_holm, partial, partial_low, partial_high, partial_p, partial_p_holm, within,
        within_p, between, between_p, weakest (the r nearest to zero, or of the other sign, without one group),
        smallest_p, reason. Undefined is NaN with a reason.
    """
    return grid_of(
        relate_pairs(table, x=x, y=y, group=group, covariates=covariates, n_permutations=n_permutations, seed=seed)
    )


def relate_pairs(table: pd.DataFrame, *, x: Sequence[str], y: Sequence[str], **options: Any) -> list[Pair]:
    """Relate every property with every score: x, y, and the relation or why there is none; options as of `relate`."""
    pairs: list[Pair] = []
    for one, other in itertools.product(x, y):
        try:
            pairs.append((one, other, relate(table, x=one, y=other, **options)))
        except UndefinedError as undefined:
            pairs.append((one, other, undefined))
    return pairs


def grid_of(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return relations as the table that `relate_all` describes."""
    rows = [
        {"x": one, "y": other, **_record(found), "reason": None}
        if isinstance(found, Relation)
        else {"x": one, "y": other, "reason": str(found)}
        for one, other, found in pairs
    ]
    columns = ["n", "n_groups", "n_dropped", "r", "low", "high", "p", "p_holm", "rho", "rho_p", "rho_p_holm"]
    columns += ["tau", "tau_low", "tau_high", "tau_p", "tau_p_holm", "partial"]
    columns += ["partial_low", "partial_high", "partial_p", "partial_p_holm", "within", "within_p", "between"]
    made = pd.DataFrame(rows).reindex(columns=["x", "y", *columns, "between_p", "weakest", "smallest_p", "reason"])
    for name in ("p", "rho_p", "tau_p", "partial_p"):
        made[f"{name}_holm"] = holm(made[name].to_numpy(dtype=np.float64))
    return made


def _record(found: Relation) -> dict[str, object]:
    held, level = found.partial_interval, {"within": found.within, "between": found.between}
    without = np.array(list(found.leave_one_group_out.values()))
    sign = 1.0 if found.r >= 0 else -1.0
    return {
        "n": found.n,
        "n_groups": found.n_groups,
        "n_dropped": found.n_dropped,
        "r": found.r,
        "low": found.interval.low,
        "high": found.interval.high,
        "p": found.p,
        "rho": found.rho,
        "rho_p": found.rho_p,
        "tau": found.tau,
        "tau_low": found.tau_interval.low,
        "tau_high": found.tau_interval.high,
        "tau_p": found.tau_p,
        "partial": found.partial,
        "partial_low": held and held.low,
        "partial_high": held and held.high,
        "partial_p": found.partial_p,
        **{name: at and at.r for name, at in level.items()},
        **{f"{name}_p": at and at.p for name, at in level.items()},
        "weakest": sign * float(np.nanmin(sign * without)) if np.isfinite(without).any() else None,
        "smallest_p": found.smallest_p,
    }


def sentence(relation: Relation, *, x: str, y: str, unit: str = "model", covariates: Sequence[str] = ()) -> str:
    """Say a relation in words, with everything that a reader needs to judge it."""
    kind = f"{relation.n} {unit}s"
    if relation.n_groups != relation.n or relation.between is not None:
        kind += f" of {relation.n_groups} groups"
    i = relation.interval
    parts = [
        f"{x} and {y} over {kind}: r = {relation.r:.2f} [{i.low:.2f}, {i.high:.2f}], rho = {relation.rho:.2f}, "
        f"p = {relation.p:.2g} ({_nulls(relation)})"
    ]
    held = relation.partial_interval
    if relation.partial is not None and held is not None:
        given = f"given {', '.join(covariates) or 'the covariates'}, r = {relation.partial:.2f}"
        parts.append(f"{given} [{held.low:.2f}, {held.high:.2f}], p = {relation.partial_p:.2g}")
    if relation.within is not None:
        parts.append(_at("inside groups", relation.within))
    if relation.between is not None:
        parts.append(_at(f"between the means of {relation.between.n} groups", relation.between))
        without = [r for r in relation.leave_one_group_out.values() if np.isfinite(r)]
        if without:
            parts.append(f"without one group, r from {min(without):.2f} to {max(without):.2f}")
    if relation.n_dropped:
        parts.append(f"{relation.n_dropped} {unit}s lack a value and are left out")
    return "; ".join(parts) + "."


def _nulls(relation: Relation | Level) -> str:
    how = "all" if relation.exact else f"{relation.n_permutations:,} of"
    count = f"{relation.n_distinct:,}" if relation.n_distinct < 10**6 else f"{relation.n_distinct:.0e}"
    return f"{how} {count} orders, so p is at least {relation.smallest_p:.1g}"


def _at(where: str, level: Level) -> str:
    return f"{where}, r = {level.r:.2f}, p = {level.p:.2g} ({_nulls(level)})"


@dataclass(frozen=True, eq=False)
class Judged:
    """A relation with the controls that decide its verdict.

    Attributes
    ----------
    relation : Relation
        At the scale that was named beforehand.
    curve : RelationCurve or None
        Over all scales, where there are several.
    checks : dict of str to Check
        The relation made otherwise.
    verdict : Verdict
    sentence : str
    """

    relation: Relation
    curve: RelationCurve | None
    checks: dict[str, Check]
    verdict: Verdict
    sentence: str


def judge(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    group: str | None = None,
    covariates: Sequence[str] = (),
    scales: Mapping[float, str] | None = None,
    extremes: int = 2,
    checks: Sequence[str] = (),
    model: str | None = None,
    unit: str = "model",
    n_permutations: int = 10_000,
    seed: int = 0,
    relation: Relation | None = None,
) -> Judged:
    """Relate a property with a score, with every control that the verdict needs.

    Parameters
    ----------
    table, x, y, group, covariates, n_permutations, seed
        As in `relate`; ``x`` is the property as it was named before looking.
    scales : mapping of number to str, optional
        Columns of the same property at all its scales: their largest correlation is tested as such.
    extremes : int
        The relation is also made without that many of the largest scales.
    checks : sequence of str
        Columns that say the same otherwise, such as other estimators.
    model : str, optional
        Column of models, where rows are layers: only models count as independent.
    unit : str
        What a row is, for the sentence.
    relation : Relation, optional
        What `relate` found for these columns and options, where it is known already.

    Returns
    -------
    Judged
    """
    options = {"group": group, "n_permutations": n_permutations, "seed": seed}
    if relation is None:
        relation = relate(table, x=x, y=y, covariates=covariates, **options)  # type: ignore[arg-type]
    found: dict[str, Check] = {}
    curve = None
    if scales:
        at = sorted(scales)
        curve = _curve(table, [scales[k] for k in at], at, y, options)
        if len(at) - extremes >= 1:
            inner = _curve(table, [scales[k] for k in at[:-extremes]], at[:-extremes], y, options)
            found[f"without the {extremes} largest scales"] = Check(inner.best_r, inner.p)
    for name in checks:
        other = relate(table, x=name, y=y, **options)  # type: ignore[arg-type]
        found[f"with {name}"] = Check(other.r, other.p)
    rows = complete(table, [x, y, *covariates, *([group] if group else [])])
    said = verdict(
        relation,
        p_max=relation.p if curve is None else curve.p,
        checks=found,
        n_models=None if model is None else rows[model].nunique(),
        n_families=relation.n_groups if group else 0,
        control=", ".join(covariates),
    )
    words = sentence(relation, x=x, y=y, unit=unit, covariates=covariates)
    if curve is not None:
        words += (
            f" Over {len(curve.scales)} scales |r| is largest at {curve.best_scale:g}: {curve.best_r:.2f}, "
            f"p = {curve.p:.2g} for the largest of all."
        )
    return Judged(relation, curve, found, said, f"{words} Verdict: {said}.")


def _curve(
    table: pd.DataFrame, columns: Sequence[str], at: Sequence[float], y: str, options: Mapping[str, object]
) -> RelationCurve:
    group = options["group"]
    rows = complete(table, [y, *([str(group)] if group else [])])
    values = np.column_stack([numbers(rows, name).to_numpy() for name in columns])
    lacking = ~np.isfinite(values).any(axis=1)  # a unit without any scale is missing, one scale of it is not
    rows, values = rows[~lacking], values[~lacking]
    return relation_curve(
        values,
        numbers(rows, y).to_numpy(),
        at,
        groups=rows[str(group)].astype(str).tolist() if group else None,
        n_permutations=int(str(options["n_permutations"])),
        seed=int(str(options["seed"])),
    )

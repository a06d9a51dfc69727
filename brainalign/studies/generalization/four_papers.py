"""One table for the measures of four papers: which of them go together, and which are one variable under two names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from brainalign.errors import InputError, UndefinedError
from brainalign.metrics.properties import measure
from brainalign.stats import holm
from brainalign.stats.commonality import Commonality, commonality
from brainalign.stats.relations import relation_of
from brainalign.studies.columns import complete, numbers
from brainalign.studies.relations import relate_all

__all__ = ["PROPERTIES_OF_PAPERS", "PaperAnalysis", "analyse_table", "paper_table"]

#: The properties of one embedding that the papers put forward, by the paper's claim.
PROPERTIES_OF_PAPERS = (
    "dimension.local.mle.k20",  # local dimension
    "scale.loglog-slope",  # scale-invariance, raw
    "scale.excess-slope",  # and beyond what dimension makes of it
    "scale.structure.mean",  # structure across scales
    "dimension.participation-ratio",  # what it is weighed against
    "spectrum.exponent.in-sample",
    "dimension.wasserstein",  # distributional convergence
)

SYNONYM = 0.9
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class PaperAnalysis:
    """How measures go with each other and with outcomes.

    Attributes
    ----------
    correlations : DataFrame
        One row a pair of measures: first, second, n, rho, r, tau, p and p_holm (of rho), by a null that exchanges
        families and units inside them.
    outcomes : DataFrame
        Relations of every measure with every outcome, as `relate_all` gives them.
    partials : DataFrame
        One row for an outcome, a measure and another that is held fixed: outcome, measure, given, r, partial, p.
    commonality : dict of str to Commonality
        By outcome, over one measure of each group of synonyms, those that go best with the outcome first.
    synonyms : list of tuple of str
        Groups in which every two measures have an absolute rank correlation of at least .9, significantly.
    sentences : list of str
        What stands in these tables, in words.
    """

    correlations: pd.DataFrame
    outcomes: pd.DataFrame
    partials: pd.DataFrame
    commonality: dict[str, Commonality]
    synonyms: list[tuple[str, ...]]
    sentences: list[str] = field(default_factory=list)


def paper_table(
    embeddings: Mapping[tuple[str, str], Any],
    *,
    more: pd.DataFrame | None = None,
    properties: Sequence[str] = PROPERTIES_OF_PAPERS,
) -> pd.DataFrame:
    """Measure embeddings and join what else is known of them.

    Parameters
    ----------
    embeddings : mapping of (model, layer) to array (n, units)
        All of the same stimuli: properties compare only at the same n.
    more : DataFrame, optional
        With the columns ``model`` and, where it holds layers, ``layer``; others such as lipschitz, accuracy, alignment.
    properties : sequence of str
        Ids of `brainalign.metrics.properties.PROPERTIES`.

    Returns
    -------
    DataFrame
        One row an embedding: model, layer, n, and a column a property; NaN where it is undefined.

    Raises
    ------
    InputError
        If embeddings have other numbers of stimuli, or ``more`` has no model.
    ChoiceError
        For an unknown property.
    """
    counts = {len(X) for X in embeddings.values()}
    if len(counts) != 1:
        raise InputError(f"embeddings of {sorted(counts)} stimuli do not compare; give all of the same stimuli.")
    rows = []
    for (model, layer), X in embeddings.items():
        found = {one.property: one.value for one in measure(X, properties)}
        rows.append({"model": model, "layer": layer, "n": counts.copy().pop(), **found})
    table = pd.DataFrame(rows)
    for name in properties:
        table[name] = pd.to_numeric(table[name])
    if more is None:
        return table
    if "model" not in more:
        raise InputError(f"more has the columns {list(more.columns)}; it is joined by 'model', which is not there.")
    return table.merge(more, on=["model", "layer"] if "layer" in more else ["model"], how="left")


def analyse_table(
    table: pd.DataFrame,
    *,
    measures: Sequence[str],
    outcomes: Sequence[str],
    group: str | None = None,
    n_permutations: int = 2000,
    seed: int = 0,
) -> PaperAnalysis:
    """Relate measures with each other and with outcomes, and say which are one variable.

    Parameters
    ----------
    table : DataFrame
        One row a model or a layer.
    measures, outcomes : sequences of str
        Columns; ``log(name)`` is a logarithm.
    group : str, optional
        Column of families (of models, where rows are layers).
    n_permutations, seed : int
        As in `brainalign.studies.relate`.

    Returns
    -------
    PaperAnalysis

    Raises
    ------
    ChoiceError, InputError
        For columns that are absent or hold no numbers, fewer than two measures or no outcome.

    Notes
    -----
    Cost: a relation for each pair of measures and each outcome, and one more for each that is held fixed.
    """
    if len(measures) < 2 or not outcomes:
        raise InputError(f"{len(measures)} measures and {len(outcomes)} outcomes; at least two and one are needed.")
    options: dict[str, Any] = {"group": group, "n_permutations": n_permutations, "seed": seed}
    correlations = _correlations(table, measures, options)
    synonyms = _synonyms(correlations, measures)
    found = relate_all(table, x=measures, y=outcomes, **options)
    partials = _partials(table, measures, outcomes, group, n_permutations, seed)
    shares = {}
    for outcome in outcomes:
        kept = _representatives(found[found["y"] == outcome], synonyms, measures)
        rows = complete(table, [*kept, outcome])
        kept = kept[: max(1, min(5, (len(rows) - 2) // 3))]  # more predictors explain anything
        try:
            columns = {name: numbers(rows, name).to_numpy() for name in kept}
            shares[outcome] = commonality(columns, numbers(rows, outcome).to_numpy())
        except UndefinedError:
            continue
    said = _sentences(correlations, found, partials, shares, synonyms)
    return PaperAnalysis(correlations, found, partials, shares, synonyms, said)


def _correlations(table: pd.DataFrame, measures: Sequence[str], options: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for one, other in itertools.combinations(measures, 2):
        at = relate_all(table, x=[one], y=[other], **options).iloc[0]
        rows.append(
            {
                "first": one,
                "second": other,
                **{name: at[name] for name in ("n", "rho", "r", "tau")},
                "p": at["rho_p"],
                "reason": at["reason"],
            }
        )
    made = pd.DataFrame(rows)
    made["p_holm"] = holm(made["p"].to_numpy(dtype=np.float64))
    return made


def _synonyms(correlations: pd.DataFrame, measures: Sequence[str]) -> list[tuple[str, ...]]:
    place = {name: i for i, name in enumerate(measures)}
    apart = np.ones((len(measures), len(measures)))
    np.fill_diagonal(apart, 0)
    for _, row in correlations.iterrows():
        if row["p"] <= LEVEL:
            i, j = place[row["first"]], place[row["second"]]
            apart[i, j] = apart[j, i] = 1 - min(1.0, abs(row["rho"]))
    groups = fcluster(linkage(squareform(apart, checks=False), "complete"), 1 - SYNONYM + 1e-9, "distance")
    together = [tuple(m for m, g in zip(measures, groups, strict=True) if g == at) for at in np.unique(groups)]
    return [group for group in together if len(group) > 1]


def _partials(
    table: pd.DataFrame, measures: Sequence[str], outcomes: Sequence[str], group: str | None, count: int, seed: int
) -> pd.DataFrame:
    rows = []
    for outcome, (one, given) in itertools.product(outcomes, itertools.permutations(measures, 2)):
        part = complete(table, [one, given, outcome, *([group] if group else [])])
        row: dict[str, Any] = {"outcome": outcome, "measure": one, "given": given, "n": len(part)}
        try:
            found = relation_of(
                numbers(part, one).to_numpy(),
                numbers(part, outcome).to_numpy(),
                groups=None if group is None else part[group].astype(str).tolist(),
                covariates=numbers(part, given).to_numpy(),
                n_permutations=min(count, 1000),
                seed=seed,
            )
            row |= {"r": found.r, "partial": found.partial, "p": found.partial_p, "reason": None}
        except UndefinedError as undefined:
            row |= {"r": math.nan, "partial": math.nan, "p": math.nan, "reason": str(undefined)}
        rows.append(row)
    return pd.DataFrame(rows)


def _representatives(
    relations: pd.DataFrame, synonyms: Sequence[tuple[str, ...]], measures: Sequence[str]
) -> list[str]:
    """Return one measure of each group, by how well it goes with the outcome."""
    strength = relations.set_index("x")["r"].abs().fillna(-1.0)
    ordered = sorted((m for m in measures if strength[m] >= 0), key=lambda m: -strength[m])
    kept: list[str] = []
    for name in ordered:
        family = next((group for group in synonyms if name in group), (name,))
        if not any(other in family for other in kept):
            kept.append(name)
    return kept


def _sentences(
    correlations: pd.DataFrame,
    relations: pd.DataFrame,
    partials: pd.DataFrame,
    shares: Mapping[str, Commonality],
    synonyms: Sequence[tuple[str, ...]],
) -> list[str]:
    said = []
    pairs = {(a, b): float(rho) for a, b, rho in correlations[["first", "second", "rho"]].itertuples(index=False)}
    for group in synonyms:
        rho = [abs(pairs[pair]) for pair in itertools.combinations(group, 2)]
        said.append(f"One variable under {len(group)} names (|rho| at least {min(rho):.2f}): {', '.join(group)}.")
    if not synonyms:
        said.append("No two measures are one variable under two names.")
    for outcome, rows in relations.groupby("y", sort=False):
        known = rows.dropna(subset=["rho"])
        if known.empty:
            continue
        best = known.iloc[int(known["rho"].abs().to_numpy().argmax())]
        held = partials[(partials["outcome"] == outcome) & (partials["measure"] == best["x"])].dropna(
            subset=["partial"]
        )
        line = f"{outcome}: {best['x']} goes with it best, rho {best['rho']:+.2f}, p = {best['rho_p']:.2g}"
        if not held.empty:
            weakest = held.iloc[int(held["partial"].abs().to_numpy().argmin())]
            line += f"; given {weakest['given']}, r {weakest['r']:+.2f} becomes {weakest['partial']:+.2f}"
        if outcome in shares:
            part = shares[str(outcome)]
            line += f"; together {len(part.total)} measures explain {part.r2:.2f} of its variance, alone at most "
            name = max(part.unique, key=lambda n: part.unique[n])
            line += f"{part.unique[name]:.2f} ({name})"
        said.append(line + ".")
    return said

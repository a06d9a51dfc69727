"""From result files, or a table, to relations and contrasts: what the commands call."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.datasets.matrices import load_table
from brainalign.errors import InputError, UndefinedError
from brainalign.metrics import METRICS
from brainalign.metrics.accuracies import ACCURACIES
from brainalign.metrics.bound_terms import BOUND_TERMS
from brainalign.metrics.properties import PROPERTIES
from brainalign.metrics.property_curves import CURVES
from brainalign.studies.columns import column, kept_rows, source_of
from brainalign.studies.contrasts import Contrast, contrast
from brainalign.studies.joined import Joint, at_scale, results_and_properties
from brainalign.studies.published import conwell_table, is_conwell_folder
from brainalign.studies.relations import Judged, grid_of, judge, relate_pairs

__all__ = ["Related", "contrast_source", "relate_source"]

USUAL_SCALE = 64.0


@dataclass(frozen=True, eq=False)
class Related:
    """The grid of relations, each judged where it is defined, in words, and what must be known beside it."""

    grid: pd.DataFrame
    judged: list[dict[str, Any]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def relate_source(
    source: Path,
    *,
    x: Sequence[str],
    y: Sequence[str],
    group: str | None = None,
    covariates: Sequence[str] = (),
    scale: float | None = None,
    checks: Sequence[str] = (),
    unit: str = "model",
    layer: str = "last",
    rois: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    benchmark: str | None = None,
    stimuli: str | None = None,
    labelled: str | None = None,
    more: Path | None = None,
    where: Sequence[str] = (),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> Related:
    """Relate every ``x`` with every ``y``, over models or layers; parameters as of the command.

    Parameters
    ----------
    source : Path
        Root of result files, a table with a row a unit, or the published tables that `conwell_table` reads.
    where : sequence of str
        Rows to keep: ``column=value`` or ``column!=value``, all of which must hold.
    x, y, checks : sequences of str
        Ids of properties (accuracies among them) and metrics, or columns; a property over scales is taken at ``scale``,
        and tested over all of them.
    group : str, optional
        Column of families; layer by layer, models where none is named, since layers of one model are not independent.
    more : Path, optional
        A table with the column ``model`` and others that ``x``, ``group`` and ``covariates`` may name.

    Raises
    ------
    ChoiceError, InputError, ResultError, UndefinedError
        As in `relate`, `judge` and `results_and_properties`.
    """
    named = [*x, *y, *checks, *covariates]
    joint = _joint(
        source, named, more, unit=unit, layer=layer, rois=rois, subjects=subjects, benchmark=benchmark,
        stimuli=stimuli, labelled=labelled,
    )  # fmt: skip
    joint = Joint(kept_rows(joint.table, where), joint.curves, [*joint.notes, *(f"only rows with {w}" for w in where)])
    model = "model" if unit == "layer" and "model" in joint.table else None
    notes = []
    if model and group is None:
        group = model
        notes.append("layers of one model are not independent: models are taken as groups")
    options: dict[str, Any] = {"group": group, "covariates": covariates, "n_permutations": n_permutations, "seed": seed}
    at = {name: _at(joint, name, scale) for name in (*x, *checks)}
    pairs = relate_pairs(joint.table, x=[at[name] for name in x], y=y, **options)
    found = Related(grid_of(pairs), notes=[*joint.notes, *notes])
    for (one, other), (_, _, relation) in zip(itertools.product(x, y), pairs, strict=True):
        if isinstance(relation, UndefinedError):
            found.sentences.append(f"{one} and {other}: {relation}")
            continue
        judged = judge(
            joint.table,
            x=at[one],
            y=other,
            scales=joint.curves.get(source_of(one)),
            checks=[at[name] for name in checks],
            model=model,
            unit=unit,
            relation=relation,
            **options,
        )
        found.judged.append(_document(at[one], other, judged))
        found.sentences.append(judged.sentence)
    return found


def _document(x: str, y: str, judged: Judged) -> dict[str, Any]:
    return {
        "x": x,
        "y": y,
        "verdict": judged.verdict.word,
        "rule": judged.verdict.rule,
        "sentence": judged.sentence,
        "relation": judged.relation,
        "curve": judged.curve,
        "checks": judged.checks,
    }


def contrast_source(
    source: Path,
    *,
    y: str,
    factor: str,
    match: Sequence[str],
    levels: Sequence[str] | None = None,
    rois: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    benchmark: str | None = None,
    more: Path | None = None,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> tuple[Contrast, list[str]]:
    """Compare a score between two kinds of matched models; parameters as of the command."""
    joint = _joint(source, [y, *match], more, rois=rois, subjects=subjects, benchmark=benchmark)
    chosen = None
    if levels is not None:
        there = {str(value): value for value in column(joint.table, factor).dropna().unique()}
        if len(levels) != 2:
            raise InputError(f"a contrast has two levels; given {len(levels)} of {sorted(there)}.")
        chosen = there.get(levels[0], levels[0]), there.get(levels[1], levels[1])
    found = contrast(
        joint.table, y=y, factor=factor, match=match, levels=chosen, n_permutations=n_permutations, seed=seed
    )
    return found, joint.notes


def _joint(source: Path, named: Sequence[str], more: Path | None, **options: Any) -> Joint:
    names = dict.fromkeys(map(source_of, named))
    if source.is_file():
        joint = Joint(load_table(source))
    elif is_conwell_folder(source):
        joint = Joint(conwell_table(source), notes=["scores and properties as published (Conwell et al. 2024)"])
    else:
        metrics = [name for name in names if name in METRICS]
        bare = [name.partition("@")[0] for name in names]
        properties = [name for name in bare if name in {*PROPERTIES, *CURVES, *ACCURACIES, *BOUND_TERMS}]
        if not (metrics or properties):
            raise InputError(f"none of {', '.join(names)} is a metric or a property: there is nothing to join.")
        joint = results_and_properties(source, metrics=metrics, properties=list(dict.fromkeys(properties)), **options)
    if more is None:
        return joint
    table = load_table(more)
    if "model" not in table:
        raise InputError(f"{more} has the columns {list(table.columns)}; it is joined by 'model', which is not there.")
    shared = [name for name in table if name in joint.table and name != "model"]
    return Joint(joint.table.drop(columns=shared).merge(table, on="model", how="left"), joint.curves, joint.notes)


def _at(joint: Joint, name: str, scale: float | None) -> str:
    """Return the column of a property: of one over scales that at the scale asked for, or the one nearest 64."""
    scales = joint.curves.get(source_of(name))
    if scales is None:
        return name
    if scale is not None and scale not in scales:
        raise InputError(f"{source_of(name)} has no scale {scale:g}; there are {', '.join(f'{k:g}' for k in scales)}.")
    k = scale if scale is not None else min(scales, key=lambda s: abs(s - USUAL_SCALE))
    return name.replace(source_of(name), at_scale(source_of(name), k))

"""Result files and property files joined: one row a model, or one row a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from brainalign.errors import ChoiceError, InputError, ResultError, near_names
from brainalign.metrics.accuracies import ACCURACIES
from brainalign.metrics.bound_terms import BOUND_TERMS
from brainalign.results import PropertyResult, Result, iter_properties, iter_results
from brainalign.results.schema import SELECTED, MetricInput

__all__ = ["Joint", "at_scale", "property_rows", "results_and_properties", "score_rows"]

_Result = TypeVar("_Result", Result, PropertyResult)

LAST = "last"
# measured on labelled images, which need not be the stimuli of the other properties
LABELLED = frozenset({*ACCURACIES, *BOUND_TERMS})
OF_NETWORK = frozenset(
    [record.id for record in ACCURACIES.values() if record.of_network]
    + [record.id for record in BOUND_TERMS.values() if record.of_network]
)


@dataclass(frozen=True, eq=False)
class Joint:
    """Scores and properties of models or layers.

    Attributes
    ----------
    table : DataFrame
        One row a unit: model, revision, layer, the attributes of the model, a column for each metric and each
        property; a property over scales has a column ``id@k`` for each of its scales.
    curves : dict of str to dict of float to str
        Property over scales -> scale -> column.
    notes : list of str
        On which stimuli properties were measured and against which benchmark scores were made; what is simulated.
    """

    table: pd.DataFrame
    curves: dict[str, dict[float, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def at_scale(property_id: str, scale: float) -> str:
    """Return the column of a property at a scale.

    >>> at_scale("dimension.curve.mle", 64.0)
    'dimension.curve.mle@64'
    """
    return f"{property_id}@{scale:g}"


def results_and_properties(
    root: str | Path,
    *,
    metrics: Sequence[str],
    properties: Sequence[str] = (),
    unit: str = "model",
    layer: str = LAST,
    rois: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    benchmark: str | None = None,
    stimuli: str | None = None,
    labelled: str | None = None,
) -> Joint:
    """Join scores with properties, model by model or layer by layer.

    Parameters
    ----------
    root : path
        Root of the results, with the properties below ``properties/``.
    metrics : sequence of str
        Metric ids: scores, averaged over the ROIs and subjects asked for. A model that lacks one of these cells has
        no value. Without any, the rows are the models or layers of which there are properties.
    properties : sequence of str
        Property ids, scalar or over scales, measured on embeddings; ids of accuracies among them. An accuracy that
        belongs to the whole network stands in the row of each of its layers.
    unit : {"model", "layer"}
        A row a model, scored by its ``selected`` row, or a row a layer.
    layer : str
        For models, the layer whose property counts: ``last`` (the last that was measured), or a name or pattern that
        one layer of each model matches. Layer by layer, every layer is its own.
    rois, subjects, benchmark, stimuli, labelled : optional
        Which of them, where the results hold several; of benchmarks and stimulus sets only one can be taken.
        ``labelled`` is the stimulus set of the accuracies, ``stimuli`` that of the other properties.

    Raises
    ------
    ResultError
        If there are no results, or none of what was asked for.
    ChoiceError, InputError
        For an unknown unit; several benchmarks or stimulus sets where one must be named; dimensions measured on
        different numbers of stimuli, which do not compare.
    """
    if unit not in ("model", "layer"):
        raise ChoiceError(f"unit={unit!r} is unknown.{near_names(unit, ['model', 'layer'])}")
    if not (metrics or properties):
        raise InputError("neither a metric nor a property was asked for: there is nothing to join.")
    notes: list[str] = []
    table: pd.DataFrame | None = None
    simulated = False
    if metrics:
        scores = score_rows(root, metrics, benchmark)
        table = _scores_by_unit(scores, metrics, unit, rois, subjects)
        notes.append(f"scores against {scores['benchmark'].iloc[0]}")
        simulated = bool(scores["simulated"].any())
    curves: dict[str, dict[float, str]] = {}
    for what, on in (
        ([p for p in properties if p not in LABELLED], stimuli),
        ([p for p in properties if p in LABELLED], labelled),
    ):
        if not what:
            continue
        measured = property_rows(root, what, on)
        kind = _kind(what)
        notes.append(f"{kind} of {', '.join(sorted(set(measured['stimulus_set'])))}")
        of_network = measured["property"].isin(OF_NETWORK)
        of_layers = measured[~of_network]
        chosen = of_layers if unit == "layer" or of_layers.empty else _one_layer(of_layers, layer)
        for rows, by_layer in ((chosen, unit == "layer"), (measured[of_network], False)):
            if not rows.empty:
                table = _with_properties(table, rows, what, by_layer=by_layer)
        curves |= {
            p: {k: at_scale(p, k) for k in scales}
            for p in what
            if (scales := sorted(map(float, chosen.loc[chosen["property"] == p, "scale"].dropna().unique())))
        }
    assert table is not None  # something was asked for
    if simulated:
        notes.append("SIMULATED data: these are not scores against a brain")
    return Joint(table, curves, notes)


def _kind(properties: Sequence[str]) -> str:
    if properties[0] not in LABELLED:
        return "properties of embeddings"
    there = (("accuracy", ACCURACIES), ("generalization", BOUND_TERMS))
    return " and ".join(name for name, table in there if any(p in table for p in properties))


def _with_properties(
    table: pd.DataFrame | None, rows: pd.DataFrame, properties: Sequence[str], *, by_layer: bool
) -> pd.DataFrame:
    """Add columns of properties to the table of units, or begin it with the units that have them."""
    wide = _wide(rows, [p for p in properties if p in set(rows["property"])])
    keys = ["model", "revision", "layer"] if by_layer else ["model", "revision"]
    wide = wide if by_layer else wide.drop(columns="layer")
    if table is None:
        return _with_attributes(wide, rows)
    if by_layer and "layer" not in table:
        raise InputError("accuracies of whole networks have no layers: give a metric or a property of layers too.")
    return table.merge(wide, on=keys, how="left")


def _with_attributes(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add the attributes of the models as columns."""
    known = rows.drop_duplicates(["model", "revision"]).set_index(["model", "revision"])["attributes"]
    attributes = pd.DataFrame([known[m, r] for m, r in zip(table["model"], table["revision"], strict=True)])
    plain = [c for c in attributes if c not in table and attributes[c].map(_is_plain).all()]
    return pd.concat([table, attributes[plain]], axis=1)


def score_rows(root: str | Path, metrics: Sequence[str], benchmark: str | None) -> pd.DataFrame:
    """Return the rows of all results of some metrics: model, revision, metric, subject, roi, layer, value, attributes.

    Of two results of one cell the one from committed code counts, and of a metric only its latest version.

    Raises
    ------
    ResultError
        If there is none of some metric.
    InputError
        If they are of several benchmarks, or of one that was made of other data, which do not mix.
    """
    chosen: list[Result] = []
    benchmarks, known = set(), set()
    for _, result in iter_results(root):  # clean before dirty
        name = f"{result.benchmark.id}.v{result.benchmark.version}"
        known.add(result.metric.id)
        if result.metric.id in metrics and benchmark in (None, result.benchmark.id, name):
            benchmarks.add(name)
            chosen.append(result)
    missing = [m for m in metrics if m not in {result.metric.id for result in chosen}]
    if missing:
        raise ResultError(
            f"no result of {', '.join(missing)} below {str(root)!r}; there are {sorted(known) or 'none'}."
        )
    if len(benchmarks) > 1:
        raise InputError(f"the results are of {', '.join(sorted(benchmarks))}, which do not mix; name one (benchmark).")
    _require_same_data(chosen)
    name = benchmarks.pop()
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for result in _latest(chosen, lambda r: r.metric):
        head = (result.embedding.model, result.embedding.revision, name, result.metric.id)
        for row in result.rows:
            found.setdefault(
                (*head, *row.key),
                {
                    **dict(zip(("model", "revision", "benchmark", "metric"), head, strict=True)),
                    **{k: getattr(row, k) for k in ("subject", "roi", "layer", "value")},
                    "attributes": result.embedding.attributes,
                    "simulated": result.simulated,
                },
            )
    return pd.DataFrame(list(found.values()))


def _latest(results: Sequence[_Result], of: Callable[[_Result], MetricInput]) -> list[_Result]:
    """Keep the latest version of each metric or property: a changed number is a new version, and the two do not mix."""
    newest: dict[str, int] = {}
    for result in results:
        newest[of(result).id] = max(newest.get(of(result).id, 0), of(result).version)
    return [result for result in results if of(result).version == newest[of(result).id]]


def _require_same_data(results: Sequence[Result]) -> None:
    """Refuse scores of one benchmark against different data: models would differ by the brain they met."""
    known: dict[tuple[str, ...], tuple[str, str]] = {}
    for result in results:
        model = f"{result.embedding.model}@{result.embedding.revision}"
        inputs: dict[tuple[str, ...], str] = {("the benchmark",): result.benchmark.sha256}
        inputs |= {("the data of", d.subject, d.variant): d.entry_sha256 for d in result.benchmark.data}
        for what, sha in inputs.items():
            before, other = known.setdefault(what, (sha, model))
            if before != sha:
                raise InputError(
                    f"{' '.join(what)} differ between the results of {other} ({before[:12]}) and of {model} "
                    f"({sha[:12]}), which do not compare; score one of them again, or take it out of the results."
                )


def _scores_by_unit(
    scores: pd.DataFrame,
    metrics: Sequence[str],
    unit: str,
    rois: Sequence[str] | None,
    subjects: Sequence[str] | None,
) -> pd.DataFrame:
    for name, wanted in (("roi", rois), ("subject", subjects)):
        for one in wanted or ():
            if one not in set(scores[name]):
                raise ChoiceError(f"no result has the {name} {one!r}.{near_names(one, sorted(set(scores[name])))}")
        if wanted is not None:
            scores = scores[scores[name].isin(list(wanted))]
    rows = scores[(scores["layer"] == SELECTED) == (unit == "model")]
    keys = ["model", "revision"] if unit == "model" else ["model", "revision", "layer"]
    across = ["metric", "subject", "roi"]
    cells = rows.set_index([*keys, *across])["value"].astype(float).unstack(across)
    # a unit that lacks one of the cells has no mean
    means = {metric: cells[metric].to_numpy(dtype=float).mean(axis=1) for metric in metrics}
    order = pd.MultiIndex.from_frame(rows[keys].drop_duplicates())
    table = pd.DataFrame(means, index=cells.index).reindex(order).reset_index()
    return _with_attributes(table, scores)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def property_rows(root: str | Path, properties: Sequence[str], stimuli: str | None) -> pd.DataFrame:
    """Return the rows of property files of embeddings: model, revision, layer, property, scale, value, n_stimuli.

    Of a property only its latest version.
    """
    chosen: list[PropertyResult] = []
    known: set[str] = set()
    for _, result in iter_properties(root):  # clean before dirty
        known.add(result.property.id)
        wanted = result.source.kind == "embeddings" and result.property.id in properties
        if wanted and stimuli in (None, result.source.stimulus_set, result.source.folders[-1]):
            chosen.append(result)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for result in _latest(chosen, lambda r: r.property):
        head = {
            "model": result.source.name,
            "revision": result.source.part[0],
            "stimulus_set": result.source.folders[-1],
        }
        for row in result.rows:
            key: dict[str, Any] = {**head, "layer": row.part, "property": result.property.id, "scale": row.scale}
            found.setdefault(
                tuple(key.values()),
                {**key, "value": row.value, "n_stimuli": row.n_stimuli, "attributes": result.source.attributes},
            )
    there = {row["property"] for row in found.values()}
    missing = [name for name in properties if name not in there]
    if missing:
        command = "generalization measure" if missing[0] in BOUND_TERMS else "geometry"
        command = "accuracy" if missing[0] in ACCURACIES else command
        raise ResultError(
            f"no property {', '.join(missing)} of embeddings below {str(root)!r}; there are {sorted(known) or 'none'}. "
            f"Measure it with `brainalign {command} MODEL --stimuli SET --results DIR`."
        )
    rows = pd.DataFrame(list(found.values()))
    are_labelled = set(properties) <= LABELLED
    _require_one(rows["stimulus_set"], "stimulus sets", "labelled" if are_labelled else "stimuli")
    for _, one in rows.groupby("property") if are_labelled else [("all", rows)]:
        _require_one(one["n_stimuli"], "numbers of stimuli", "n_stimuli, when measuring")
    return rows


def _require_one(values: Iterable[Any], what: str, option: str) -> None:
    there = sorted(set(values))
    if len(there) > 1:
        shown = ", ".join(map(str, there[:6]))
        raise InputError(
            f"the properties were measured on several {what} ({shown}), which do not compare; name one ({option})."
        )


def _one_layer(rows: pd.DataFrame, layer: str) -> pd.DataFrame:
    """Return the rows of one layer of each model."""
    parts: list[pd.DataFrame] = []
    for (model, revision), of in rows.groupby(["model", "revision"], sort=False):
        names = list(dict.fromkeys(of["layer"]))
        chosen = names[-1:] if layer == LAST else [n for n in names if n == layer or fnmatch(n, layer)]
        if len(chosen) != 1:
            raise InputError(
                f"{len(chosen)} layers of {model}@{revision} match {layer!r}; one layer stands for a model, of {names}."
            )
        parts.append(of[of["layer"] == chosen[0]])
    chosen_rows: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return chosen_rows


def _wide(rows: pd.DataFrame, properties: Sequence[str]) -> pd.DataFrame:
    named = rows.assign(
        column=[p if pd.isna(k) else at_scale(p, k) for p, k in zip(rows["property"], rows["scale"], strict=True)]
    )
    keys = ["model", "revision", "layer"]
    wide = (
        named.drop_duplicates([*keys, "column"]).set_index([*keys, "column"])["value"].astype(float).unstack("column")
    )
    order = [c for p in properties for c in dict.fromkeys(named.loc[named["property"] == p, "column"])]
    return pd.DataFrame(wide[order].reset_index())

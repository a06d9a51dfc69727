"""Cells of symmetric measures: every layer of a panel against every ROI, from shared prepared forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.composed.loso import pooled_rdms
from brainalign.errors import BrainalignError, UndefinedError
from brainalign.evaluate.cells import SELECTED, Cell, calibrate_or_reason, interval_or_none, undefined_cell
from brainalign.evaluate.panels import Panel, Subject, absent_ceiling
from brainalign.metrics import Metric
from brainalign.stats import Ceiling, Interval, PairForm, Repeats, pattern_ceiling
from brainalign.stats.resampling import half_samples, subsample_interval

__all__ = ["similarity_cells"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

_Bound = tuple[Ceiling, float | None, FloatArray | None]

GRAM_BUDGET = 512 * 2**20  # bytes of prepared layers held at once
MOST_CEILINGS = 4096

# a ceiling depends on the responses and the benchmark alone: models scored one after the other share it
_CEILINGS: dict[tuple[str, str, str, str, int], _Bound] = {}


@dataclass
class _Target:
    subject: Subject
    roi: str
    prepared: Any
    ceiling: Ceiling
    bound: float | None
    bound_left_out: FloatArray | None
    folds: list[_Fold] = field(default_factory=list)

    def describe(self, panel: Panel, metric: Metric, layer: str, n: int) -> dict[str, Any]:
        return {
            "subject": self.subject.name,
            "roi": self.roi,
            "layer": layer,
            "ceiling": self.ceiling,
            "bound": self.bound,
            "bound_left_out": self.bound_left_out,
            "chance": metric.chance(n),
            "n_stimuli": n,
            "n_neuroids": len(self.subject.rois[self.roi]),
        }


@dataclass
class _Fold:
    """One part of the stimuli: scores of all layers on the rest (to choose) and on the part (to report)."""

    rows: IndexArray
    prepared_rest: Any
    prepared_part: Any
    rest: list[float] = field(default_factory=list)
    part: list[float] = field(default_factory=list)
    left_out: list[FloatArray] = field(default_factory=list)
    null: list[FloatArray | None] = field(default_factory=list)


def similarity_cells(panel: Panel, metric: Metric, tick: Callable[[int], None] = lambda _: None) -> list[Cell]:
    """Score all layers of a panel with one symmetric measure.

    Returns one cell for each subject, ROI and layer, and one ``selected`` cell for each subject and ROI: the layer is
    chosen on one part of the stimuli and scored on the other, and the parts are averaged.
    Cost: one preparation for each layer and ROI; scores, intervals and nulls are products of what was prepared.
    """
    form = metric.form
    assert form is not None, f"{metric.id} has no shared form"
    permutations = _permutations(panel)
    targets, cells = _targets(panel, metric, form)
    names = list(panel.layers)
    size = max(1, GRAM_BUDGET // (8 * panel.n**2))
    for start in range(0, len(names), size):
        batch = names[start : start + size]
        prepared = [form.prepare(panel.layers[name]) for name in batch]
        spreads = None if form.smooth else _half_sampled(panel, form, prepared, targets)
        for t, target in enumerate(targets):
            intervals = None if spreads is None else spreads[t]
            cells += _layer_cells(panel, metric, form, batch, prepared, target, permutations, intervals)
            tick(len(batch))
        _score_folds(panel, form, prepared, targets)
    return cells + [_selected_cell(panel, metric, form, names, target) for target in targets]


def _permutations(panel: Panel) -> IndexArray | None:
    try:
        return panel.permutations(panel.benchmark.n_permutations)
    except UndefinedError:
        return None


def _targets(panel: Panel, metric: Metric, form: PairForm) -> tuple[list[_Target], list[Cell]]:
    targets, cells = [], []
    between: dict[str, _Bound] = {}
    for subject in panel.subjects:
        for roi in subject.rois:
            if subject.kind == "rdms" and roi not in between and "rdms" in metric.applies_to:
                between[roi] = _between_subjects(panel, metric, form, roi)
            known = between.get(roi) or _ceiling(panel, metric, form, subject, roi)
            ceiling, bound, left_out = known
            target = _Target(subject, roi, None, ceiling, bound, left_out)
            try:
                target.prepared = _prepare(form, subject, roi)
                target.folds = [_fold(form, target.prepared, rest, part) for rest, part in panel.selection_folds]
                targets.append(target)
            except BrainalignError as error:
                for layer in [*panel.layers, SELECTED]:
                    described = target.describe(panel, metric, layer, panel.n)
                    cells.append(undefined_cell(described, len(panel.blocks), error))
    return targets, cells


def _prepare(form: PairForm, subject: Subject, roi: str) -> Any:
    return form.prepare_rdm(subject.rdms[roi]) if subject.kind == "rdms" else form.prepare(subject.matrix(roi))


def _fold(form: PairForm, prepared: Any, rest: IndexArray, part: IndexArray) -> _Fold:
    return _Fold(part, form.restrict(prepared, rest), form.restrict(prepared, part))


def _ceiling(panel: Panel, metric: Metric, form: PairForm, subject: Subject, roi: str) -> _Bound:
    if metric.quantity is None:
        return absent_ceiling(subject, f"no ceiling is known for {metric.id}"), None, None
    repeats = subject.roi_repeats(roi)
    if repeats is None:
        return absent_ceiling(subject, "single presentations are not known"), None, None
    key = (subject.entry_sha256, roi, metric.key, panel.benchmark.sha256(), hash(tuple(panel.stimuli)))
    if key not in _CEILINGS:
        _CEILINGS[key] = _from_repeats(panel, metric, form, repeats)
        if len(_CEILINGS) > MOST_CEILINGS:
            _CEILINGS.pop(next(iter(_CEILINGS)))
    return _CEILINGS[key]


def _from_repeats(panel: Panel, metric: Metric, form: PairForm, repeats: Repeats) -> _Bound:
    assert metric.quantity is not None  # the caller has asked
    try:
        ceiling, left_out = pattern_ceiling(
            form, repeats, quantity=metric.quantity, blocks=panel.blocks, seed=panel.benchmark.seed
        )
    except UndefinedError as error:
        return Ceiling.absent(str(error)), None, None
    return ceiling, float(np.asarray(ceiling.value)), left_out


def _between_subjects(panel: Panel, metric: Metric, form: PairForm, roi: str) -> _Bound:
    """Leave-one-subject-out bound, the same for all subjects of a panel because their mean is what is bounded."""
    rdms = np.stack([subject.rdms[roi] for subject in panel.subjects])
    if len(rdms) < 2:
        return Ceiling.absent("one subject's RDM: a ceiling across subjects needs at least two"), None, None
    compare = str(metric.params["compare"])
    others, everyone = pooled_rdms(rdms, compare=compare)
    subjects = [form.prepare_rdm(rdm) for rdm in rdms]
    pooled, grand = [form.prepare_rdm(other) for other in others], form.prepare_rdm(everyone)
    lower = float(np.mean([form.score(a, b) for a, b in zip(subjects, pooled, strict=True)]))
    upper = float(np.mean([form.score(a, grand) for a in subjects]))
    left_out = [form.leave_blocks_out(a, b, panel.blocks) for a, b in zip(subjects, pooled, strict=True)]
    source = f"leave-one-subject-out over {len(rdms)} subjects, {compare}"
    ceiling = Ceiling("correlation", lower, None, source, quantity=metric.quantity, upper=upper)
    return ceiling, lower, np.mean(left_out, axis=0)


def _half_sampled(panel: Panel, form: PairForm, prepared: list[Any], targets: list[_Target]) -> list[list[Interval]]:
    """Intervals of a measure that is not smooth, for all targets and layers; every half is restricted once."""
    samples = half_samples(panel.n, panel.benchmark.half_samples, groups=panel.groups, seed=panel.benchmark.seed)
    values = np.empty((len(targets), len(prepared), len(samples)))
    for s, rows in enumerate(samples):
        layers = [form.restrict(a, rows) for a in prepared]
        for t, target in enumerate(targets):
            b = form.restrict(target.prepared, rows)
            values[t, :, s] = [form.score(a, b) for a in layers]
    sizes = [len(rows) for rows in samples]
    level = panel.benchmark.level
    return [
        [
            subsample_interval(form.score(a, target.prepared), values[t, i], sizes, panel.n, level=level)
            for i, a in enumerate(prepared)
        ]
        for t, target in enumerate(targets)
    ]


def _layer_cells(
    panel: Panel,
    metric: Metric,
    form: PairForm,
    names: list[str],
    prepared: list[Any],
    target: _Target,
    permutations: IndexArray | None,
    intervals: list[Interval] | None,
) -> list[Cell]:
    nulls = None if permutations is None else form.permuted(prepared, target.prepared, permutations)
    sizes = [len(block) for block in panel.blocks]
    cells = []
    for i, (name, a) in enumerate(zip(names, prepared, strict=True)):
        value = form.score(a, target.prepared)
        left_out = form.leave_blocks_out(a, target.prepared, panel.blocks)
        moments = form.null_moments(a, target.prepared) if panel.groups is None else None
        null, reasons = calibrate_or_reason(value, None if nulls is None else nulls[i], moments)
        if nulls is None:
            reasons = ("z and p: no two sources have the same number of stimuli, so none can be exchanged",)
        interval = interval_or_none(value, left_out, sizes, panel.n, panel.benchmark.level)
        cells.append(
            Cell(
                **target.describe(panel, metric, name, panel.n),
                value=value,
                left_out=left_out,
                interval=interval if intervals is None else intervals[i],
                null=null,
                reasons=reasons,
            )
        )
    return cells


def _score_folds(panel: Panel, form: PairForm, prepared: list[Any], targets: list[_Target]) -> None:
    for f, (rest, part) in enumerate(panel.selection_folds):
        on_rest = [form.restrict(a, rest) for a in prepared]
        on_part = [form.restrict(a, part) for a in prepared]
        blocks = _blocks_within(panel, part)
        permutations = _fold_permutations(panel, part)
        for target in targets:
            fold = target.folds[f]
            fold.rest += [form.score(a, fold.prepared_rest) for a in on_rest]
            fold.part += [form.score(a, fold.prepared_part) for a in on_part]
            fold.left_out += [_left_out(form, a, fold.prepared_part, blocks) for a in on_part]
            null = None if permutations is None else form.permuted(on_part, fold.prepared_part, permutations)
            fold.null += [None] * len(on_part) if null is None else list(null)


def _blocks_within(panel: Panel, rows: IndexArray) -> list[IndexArray]:
    position = np.full(panel.n, -1)
    position[rows] = np.arange(len(rows))
    return [position[block][position[block] >= 0] for block in panel.blocks]


def _left_out(form: PairForm, a: Any, b: Any, blocks: list[IndexArray]) -> FloatArray:
    values = np.full(len(blocks), form.score(a, b))
    touched = [i for i, block in enumerate(blocks) if len(block)]
    values[touched] = form.leave_blocks_out(a, b, [blocks[i] for i in touched])
    return values


def _fold_permutations(panel: Panel, rows: IndexArray) -> IndexArray | None:
    try:
        return panel.permutations(panel.benchmark.n_permutations, rows)
    except UndefinedError:
        return None


def _selected_cell(panel: Panel, metric: Metric, form: PairForm, names: list[str], target: _Target) -> Cell:
    chosen = [int(np.argmax(fold.rest)) for fold in target.folds]
    value = float(np.mean([fold.part[c] for fold, c in zip(target.folds, chosen, strict=True)]))
    left_out = np.mean([fold.left_out[c] for fold, c in zip(target.folds, chosen, strict=True)], axis=0)
    nulls = [fold.null[c] for fold, c in zip(target.folds, chosen, strict=True)]
    known = [null for null in nulls if null is not None]
    null, reasons = calibrate_or_reason(value, np.mean(known, axis=0) if len(known) == len(nulls) else None, None)
    if form.smooth:
        sizes = [len(block) for block in panel.blocks]
        interval = interval_or_none(value, left_out, sizes, panel.n, panel.benchmark.level)
    else:
        interval = _selected_half_sampled(panel, form, [names[c] for c in chosen], target, value)
    n_part = round(float(np.mean([len(fold.rows) for fold in target.folds])))
    return Cell(
        **target.describe(panel, metric, SELECTED, n_part),
        value=value,
        left_out=left_out,
        interval=interval,
        null=null,
        choice=tuple(names[c] for c in chosen),
        reasons=reasons,
    )


def _selected_half_sampled(panel: Panel, form: PairForm, chosen: list[str], target: _Target, value: float) -> Interval:
    """Interval of the mean over parts: the parts are disjoint, so their variances add."""
    variance = 0.0
    spread = None
    for fold, name in zip(target.folds, chosen, strict=True):
        a = form.restrict(form.prepare(panel.layers[name]), fold.rows)
        groups = None if panel.groups is None else panel.groups[fold.rows]
        samples = half_samples(len(fold.rows), panel.benchmark.half_samples, groups=groups, seed=panel.benchmark.seed)
        b = fold.prepared_part
        drawn = [form.score(form.restrict(a, rows), form.restrict(b, rows)) for rows in samples]
        sizes = [len(rows) for rows in samples]
        spread = subsample_interval(form.score(a, b), drawn, sizes, len(fold.rows), level=panel.benchmark.level)
        variance += (spread.se / len(chosen)) ** 2
    assert spread is not None
    se = float(np.sqrt(variance))
    half = se * (spread.high - spread.low) / (2 * spread.se) if spread.se > 0 else 0.0
    return Interval(value, value - half, value + half, se, panel.benchmark.level, "half-sampling")

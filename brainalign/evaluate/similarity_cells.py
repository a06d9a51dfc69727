"""Cells of symmetric measures: every layer of a panel against every ROI, from shared prepared forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.errors import BrainalignError, UndefinedError
from brainalign.evaluate.cells import (
    SELECTED,
    Cell,
    calibrate_or_reason,
    interval_or_none,
    leaves_undefined,
    undefined_cell,
)
from brainalign.evaluate.half_sampling import HalfSampling, Halves, Spread, left_out_of_all, mean_spread
from brainalign.evaluate.panels import Panel
from brainalign.evaluate.pattern_bounds import Bound, bound_between_subjects, bound_from_repeats
from brainalign.evaluate.prepared_targets import prepared_target
from brainalign.evaluate.subjects import Subject
from brainalign.metrics import Metric
from brainalign.stats import Ceiling, PairForm
from brainalign.stats.crossed import CrossedPermutations
from brainalign.stats.form_grids import score_all
from brainalign.stats.forms import CrossedForm, permuted_pairs

__all__ = ["similarity_cells"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

GRAM_BUDGET = 512 * 2**20  # bytes of prepared layers held at once


@dataclass
class _Target:
    subject: Subject
    roi: str
    prepared: Any
    ceiling: Ceiling
    bound: float | None
    bound_left_out: FloatArray | None
    halves: Halves | None = None
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
    What these data leave undefined is a cell without a value and with the reason.
    Cost: one preparation for each layer and ROI; scores, intervals and nulls are products of what was prepared.
    """
    form = metric.form_for(panel.groups)
    assert form is not None, f"{metric.id} has no shared form"
    try:
        return _similarity_cells(panel, metric, form, tick)
    except BrainalignError as error:
        if not leaves_undefined(error):
            raise
        targets = [
            _Target(s, roi, None, Ceiling.absent(str(error)), None, None) for s in panel.subjects for roi in s.rois
        ]
        return [
            cell for layer in [*panel.layers, SELECTED] for cell in _undefined(panel, metric, targets, layer, error)
        ]


def _similarity_cells(panel: Panel, metric: Metric, form: PairForm, tick: Callable[[int], None]) -> list[Cell]:
    permutations = _permutations(panel, metric, form)
    targets, cells = _targets(panel, metric, form)
    if not targets:
        return cells
    names, known = list(panel.layers), []
    size = max(1, GRAM_BUDGET // (8 * panel.n**2))
    sampling = None if form.smooth else HalfSampling(form, metric.chance, panel.n, panel.groups, panel.benchmark)
    for start in range(0, len(names), size):
        prepared, batch = [], []
        for name in names[start : start + size]:
            try:
                prepared.append(form.prepare(panel.layers[name]))
                batch.append(name)
            except UndefinedError as error:
                cells += _undefined(panel, metric, targets, name, error)
        if not batch:
            continue
        known += batch
        spreads = None if sampling is None else sampling.spreads(prepared, [(t.prepared, t.halves) for t in targets])
        left_out = _left_out(form, prepared, [target.prepared for target in targets], panel.blocks, panel.n)
        nulls = _nulls(form, prepared, [target.prepared for target in targets], permutations)
        for t, target in enumerate(targets):
            some = None if spreads is None else spreads[t]
            cells += _layer_cells(panel, metric, form, batch, prepared, target, nulls[t], left_out[t], some)
            tick(len(batch))
        _score_folds(panel, metric, form, prepared, targets)
    if not known:
        return cells + _undefined(panel, metric, targets, SELECTED, UndefinedError("no layer has a score"))
    return cells + _selected_cells(panel, metric, form, known, targets)


def _undefined(panel: Panel, metric: Metric, targets: list[_Target], layer: str, error: BrainalignError) -> list[Cell]:
    described = (target.describe(panel, metric, layer, panel.n) for target in targets)
    return [undefined_cell(about, len(panel.blocks), error) for about in described]


def _permutations(
    panel: Panel, metric: Metric, form: PairForm, rows: IndexArray | None = None
) -> CrossedPermutations | IndexArray | None:
    """Permutations of all stimuli or of some; as many as encoding has where a measure fits models for each."""
    count = _count(panel, metric)
    draw = panel.crossed_permutations if isinstance(form, CrossedForm) else panel.permutations
    if not count:
        return None
    try:
        return draw(count, rows)
    except UndefinedError:
        return None


def _count(panel: Panel, metric: Metric) -> int:
    return panel.benchmark.encoding_permutations if metric.fits else panel.benchmark.n_permutations


def _nulls(
    form: PairForm, layers: list[Any], targets: list[Any], permutations: CrossedPermutations | IndexArray | None
) -> Sequence[FloatArray | None]:
    """Scores of permuted stimuli, for each target an array (n_layers, R)."""
    if permutations is None:
        return [None] * len(targets)
    return permuted_pairs(form, layers, targets, permutations)


def _targets(panel: Panel, metric: Metric, form: PairForm) -> tuple[list[_Target], list[Cell]]:
    targets, cells = [], []
    between: dict[str, Bound] = {}
    for subject in panel.subjects:
        for roi in subject.rois:
            if subject.kind == "rdms" and roi not in between and "rdms" in metric.applies_to:
                between[roi] = bound_between_subjects(panel, metric, form, roi)
            bound = between.get(roi) or bound_from_repeats(panel, metric, form, subject, roi)
            target = _Target(subject, roi, None, *bound)
            try:
                known = prepared_target(panel, metric, subject, roi)
                target.prepared, target.halves = known.whole, known.halves
                target.folds = [
                    _Fold(part, *pair) for (_, part), pair in zip(panel.selection_folds, known.folds, strict=True)
                ]
                targets.append(target)
            except BrainalignError as error:
                for layer in [*panel.layers, SELECTED]:
                    cells += _undefined(panel, metric, [target], layer, error)
    return targets, cells


def _layer_cells(
    panel: Panel,
    metric: Metric,
    form: PairForm,
    names: list[str],
    prepared: list[Any],
    target: _Target,
    nulls: FloatArray | None,
    left_out: FloatArray,
    spreads: list[Spread] | None,
) -> list[Cell]:
    sizes = [len(block) for block in panel.blocks]
    cells = []
    for i, (name, a) in enumerate(zip(names, prepared, strict=True)):
        value = form.score(a, target.prepared)
        moments = form.null_moments(a, target.prepared) if panel.groups is None else None
        null, reasons = calibrate_or_reason(
            value,
            None if nulls is None else nulls[i],
            moments,
            _count(panel, metric),
            lower=not metric.higher_is_better,
        )
        interval = interval_or_none(value, left_out[i], sizes, panel.n, panel.benchmark.level)
        cell = Cell(
            **target.describe(panel, metric, name, panel.n),
            value=value,
            left_out=left_out[i],
            interval=interval,
            null=null,
            reasons=reasons,
        )
        cells.append(cell if spreads is None else cell.with_spread(spreads[i]))
    return cells


def _score_folds(panel: Panel, metric: Metric, form: PairForm, prepared: list[Any], targets: list[_Target]) -> None:
    for f, (rest, part) in enumerate(panel.selection_folds):
        on_rest, on_part = ([form.restrict(a, rows) for a in prepared] for rows in (rest, part))
        blocks = _blocks_within(panel, part)
        permutations = _permutations(panel, metric, form, part)
        parts = [target.folds[f].prepared_part for target in targets]
        left_out = _left_out(form, on_part, parts, blocks, len(part))
        nulls = _nulls(form, on_part, parts, permutations)
        for t, target in enumerate(targets):
            fold = target.folds[f]
            fold.rest += [form.score(a, fold.prepared_rest) for a in on_rest]
            fold.part += [form.score(a, fold.prepared_part) for a in on_part]
            fold.left_out += list(left_out[t])
            null = nulls[t]
            fold.null += [None] * len(on_part) if null is None else list(null)


def _blocks_within(panel: Panel, rows: IndexArray) -> list[IndexArray]:
    position = np.full(panel.n, -1)
    position[rows] = np.arange(len(rows))
    return [position[block][position[block] >= 0] for block in panel.blocks]


def _left_out(form: PairForm, layers: list[Any], targets: list[Any], blocks: list[IndexArray], n: int) -> FloatArray:
    """Scores with each block left out, (n_targets, n_layers, n_blocks); a block may be empty."""
    touched = [i for i, block in enumerate(blocks) if len(block)]
    some = [blocks[i] for i in touched]
    out = np.empty((len(targets), len(layers), len(blocks)))
    out[:] = score_all(form, layers, targets).T[:, :, None]
    if form.smooth:
        out[:, :, touched] = [[form.leave_blocks_out(a, b, some) for a in layers] for b in targets]
    else:
        out[:, :, touched] = left_out_of_all(form, layers, targets, some, n)
    return out


def _selected_cells(
    panel: Panel, metric: Metric, form: PairForm, names: list[str], targets: list[_Target]
) -> list[Cell]:
    best = np.argmax if metric.higher_is_better else np.argmin
    choices = [[int(best(fold.rest)) for fold in target.folds] for target in targets]
    cells = [
        _selected_cell(panel, metric, names, target, chosen) for target, chosen in zip(targets, choices, strict=True)
    ]
    if form.smooth:
        return cells
    by_fold = []
    for f, (_, part) in enumerate(panel.selection_folds):
        chosen = [choice[f] for choice in choices]
        by_fold.append(_spreads_on_part(panel, metric, form, part, names, targets, chosen, f))
    return [
        cell.with_spread(mean_spread(spreads)) for cell, spreads in zip(cells, zip(*by_fold, strict=True), strict=True)
    ]


def _selected_cell(panel: Panel, metric: Metric, names: list[str], target: _Target, chosen: list[int]) -> Cell:
    by_fold = list(zip(target.folds, chosen, strict=True))
    value = float(np.mean([fold.part[c] for fold, c in by_fold]))
    left_out = np.mean([fold.left_out[c] for fold, c in by_fold], axis=0)
    known = [drawn for fold, c in by_fold if (drawn := fold.null[c]) is not None]
    drawn_mean = np.mean(known, axis=0) if len(known) == len(by_fold) else None
    count = _count(panel, metric)
    null, reasons = calibrate_or_reason(value, drawn_mean, None, count, lower=not metric.higher_is_better)
    sizes = [len(block) for block in panel.blocks]
    n_part = round(float(np.mean([len(fold.rows) for fold in target.folds])))
    return Cell(
        **target.describe(panel, metric, SELECTED, n_part),
        value=value,
        left_out=left_out,
        interval=interval_or_none(value, left_out, sizes, panel.n, panel.benchmark.level),
        null=null,
        choice=tuple(names[c] for c in chosen),
        reasons=reasons,
    )


def _spreads_on_part(
    panel: Panel,
    metric: Metric,
    form: PairForm,
    part: IndexArray,
    names: list[str],
    targets: list[_Target],
    chosen: list[int],
    fold: int,
) -> list[Spread]:
    """Spread of each target's chosen layer on one part of the stimuli; each layer is prepared once."""
    groups = None if panel.groups is None else panel.groups[part]
    sampling = HalfSampling(form, metric.chance, len(part), groups, panel.benchmark)
    found: dict[int, Spread] = {}
    for c in sorted(set(chosen)):
        a = form.restrict(form.prepare(panel.layers[names[c]]), part)
        members = [t for t, choice in enumerate(chosen) if choice == c]
        pairs = [
            (targets[t].folds[fold].prepared_part, h and h.restricted(form, part))
            for t in members
            for h in (targets[t].halves,)
        ]
        found.update(zip(members, (one for (one,) in sampling.spreads([a], pairs)), strict=True))
    return [found[t] for t in range(len(targets))]

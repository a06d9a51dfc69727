"""Cells of encoding metrics: one decomposition for each layer and fold serves all subjects, ROIs and neuroids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.encoding import EncodingFit, EncodingPlan
from brainalign.errors import BrainalignError, ResponseKindError, UndefinedError
from brainalign.evaluate.cells import (
    SELECTED,
    Cell,
    calibrate_or_reason,
    interval_or_none,
    leaves_undefined,
    undefined_cell,
)
from brainalign.evaluate.encoding_targets import EncodingTarget, stack_targets
from brainalign.evaluate.panels import Panel
from brainalign.evaluate.subjects import Subject
from brainalign.metrics import Metric
from brainalign.stats import Ceiling

__all__ = ["EncodingCells", "encoding_cells"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass
class EncodingCells:
    """Cells by metric id, and the table of neuroids that all encoding metrics share."""

    cells: dict[str, list[Cell]]
    neuroids: pd.DataFrame


@dataclass
class _LayerScores:
    """Scores of one layer on one ROI, fold by fold: what the selected row is put together from.

    ``left_out`` holds (block, fold), single blocks first and then the pairs that are left out together; ``null`` holds
    (permutation, fold) under each quantity; ``inner`` and ``null["inner_r2"]`` are what a layer is chosen by, of the
    responses as they are and of the permuted ones.
    """

    inner: FloatArray
    value: dict[str, FloatArray]
    left_out: dict[str, FloatArray]
    null: dict[str, FloatArray]


def encoding_cells(
    panel: Panel, metrics: Sequence[Metric], tick: Callable[[int], None] = lambda _: None
) -> EncodingCells:
    """Score all layers of a panel with held-out ridge regression.

    A cell is the mean over neuroids of the mean over folds; neuroids without explainable variance, and constant ones,
    are left out and counted. The ``selected`` cell takes in each fold the layer with the best cross-validated score
    on the training stimuli. Cost: one decomposition for each layer and fold, then products with all targets.
    """
    try:
        if any(subject.kind != "responses" for subject in panel.subjects):
            raise ResponseKindError("encoding needs the responses themselves; this dataset holds RDMs only")
        return _encoding_cells(panel, metrics, tick)
    except BrainalignError as error:
        if not leaves_undefined(error):
            raise
        return _undefined_cells(panel, metrics, error)


def _encoding_cells(panel: Panel, metrics: Sequence[Metric], tick: Callable[[int], None]) -> EncodingCells:
    Y, targets = stack_targets(panel)
    cells: dict[str, list[Cell]] = {metric.id: [] for metric in metrics}
    neuroids = []
    permutations = _permutations(panel)
    known: list[str] = []
    by_target: list[list[_LayerScores]] = [[] for _ in targets]
    for layer, X in panel.layers.items():
        try:
            plan = EncodingPlan(X, folds=panel.folds, seed=panel.benchmark.seed)
            fit = plan.fit(Y)
        except UndefinedError as error:  # a layer that does not vary
            for metric in metrics:
                cells[metric.id] += [_undefined_cell(panel, metric, target, layer, error) for target in targets]
            continue
        known.append(layer)
        scores = _layer_scores(panel, plan, fit, Y, targets, metrics, permutations)
        for target, of_layers, layer_scores in zip(targets, by_target, scores, strict=True):
            of_layers.append(layer_scores)
            for metric in metrics:
                cells[metric.id].append(_layer_cell(panel, metric, target, layer, layer_scores))
        neuroids.append(_neuroid_table(layer, fit, targets))
        tick(len(targets))
    if not known:
        raise UndefinedError("no layer varies over the training stimuli of every fold")
    for target, of_layers in zip(targets, by_target, strict=True):
        for metric in metrics:
            cells[metric.id].append(_selected_cell(panel, metric, target, known, of_layers))
    return EncodingCells(cells, pd.concat(neuroids, ignore_index=True))


def _undefined_cell(panel: Panel, metric: Metric, target: EncodingTarget, layer: str, error: UndefinedError) -> Cell:
    about = _describe(panel, metric, target.subject, target.roi, layer, target.ceiling)
    return undefined_cell(about, len(panel.blocks), error)


def _undefined_cells(panel: Panel, metrics: Sequence[Metric], error: BrainalignError) -> EncodingCells:
    cells: dict[str, list[Cell]] = {metric.id: [] for metric in metrics}
    for metric in metrics:
        for subject in panel.subjects:
            for roi in subject.rois:
                for layer in [*panel.layers, SELECTED]:
                    about = _describe(panel, metric, subject, roi, layer, Ceiling.absent(str(error)))
                    cells[metric.id].append(undefined_cell(about, len(panel.blocks), error))
    columns = ["subject", "roi", "layer", "neuroid", "r", "r2", "alpha", "ceiling"]
    return EncodingCells(cells, pd.DataFrame(columns=columns))


def _describe(panel: Panel, metric: Metric, subject: Subject, roi: str, layer: str, ceiling: Ceiling) -> dict[str, Any]:
    return {
        "subject": subject.name,
        "roi": roi,
        "layer": layer,
        "ceiling": ceiling,
        "bound": None,
        "bound_left_out": None,
        "chance": metric.chance(panel.n),
        "n_stimuli": panel.n,
        "n_neuroids": len(subject.rois[roi]),
    }


def _permutations(panel: Panel) -> IndexArray | None:
    if not panel.benchmark.encoding_permutations:
        return None
    try:
        return panel.permutations(panel.benchmark.encoding_permutations)
    except UndefinedError:
        return None


def _mean_over(values: FloatArray, columns: IndexArray) -> FloatArray:
    """Mean over neuroids on the last axis; NaN where there is none."""
    if not len(columns):
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(values[..., columns].mean(axis=-1))


def _layer_scores(
    panel: Panel,
    plan: EncodingPlan,
    fit: EncodingFit,
    Y: FloatArray,
    targets: list[EncodingTarget],
    metrics: Sequence[Metric],
    permutations: IndexArray | None,
) -> list[_LayerScores]:
    inner = np.nan_to_num(fit.inner_r2)  # a neuroid constant in one fold's training rows is predicted by its mean
    scores = [_LayerScores(_mean_over(inner, target.included), {}, {}, {}) for target in targets]
    quantities = [str(metric.quantity) for metric in metrics]
    together = [np.concatenate([panel.blocks[a], panel.blocks[b]]) for a, b in panel.block_pairs]
    without = fit.leave_blocks_out([*panel.blocks, *together], quantity=quantities)
    for quantity, left_out in zip(quantities, np.nan_to_num(without), strict=True):
        # responses that do not vary in one fold score 0 there, as in the null
        full = np.nan_to_num(getattr(fit, quantity))
        for target, layer in zip(targets, scores, strict=True):
            layer.value[quantity] = _mean_over(full, target.included)
            layer.left_out[quantity] = _mean_over(left_out, target.included)
    if permutations is not None:
        segments = [target.included for target in targets]
        quantities = [*quantities, "inner_r2"]
        nulls = plan.permuted(Y, permutations, quantity=quantities, segments=segments)
        for t, layer in enumerate(scores):
            layer.null = {quantity: null[:, :, t] for quantity, null in zip(quantities, nulls, strict=True)}
    return scores


def _layer_cell(panel: Panel, metric: Metric, target: EncodingTarget, layer: str, scores: _LayerScores) -> Cell:
    quantity = str(metric.quantity)
    null = scores.null.get(quantity)
    return _cell(
        panel,
        metric,
        target,
        layer,
        float(scores.value[quantity].mean()),
        scores.left_out[quantity].mean(axis=1),
        None if null is None else null.mean(axis=1),
        None,
    )


def _selected_cell(
    panel: Panel, metric: Metric, target: EncodingTarget, names: list[str], layers: list[_LayerScores]
) -> Cell:
    quantity = str(metric.quantity)
    chosen = np.argmax([layer.inner for layer in layers], axis=0)
    by_fold = list(enumerate(chosen))
    value = float(np.mean([layers[c].value[quantity][f] for f, c in by_fold]))
    left_out = np.mean([layers[c].left_out[quantity][:, f] for f, c in by_fold], axis=0)
    choice = tuple(names[c] for c in chosen)
    null = _selected_null(layers, quantity)
    return _cell(panel, metric, target, SELECTED, value, np.asarray(left_out), null, choice)


def _selected_null(layers: list[_LayerScores], quantity: str) -> FloatArray | None:
    """Scores of permuted responses, each with the layer of each fold chosen anew as for the responses themselves."""
    if not all(layer.null for layer in layers):
        return None
    inner = np.stack([layer.null["inner_r2"] for layer in layers])
    scores = np.stack([layer.null[quantity] for layer in layers])
    chosen = np.argmax(inner, axis=0)
    return np.asarray(np.take_along_axis(scores, chosen[None], axis=0)[0].mean(axis=1))


def _cell(
    panel: Panel,
    metric: Metric,
    target: EncodingTarget,
    layer: str,
    value: float,
    left_out: FloatArray,
    null: FloatArray | None,
    choice: tuple[str, ...] | None,
) -> Cell:
    about = _describe(panel, metric, target.subject, target.roi, layer, target.ceiling)
    about["n_excluded"] = len(target.columns) - len(target.included)
    if target.explainable is not None and target.explainable_left_out is not None:
        kept = np.isin(target.columns, target.included)
        root = np.sqrt if metric.quantity == "r" else np.asarray
        about["bound"] = float(root(target.explainable[kept]).mean()) if kept.any() else None
        about["bound_left_out"] = root(target.explainable_left_out[:, kept]).mean(axis=1) if kept.any() else None
    if not len(target.included):
        error = UndefinedError("no neuroid has explainable variance")
        about["n_excluded"] = len(target.columns)
        return undefined_cell(about, len(panel.blocks), error)
    sizes = [len(block) for block in panel.blocks]
    calibrated, reasons = calibrate_or_reason(value, null, None, panel.benchmark.encoding_permutations)
    alone, together = left_out[: len(sizes)], left_out[len(sizes) :]
    pairs = panel.block_pairs
    interval = interval_or_none(value, alone, sizes, panel.n, panel.benchmark.level, pairs, together)
    return Cell(
        **about,
        value=value,
        left_out=alone,
        interval=interval,
        null=calibrated,
        choice=choice,
        reasons=reasons,
        pairs=pairs,
        together=together,
    )


def _neuroid_table(layer: str, fit: EncodingFit, targets: list[EncodingTarget]) -> pd.DataFrame:
    parts = []
    for target in targets:
        columns = target.columns
        share = np.full(len(columns), np.nan) if target.explainable is None else target.explainable
        parts.append(
            pd.DataFrame(
                {
                    "subject": target.subject.name,
                    "roi": target.roi,
                    "layer": layer,
                    "neuroid": target.subject.rois[target.roi],
                    "r": fit.r[:, columns].mean(axis=0),
                    "r2": fit.r2[:, columns].mean(axis=0),
                    "alpha": np.exp(np.log(fit.alpha[:, columns]).mean(axis=0)),
                    "ceiling": share,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)

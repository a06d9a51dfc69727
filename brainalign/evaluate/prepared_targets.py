"""Targets of symmetric measures, prepared once for all models that are scored one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brainalign.evaluate.half_sampling import Halves
from brainalign.evaluate.panels import Panel
from brainalign.evaluate.subjects import Subject
from brainalign.kept import Kept
from brainalign.metrics import Metric
from brainalign.stats import PairForm

__all__ = ["KEPT_BYTES", "PreparedTarget", "prepared_target"]

KEPT_BYTES = 512 * 2**20


@dataclass(frozen=True)
class PreparedTarget:
    """A ROI of a subject as a measure needs it: whole, on each selection fold, and from half of the repeats.

    ``folds`` holds, for each part of the stimuli, the rest (to choose a layer on) and the part (to score it on).
    """

    whole: Any
    folds: list[tuple[Any, Any]]
    halves: Halves | None


_KEPT: Kept[PreparedTarget] = Kept(KEPT_BYTES)


def prepared_target(panel: Panel, metric: Metric, subject: Subject, roi: str) -> PreparedTarget:
    """Prepare a ROI, or take it from those that were prepared last.

    It depends on the responses, the stimuli, the benchmark and the metric alone. The most recent ones are kept, up to
    512 MB.
    """
    key = (subject.entry_sha256, roi, metric.key, panel.benchmark.sha256(), str(hash(tuple(panel.stimuli))))
    return _KEPT.get(key, lambda: _prepare(panel, metric, subject, roi))


def _prepare(panel: Panel, metric: Metric, subject: Subject, roi: str) -> PreparedTarget:
    form = metric.form_for(panel.groups)
    assert form is not None, f"{metric.id} has no shared form"
    whole = form.prepare_rdm(subject.rdms[roi]) if subject.kind == "rdms" else form.prepare(subject.matrix(roi))
    # of two parts each is the rest of the other
    different = {rows.tobytes(): rows for pair in panel.selection_folds for rows in pair}
    made = {key: form.restrict(whole, rows) for key, rows in different.items()}
    folds = [(made[rest.tobytes()], made[part.tobytes()]) for rest, part in panel.selection_folds]
    return PreparedTarget(whole, folds, _halves(panel, metric, form, subject, roi))


def _halves(panel: Panel, metric: Metric, form: PairForm, subject: Subject, roi: str) -> Halves | None:
    """Means over half of the repeats, for measures without a ceiling that sink to a known chance."""
    extrapolates = not form.smooth and np.isfinite(metric.chance(panel.n))
    repeats = subject.roi_repeats(roi) if extrapolates else None
    return None if repeats is None else Halves.of(form, repeats, panel.benchmark.seed)

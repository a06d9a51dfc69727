"""Ceilings of symmetric measures: from the repeats of one subject, or between the RDMs of several."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brainalign.composed.loso import pooled_rdms
from brainalign.errors import UndefinedError
from brainalign.evaluate.panels import Panel
from brainalign.evaluate.subjects import Subject, absent_ceiling
from brainalign.metrics import Metric
from brainalign.stats import Ceiling, PairForm, pattern_ceiling

__all__ = ["Bound", "bound_between_subjects", "bound_from_repeats"]

FloatArray = npt.NDArray[np.float64]

Bound = tuple[Ceiling, float | None, FloatArray | None]
"""A ceiling, its value, and its value with each block of stimuli left out."""

MOST_CEILINGS = 4096

# a ceiling depends on the responses and the benchmark alone: models scored one after the other share it
_CEILINGS: dict[tuple[str, str, str, str, int], Bound] = {}


def bound_from_repeats(panel: Panel, metric: Metric, form: PairForm, subject: Subject, roi: str) -> Bound:
    """Ceiling of a ROI from its repeats, or the reason why there is none."""
    if metric.quantity is None:
        return absent_ceiling(subject, f"no ceiling is known for {metric.id}"), None, None
    if subject.repeats is None:
        return absent_ceiling(subject, "single presentations are not known"), None, None
    key = (subject.entry_sha256, roi, metric.key, panel.benchmark.sha256(), hash(tuple(panel.stimuli)))
    if key not in _CEILINGS:
        _CEILINGS[key] = _from_repeats(panel, metric, form, subject, roi)
        if len(_CEILINGS) > MOST_CEILINGS:
            _CEILINGS.pop(next(iter(_CEILINGS)))
    return _CEILINGS[key]


def _from_repeats(panel: Panel, metric: Metric, form: PairForm, subject: Subject, roi: str) -> Bound:
    repeats = subject.roi_repeats(roi)
    assert metric.quantity is not None and repeats is not None  # the caller has asked
    try:
        ceiling, left_out = pattern_ceiling(
            form, repeats, quantity=metric.quantity, blocks=panel.blocks, seed=panel.benchmark.seed
        )
    except UndefinedError as error:
        return Ceiling.absent(str(error)), None, None
    return ceiling, float(np.asarray(ceiling.value)), left_out


def bound_between_subjects(panel: Panel, metric: Metric, form: PairForm, roi: str) -> Bound:
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

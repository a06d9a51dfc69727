"""Targets of encoding: the neuroids of all subjects and ROIs, and what share of their variance can be explained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brainalign.evaluate.panels import Panel
from brainalign.evaluate.subjects import Subject, absent_ceiling
from brainalign.stats import Ceiling
from brainalign.stats.ceilings import noise_variances

__all__ = ["EncodingTarget", "stack_targets"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class EncodingTarget:
    """One ROI of one subject: its columns in the matrix of all targets, and its ceilings."""

    subject: Subject
    roi: str
    columns: IndexArray
    ceiling: Ceiling
    explainable: FloatArray | None
    explainable_left_out: FloatArray | None
    included: IndexArray


def stack_targets(panel: Panel) -> tuple[FloatArray, list[EncodingTarget]]:
    """Put the neuroids of all ROIs of all subjects side by side, each once; all embeddings of a panel share them."""
    return panel.once("encoding targets", lambda: _stacked(panel))


def _stacked(panel: Panel) -> tuple[FloatArray, list[EncodingTarget]]:
    columns: list[FloatArray] = []
    targets: list[EncodingTarget] = []
    offset = 0
    for subject in panel.subjects:
        used = np.unique(np.concatenate(list(subject.rois.values())))
        assert subject.responses is not None
        Y = subject.responses[:, used]
        columns.append(Y)
        ceiling, explainable, left_out = _explainable(panel, subject, used)
        moving = Y.max(axis=0) > Y.min(axis=0)
        for roi, members in subject.rois.items():
            local = np.searchsorted(used, members)
            reliable = moving[local] if explainable is None else moving[local] & (explainable[local] > 0)
            targets.append(
                EncodingTarget(
                    subject,
                    roi,
                    local + offset,
                    ceiling,
                    None if explainable is None else explainable[local],
                    None if left_out is None else left_out[:, local],
                    (local + offset)[reliable],
                )
            )
        offset += len(used)
    return np.concatenate(columns, axis=1), targets


def _explainable(
    panel: Panel, subject: Subject, used: IndexArray
) -> tuple[Ceiling, FloatArray | None, FloatArray | None]:
    """Share of explainable variance of each neuroid in the averaged responses, also with each block left out."""
    if subject.repeats is None and subject.shipped is not None:
        known = subject.shipped
        published = np.asarray(known.value, dtype=np.float64)[used]
        fixed = np.broadcast_to(published, (len(panel.blocks), len(used)))  # how sure it is was not published
        return Ceiling(known.kind, published, known.n_repeats, known.source), published, fixed
    if subject.repeats is None:
        return absent_ceiling(subject, "single presentations are not known"), None, None
    repeats = type(subject.repeats)(subject.repeats.values[:, used], subject.repeats.stimuli, subject.repeats.counts)
    shares = []
    for blocks in (None, panel.blocks):
        noise, signal, inverse = noise_variances(repeats, blocks)
        total = signal + noise * np.asarray(inverse)[..., None]
        shares.append(np.divide(signal, total, out=np.zeros_like(signal), where=total > 0))
    return Ceiling("variance", shares[0], subject.n_repeats, "ncsnr"), shares[0], shares[1]

"""Responses of a subject as they are scored: averaged, and their single presentations, to the stimuli of a join."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.benchmarks import Benchmark
from brainalign.errors import UndefinedError
from brainalign.evaluate.inputs import chosen_rois, entry_facts, roi_columns
from brainalign.evaluate.shipped_ceilings import shipped_ceiling
from brainalign.stats import Ceiling, Repeats, as_repeats

__all__ = ["Subject", "absent_ceiling", "read_subject"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Subject:
    """Responses of one subject to the stimuli of its panel.

    ``rois`` maps a ROI to the columns of ``responses``, or to nothing where there are only RDMs; ``rdms`` maps it to a
    condensed RDM. ``repeats`` holds the single presentations behind the averaged ``responses``, where known;
    ``shipped`` the ceiling that came with averaged ones.
    """

    name: str
    variant: str
    entry_sha256: str
    kind: str
    rois: dict[str, IndexArray]
    responses: FloatArray | None = None
    repeats: Repeats | None = None
    rdms: dict[str, FloatArray] = field(default_factory=dict)
    no_ceiling: str = ""
    shipped: Ceiling | None = None
    n_repeats: float | None = None
    simulated: bool = False

    def matrix(self, roi: str) -> FloatArray:
        """Averaged responses of a ROI (stimulus, neuroid)."""
        if self.responses is None:
            raise UndefinedError(f"subject {self.name} has RDMs only.")
        return self.responses[:, self.rois[roi]]

    def roi_repeats(self, roi: str) -> Repeats | None:
        """Single presentations of a ROI, or None."""
        if self.repeats is None:
            return None
        return Repeats(self.repeats.values[:, self.rois[roi]], self.repeats.stimuli, self.repeats.counts)


def read_subject(name: str, raw: Any, joined: Any, stimuli: npt.NDArray[Any], benchmark: Benchmark) -> Subject:
    """Read the responses of a subject in joined order, averaged and one by one; all that is read of them is read here.

    ``raw`` is as the store gave it, ``joined`` the responses side of a join of it, averaged.
    """
    attrs = raw.attrs
    base = entry_facts(name, attrs)
    if attrs["kind"] == "rdms":
        names = [str(roi) for roi in joined["roi"].values]
        matrix = np.asarray(joined["dissimilarity"].values, dtype=np.float64)
        chosen = chosen_rois(benchmark, names)
        rdms = {roi: matrix[names.index(roi)] for roi in chosen}
        return Subject(**base, rois=dict.fromkeys(chosen, np.empty(0, dtype=np.intp)), rdms=rdms)
    response = np.asarray(joined["response"].values)
    rois = roi_columns(raw, response.shape[1], benchmark)
    repeats, reason, count = _repeats(raw, stimuli)
    shipped = None if repeats is not None else shipped_ceiling(raw, stimuli)
    if shipped is not None and shipped.kind is None:
        reason, shipped = f"{reason}; {shipped.reason}", None
    return Subject(
        **base, rois=rois, responses=response, repeats=repeats, no_ceiling=reason, shipped=shipped, n_repeats=count
    )


def _repeats(responses: Any, stimuli: npt.NDArray[Any]) -> tuple[Repeats | None, str, float | None]:
    reason = str(responses.attrs.get("averaged", "") or "")
    reported = responses.attrs.get("n_repeats_reported")
    if reason:
        return None, reason, float(reported) if reported else None
    everything = as_repeats(responses)
    position = {stimulus: i for i, stimulus in enumerate(everything.stimuli)}
    wanted = np.array([position[stimulus] for stimulus in stimuli])
    rows = np.concatenate(
        [np.arange(everything.starts[i], everything.starts[i] + everything.counts[i]) for i in wanted]
    )
    values = everything.values
    if len(rows) < len(values) or not np.array_equal(rows, np.arange(len(rows))):
        values = values[rows]
    repeats = Repeats(values, stimuli, everything.counts[wanted])
    count = float(1 / np.mean(1 / repeats.counts))
    if repeats.counts.max() < 2:
        return None, "every stimulus was shown once, so noise cannot be told from signal", count
    return repeats, "", count


def absent_ceiling(subject: Subject, why: str) -> Ceiling:
    """Return the null ceiling of a subject, with the first reason that applies."""
    return Ceiling.absent(subject.no_ceiling or why)

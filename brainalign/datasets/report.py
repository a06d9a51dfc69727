"""What an import did, in a form to print and to test."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ImportReport", "IngestReport"]

MANY_ROIS = 12  # more are counted, not listed


@dataclass(frozen=True)
class ImportReport:
    """One subject's responses or RDMs, as they went into the store.

    Attributes
    ----------
    dataset, variant, subject, kind : str
        Where they lie; ``kind`` is ``responses`` or ``rdms``.
    n_stimuli, n_presentations, n_neuroids : int
        Sizes; ``n_presentations`` counts repeats, ``n_neuroids`` is 0 for RDMs.
    repeats : tuple of int
        Fewest and most presentations of a stimulus.
    rois : tuple of str
    averaged : str
        Why there is no noise ceiling, or empty.
    written : bool
        False if the same was there already.
    notes : tuple of str
        What a reader left out or took otherwise than may be expected.
    """

    dataset: str
    variant: str
    subject: str
    kind: str
    n_stimuli: int
    n_presentations: int
    n_neuroids: int
    repeats: tuple[int, int]
    rois: tuple[str, ...]
    averaged: str
    written: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        low, high = self.repeats
        shown = f"{low}" if low == high else f"{low} to {high}"
        size = (
            f"{self.n_stimuli} stimuli x {self.n_neuroids} neuroids" if self.n_neuroids else f"{self.n_stimuli} stimuli"
        )
        repeats = ", no noise ceiling" if self.averaged else f", {shown} presentations each"
        state = "" if self.written else " (already there)"
        where = f"{self.dataset}/{self.variant}/{self.subject}"
        rois = ", ".join(self.rois) if len(self.rois) <= MANY_ROIS else f"{len(self.rois)} regions"
        first = f"{where}: {self.kind}, {size}{repeats if self.n_neuroids else ''}, {rois}{state}"
        return "\n".join([first, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True)
class IngestReport:
    """All that one :func:`brainalign.ingest` brought in.

    Attributes
    ----------
    dataset : str
    stimulus_sets : dict
        Number of stimuli by set.
    entries : tuple of ImportReport
    simulated : bool
    """

    dataset: str
    stimulus_sets: dict[str, int] = field(default_factory=dict)
    entries: tuple[ImportReport, ...] = ()
    simulated: bool = False

    def __str__(self) -> str:
        lines = [f"{name}: {n} stimuli" for name, n in self.stimulus_sets.items()]
        lines += [str(entry) for entry in self.entries]
        return "\n".join([f"SIMULATED: {line}" if self.simulated else line for line in lines])

"""Noise ceilings that a dataset ships with averaged responses, where they bound what is scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.stats import Ceiling, published_ceiling

__all__ = ["shipped_ceiling"]


def shipped_ceiling(responses: Any, stimuli: npt.NDArray[Any]) -> Ceiling | None:
    """Return the ceiling that came with responses, None if none did.

    Parameters
    ----------
    responses : Dataset
        As read from the store. ``attrs["ceiling"]`` names the neuroid ``coordinate``, its ``unit`` (``fraction`` or
        ``percent`` of variance), the ``source``, and under ``of`` the values along presentation of the stimuli whose
        means it bounds, as ``{"split": "test"}``.
    stimuli : array of str
        Those that are scored.

    Returns
    -------
    Ceiling or None
        Absent, with the reason, if others are scored: a share of variance depends on the repeats that were averaged.
        Neuroids without a value have a ceiling of zero.
    """
    said = responses.attrs.get("ceiling")
    if not said or said["coordinate"] not in responses.coords:
        return None
    bounded = np.ones(responses["stimulus"].size, dtype=bool)
    for name, value in said.get("of", {}).items():
        bounded &= responses[name].values == value
    of = set(responses["stimulus"].values[bounded].tolist())
    if of != set(stimuli.tolist()):
        which = " and ".join(f"{name} {value}" for name, value in said.get("of", {}).items())
        return Ceiling.absent(
            f"the ceiling of the release ({said['source']}) is of the {len(of)} stimuli of {which or 'all'}; "
            f"{len(set(stimuli.tolist()) & of)} of them and {len(set(stimuli.tolist()) - of)} others are scored"
        )
    values = np.nan_to_num(np.asarray(responses[said["coordinate"]].values, dtype=np.float64))
    return published_ceiling(values, unit=said["unit"], n_repeats=None, source=f"published, {said['source']}")

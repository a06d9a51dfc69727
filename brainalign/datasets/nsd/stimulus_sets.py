"""Recording a stimulus set whose images come bit by bit: what was recorded is kept, what was missing is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["complete_stimuli", "recorded_stimuli"]


def recorded_stimuli(store: Store, stimulus_set: str) -> pd.DataFrame | None:
    """Return the table of a set; None if the store has none."""
    return store.stimuli(stimulus_set) if stimulus_set in store.stimulus_sets() else None


def complete_stimuli(
    store: Store,
    stimulus_set: str,
    table: pd.DataFrame,
    *,
    source: str | None = None,
    attrs: Mapping[str, Any],
    kind: str | None = None,
) -> None:
    """Record a set; a recorded one of the same ids is replaced unless an image has another hash now.

    Parameters
    ----------
    store, stimulus_set, table, source, kind, attrs
        As for ``Store.put_stimuli``. A table without any image leaves a recorded one as it is.

    Raises
    ------
    VariantError
        If the recorded set has other ids, or another hash of an image.
    """
    there = recorded_stimuli(store, stimulus_set)
    same = there is not None and list(there["stimulus"]) == list(table["stimulus"])
    if same and source is None:
        return
    agree = same and there is not None and _hashes_agree(there, table)
    store.put_stimuli(stimulus_set, table, source=source, kind=kind, attrs=attrs, replace=agree)


def _hashes_agree(there: pd.DataFrame, table: pd.DataFrame) -> bool:
    """Whether no image has one hash in the one table and another in the other."""
    if "sha256" not in there.columns or "sha256" not in table.columns:
        return True
    old, new = there["sha256"].to_numpy(), table["sha256"].to_numpy()
    return bool(np.all((old == new) | (old == "") | (new == "")))

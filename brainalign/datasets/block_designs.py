"""Block designs: time series with a label for each volume, as responses with one presentation a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.datasets.brain_images import MapStack
from brainalign.datasets.deposit import Neuroids, count_repeats
from brainalign.datasets.region_images import select_places
from brainalign.datasets.sessions import standardize_within
from brainalign.datasets.time_series import block_means, find_blocks
from brainalign.datasets.volumes import drop_missing
from brainalign.errors import DatasetError

__all__ = ["Presentations", "block_presentations"]

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Presentations:
    """Responses of one subject, ready to be put into the store, and what was left out."""

    values: npt.NDArray[Any]
    rows: dict[str, npt.NDArray[Any]]
    neuroids: Neuroids
    grid: dict[str, Any]
    notes: list[str]


def block_presentations(
    bold: MapStack,
    labels: Sequence[str],
    runs: Sequence[int],
    *,
    regions: Mapping[str, BoolArray],
    inside: BoolArray | None,
    rest: str,
    shift: int,
) -> Presentations:
    """Average each block of a time series, standardized within its run.

    Every neuroid is detrended (a straight line) and z-scored within each run over all its volumes, rest included;
    then the volumes of a block, ``shift`` volumes later and within its run, are averaged.

    Parameters
    ----------
    bold : MapStack
    labels, runs : sequences, one a volume
        What is shown, and the run.
    regions, inside
        As in :func:`brainalign.datasets.region_images.select_places`.
    rest : str
        Label of the volumes that belong to no block.
    shift : int
        Hemodynamic lag in volumes.

    Raises
    ------
    DatasetError
        If no volume shows anything.
    """
    places, neuroids, empty = select_places(inside, regions, bold.grid)
    series, neuroids, notes = drop_missing(bold.read(places), neuroids)
    series = standardize_within(series, runs, detrend=True)
    blocks = find_blocks(labels, runs, rest=rest)
    if not blocks:
        raise DatasetError(f"the labels of {bold.name} name nothing that was shown, only {rest!r}.")
    values, kept = block_means(series, blocks, runs, shift=shift)
    stimuli = [block.label for block in kept]
    rows = {
        "stimulus": np.array(stimuli, dtype=object),
        "run": np.array([block.run for block in kept], dtype=np.int64),
        "repetition": count_repeats(stimuli),
    }
    notes += [f"blocks without a volume after the shift: {len(blocks) - len(kept)}"] * (len(kept) < len(blocks))
    notes += [f"regions without any neuroid were left out: {', '.join(empty)}"] * bool(empty)
    return Presentations(values, rows, neuroids, bold.grid.attrs(""), notes)

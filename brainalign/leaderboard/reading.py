"""One result file -> what a leaderboard needs of it, so that thousands fit in memory: regions pooled over subjects."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from brainalign.errors import ResultError, ResultFormatError
from brainalign.leaderboard.pool import Blocks, Pooled, design_of
from brainalign.leaderboard.scores import Score, Scored, pool_scores
from brainalign.results import Result, Row, trust_of
from brainalign.results.schema import SELECTED

__all__ = ["SELECTED", "Entry", "LayerMeans", "Region", "region_weights", "summarise"]

_COLUMNS = ["subject", "roi", "layer", "block", "n_left_out", "value"]


@dataclass(frozen=True, eq=False)
class Region:
    """One metric in one region: the mean over the subjects that have a score.

    ``lacking`` gives, for every other subject, why there is none; ``choice`` how often a layer was chosen in the
    training folds, most often first.
    """

    direction: str
    subjects: tuple[str, ...]
    lacking: dict[str, str]
    choice: tuple[tuple[str, int], ...]
    score: Score | None
    pooled: Pooled | None


@dataclass(frozen=True, eq=False)
class LayerMeans:
    """Score of each layer in each region on all stimuli, mean over subjects (n_layers, n_rois); NaN if one lacks it."""

    layers: tuple[str, ...]
    rois: tuple[str, ...]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Entry:
    """One result file: where it lies, its inputs and provenance (``result``, without rows), and its scores.

    ``whole`` is the mean over regions of the means over subjects, None if no region has a score.
    """

    path: Path
    result: Result
    regions: dict[str, Region]
    whole: tuple[Score, Pooled] | None
    layers: LayerMeans

    @property
    def uncommitted(self) -> bool:
        """Whether it was made by code that cannot be found again; simulated results may be, too."""
        return trust_of(False, self.result.provenance) == "dirty"


def summarise(path: Path, result: Result) -> Entry:
    """Pool the rows of one result.

    Raises
    ------
    ResultFormatError
        The table of blocks is not named, or is not the one that the result was written with.
    ResultError
        The table of blocks cannot be read.
    """
    selected = [row for row in result.rows if row.layer == SELECTED]
    known = [row for row in selected if row.value is not None]
    blocks = _read_blocks(path, result) if known else {}
    rows: dict[str, list[Row]] = {}
    for row in selected:
        rows.setdefault(row.roi, []).append(row)
    of_roi: dict[str, list[Scored]] = {roi: [] for roi in rows}
    for row in sorted(known, key=attrgetter("subject")):
        of_roi[row.roi].append(Scored(row, blocks.get((row.roi, row.subject))))
    subjects = {roi: tuple(s.row.subject for s in scored) for roi, scored in of_roi.items()}
    having = sorted(roi for roi in rows if subjects[roi])
    counts = [len(subjects[roi]) for roi in having]
    found = pool_scores([s for roi in having for s in of_roi[roi]], region_weights(counts)) if known else []
    scores = dict(zip(having, found[:-1], strict=True)) if found else {}
    regions = {roi: _region(of, subjects[roi], scores.get(roi)) for roi, of in rows.items()}
    header = result.model_copy(update={"rows": []})
    return Entry(path, header, regions, found[-1] if found else None, _layer_means(result.rows, subjects))


def region_weights(counts: Sequence[int]) -> npt.NDArray[np.float64]:
    """Weights of the mean of each region, and in the last row of all: regions count the same, and subjects within.

    ``counts`` (n_regions,) says how many subjects each region has, whose cells lie region by region.
    """
    each = np.repeat(np.diag(1 / np.asarray(counts, dtype=np.float64)), counts, axis=1)
    return np.vstack([each, each.mean(axis=0)])


def _region(rows: Sequence[Row], subjects: tuple[str, ...], found: tuple[Score, Pooled] | None) -> Region:
    choices = Counter(layer for row in rows for layer in row.choice or ())
    return Region(
        direction=rows[0].direction or "",
        subjects=subjects,
        lacking={row.subject: row.reason or "undefined" for row in rows if row.value is None},
        choice=tuple(choices.most_common()),
        score=found[0] if found else None,
        pooled=found[1] if found else None,
    )


def _layer_means(rows: Sequence[Row], subjects: dict[str, tuple[str, ...]]) -> LayerMeans:
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for row in rows:
        if row.layer != SELECTED:
            found.setdefault((row.layer, row.roi), {})[row.subject] = row.value
    layers = tuple(dict.fromkeys(layer for layer, _ in found))
    values = np.full((len(layers), len(subjects)), np.nan)
    for i, layer in enumerate(layers):
        for j, (roi, names) in enumerate(subjects.items()):
            of = found.get((layer, roi), {})
            known = [value for name in names if (value := of.get(name)) is not None]
            if known and len(known) == len(names):
                values[i, j] = sum(known) / len(known)
    return LayerMeans(layers, tuple(subjects), values)


def _read_blocks(path: Path, result: Result) -> dict[tuple[str, str], Blocks]:
    """Read the leave-block-out values of the ``selected`` rows, by (roi, subject)."""
    if result.files is None:
        raise ResultFormatError(f"{path} names no table of blocks; score the model again.")
    file = result.files.blocks
    beside = path.parent / file.name
    try:
        content = beside.read_bytes()
    except OSError as error:
        raise ResultError(f"the table of blocks {beside} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ResultFormatError(f"{beside} does not match the hash in {path.name}; score the model again.")
    parquet = pq.ParquetFile(pa.BufferReader(content), read_dictionary=_COLUMNS[:3])
    table = parquet.read_row_groups(_groups_of_selected(parquet), _COLUMNS, use_threads=False)
    (rois, roi_names), (subjects, subject_names), (layers, layer_names) = (
        _codes(table[name]) for name in ("roi", "subject", "layer")
    )
    if SELECTED not in layer_names:
        return {}
    keep = np.flatnonzero(layers == layer_names.index(SELECTED))
    cells = subjects[keep].astype(np.int64) * len(roi_names) + rois[keep]
    ids = table["block"].to_numpy()[keep].astype(np.int64)
    # cut once where the cell changes: a group at a time costs seconds where there are many; mostly they lie in order
    place = cells * (int(ids.max(initial=0)) + 1) + ids
    if not (place[1:] > place[:-1]).all():
        order = np.argsort(place, kind="stable")
        keep, cells, ids = keep[order], cells[order], ids[order]
    rois, subjects = rois[keep], subjects[keep]
    sizes, values = (table[name].to_numpy()[keep].astype(np.float64) for name in ("n_left_out", "value"))
    changes = np.flatnonzero(cells[1:] != cells[:-1]) + 1
    starts = np.concatenate([[0], changes]) if len(ids) else changes
    finite, totals = np.logical_and.reduceat(np.isfinite(values), starts), np.add.reduceat(sizes, starts)
    found: dict[tuple[str, str], Blocks] = {}
    for i, (start, end) in enumerate(pairwise([*starts.tolist(), len(ids)])):
        if end - start > 1 and finite[i]:
            part = slice(start, end)
            # the blocks partition the stimuli, so their sizes add up to all of them
            design = design_of(ids[part], sizes[part], int(totals[i]))
            found[roi_names[rois[start]], subject_names[subjects[start]]] = Blocks(design, values[part])
    return found


def _groups_of_selected(parquet: pq.ParquetFile) -> list[int]:
    """Row groups that may hold ``selected`` rows, by their smallest and largest name of a layer."""
    at = parquet.schema_arrow.get_field_index("layer")
    ranges = [parquet.metadata.row_group(i).column(at).statistics for i in range(parquet.metadata.num_row_groups)]
    return [i for i, r in enumerate(ranges) if r is None or not r.has_min_max or r.min <= SELECTED <= r.max]


def _codes(column: Any) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Positions of the names of a column of text, and the names."""
    names = column.combine_chunks().dictionary_encode()
    return names.indices.to_numpy(zero_copy_only=False), names.dictionary.to_pylist()

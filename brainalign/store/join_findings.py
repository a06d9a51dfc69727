"""What may be wrong with a join, told from ids, hashes and what was seen when the responses were written."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import xarray as xr

from brainalign.store.content import Array
from brainalign.store.findings import Finding, region_findings, response_findings
from brainalign.store.leaks import LEVELS, Folds, alike, same_content, shared_stimuli
from brainalign.store.near_duplicates import print_matrix

__all__ = ["fold_findings", "join_findings"]

MOST_PAIRS = 10**8  # pairs of test and train images that are compared in a join; some seconds
FARTHEST = 3  # places by which ids may be shifted


def join_findings(
    joined: xr.Dataset,
    content: xr.Dataset,
    stimuli: Array,
    left_out: tuple[tuple[str, ...], tuple[str, ...]],
    folds: Folds,
) -> Iterator[Finding]:
    """Return what may be wrong with responses that were joined.

    Parameters
    ----------
    joined : Dataset
        Responses in joined order.
    content : Dataset
        Has ``sha256`` and ``print`` of the joined stimuli, where known.
    stimuli : array of str
    left_out : pair of tuples of str
        Ids that only the responses, and only the embeddings have.
    folds : sequence of (train ids, test ids)
    """
    subject = str(joined.attrs.get("subject", ""))
    seen = (joined.attrs.get("provenance") or {}).get("seen") or {}
    yield from response_findings(seen, subject)
    if "roi" in joined and joined["roi"].dims == ("neuroid", "label"):
        yield from region_findings(np.asarray(joined["roi"].values), list(joined["roi"].attrs["labels"]), subject)
    if "sha256" in content.coords:
        yield from same_content(stimuli.tolist(), content["sha256"].values.tolist(), subject)
    yield from _shifted(stimuli, *left_out, subject)
    yield from fold_findings(stimuli, content["print"].values if "print" in content.coords else None, folds, subject)


def fold_findings(stimuli: Array, prints: Array | None, folds: Folds, subject: str) -> Iterator[Finding]:
    """Say whether folds leak: shared stimuli, and pictures that look alike by their colour prints."""
    yield from shared_stimuli(folds)
    if prints is None or not folds or not any(prints):
        return
    if sum(len(train) * len(test) for train, test in folds) > MOST_PAIRS:
        message = "too many images to compare all in a join; `data audit` compares them."
        yield Finding("note", "near-duplicates", subject, message)
        return
    yield from alike(print_matrix([str(text) for text in prints]), stimuli.tolist(), folds, subject, levels=LEVELS)


def _shifted(stimuli: Array, mine: tuple[str, ...], theirs: tuple[str, ...], subject: str) -> Iterator[Finding]:
    """Say so if one side begins, and the other ends, one to three numbers later: they count from other numbers."""
    if not 0 < len(mine) == len(theirs) <= FARTHEST or len(stimuli) < 10:
        return
    found = [_numbers(ids) for ids in (mine, theirs, stimuli.tolist())]
    if any(numbers is None for numbers in found):
        return
    (a, b, both), names = [numbers[0] for numbers in found if numbers], {numbers[1] for numbers in found if numbers}
    if len(names) > 1:
        return
    for low, high, sign in ((a, b, -1), (b, a, 1)):
        if max(low) < min(both) and max(both) < min(high):
            yield Finding(
                "warning", "id base", subject,
                f"the numbers of the responses begin and end {sign * len(mine):+d} from those of the embeddings: one "
                "side may count from another number; `data audit --embedding` tells.",
            )  # fmt: skip


def _numbers(ids: tuple[str, ...] | list[str]) -> tuple[list[int], str] | None:
    """Return the numbers that ids end in and the text before them; None if they differ in that."""
    parts = [re.fullmatch(r"(.*?)(\d+)", name) for name in ids]
    texts = {part[1] for part in parts if part}
    if None in parts or len(texts) != 1:
        return None
    return [int(part[2]) for part in parts if part], texts.pop()

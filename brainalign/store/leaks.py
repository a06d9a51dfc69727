"""Whether a split leaks: the same stimulus, or pictures that look alike, on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from brainalign.store.content import Array
from brainalign.store.findings import Finding
from brainalign.store.near_duplicates import similar_pairs

__all__ = ["LEVELS", "Folds", "alike", "same_content", "shared_stimuli"]

LEVELS = 4.0  # colour levels (of 255) within which two average-colour prints count as one picture
Folds = Sequence[tuple[Sequence[str], Sequence[str]]]
"""Pairs of train and test ids."""


def shared_stimuli(folds: Folds) -> Iterator[Finding]:
    """Say which folds have a stimulus on both sides."""
    for number, (train, test) in enumerate(folds):
        both = sorted(set(train) & set(test))
        if both:
            message = f"fold {number}: {len(both)} stimuli are in train and in test, first {both[0]!r}."
            yield Finding("error", "splits", "", message)


def same_content(ids: Sequence[str], hashes: Sequence[str], subject: str) -> Iterator[Finding]:
    """Say which stimuli share the bytes of their files; an empty hash is not known."""
    first: dict[str, str] = {}
    twice = [
        (first[sha], name) for name, sha in zip(ids, hashes, strict=True) if sha and first.setdefault(sha, name) != name
    ]
    if twice:
        n = len(twice) + len({a for a, _ in twice})
        message = f"{n} stimuli share a file's bytes, as {list(twice[0])}."
        yield Finding("warning", "near-duplicates", subject, message)


def alike(
    features: Array,
    ids: Sequence[str],
    folds: Folds,
    subject: str,
    *,
    levels: float | None = None,
    cosine: float | None = None,
) -> Iterator[Finding]:
    """Say which pictures look alike: across the sides of each fold, or at all where there is no fold.

    Parameters
    ----------
    features : array, shape (n, p)
        Of ``ids``: colour prints with ``levels``, or embeddings with ``cosine``, as for
        :func:`brainalign.store.near_duplicates.similar_pairs`.
    ids : sequence of n str
    folds : sequence of (train ids, test ids)
    subject : str
        What the finding is about.
    levels, cosine : float
        From where on two pictures are alike; one of the two.
    """
    place = {name: i for i, name in enumerate(ids)}
    how = "by average colours" if cosine is None else f"by cosine above {cosine}"
    if not folds:
        every = np.arange(len(ids))
        pairs = similar_pairs(features, ids, every, every, levels=levels, cosine=cosine)
        if pairs:
            first = f"{pairs[0].first!r} and {pairs[0].second!r}"
            message = f"{len(pairs)} of {len(ids)} have a near-duplicate {how}, first {first}; keep them in one fold."
            yield Finding("note", "near-duplicates", subject, message)
    for number, (train, test) in enumerate(folds):
        sides = [np.array([place[i] for i in side if i in place], dtype=np.intp) for side in (test, train)]
        pairs = similar_pairs(features, ids, *sides, levels=levels, cosine=cosine)
        if pairs:
            first = f"{pairs[0].first!r} (test) and {pairs[0].second!r} (train)"
            message = f"fold {number}: {len(pairs)} test images have a near-duplicate in train {how}, first {first}."
            yield Finding("warning", "near-duplicates", subject, message)

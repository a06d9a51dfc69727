"""Whether two representations of numbered stimuli count from the same number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainalign.arrays import as_matrix
from brainalign.similarity.cka import CkaForm, PreparedGram

__all__ = ["ShiftScores", "shift_scores"]

NULL_SDS = 5.0  # the null of CKA is skewed to the right
CLEAR_LEAD = 3.0  # standard errors
BLOCKS = 20


@dataclass(frozen=True)
class ShiftScores:
    """How well responses fit the stimuli so many numbers away from their own.

    Attributes
    ----------
    scores : dict
        Debiased linear CKA by shift.
    band : float
        What unrelated rows reach: the largest score of shuffled rows, or five standard deviations above their mean.
    lead : float
        How far the peak lies above shift 0, in standard errors of the difference; 0 if it lies there.
    n : int
        Number of stimuli.
    """

    scores: dict[int, float]
    band: float
    lead: float
    n: int

    @property
    def peak(self) -> int:
        """The shift of the largest score."""
        return max(self.scores, key=lambda shift: self.scores[shift])

    @property
    def wrong(self) -> bool:
        """Whether a shift other than 0 fits better, beyond chance and beyond what similar neighbours explain."""
        return self.peak != 0 and self.scores[self.peak] > self.band and self.lead > CLEAR_LEAD

    @property
    def confirmed(self) -> bool:
        """Whether the stimuli's own numbers fit best, beyond chance."""
        return self.peak == 0 and self.scores[0] > self.band

    def __str__(self) -> str:
        shown = ", ".join(f"{shift:+d}: {value:.3f}" for shift, value in self.scores.items())
        return f"{shown}; shuffled at most {self.band:.3f}"


def shift_scores(sides: Mapping[int, Any], Y: Any, *, n_shuffles: int = 100, seed: int = 0) -> ShiftScores:
    """Score ``Y`` against the rows that stand some numbers away.

    Parameters
    ----------
    sides : mapping of int to array-like, shape (n, p)
        For each shift, 0 among them, the rows of the other representation whose numbers are so much larger than those
        of the rows of ``Y``.
    Y : array-like, shape (n, q)
    n_shuffles : int
        Shuffles of the rows at shift 0, which with the null in closed form say what unrelated rows reach.
    seed : int

    Raises
    ------
    UndefinedError
        If a side has no structure, or fewer than 4 rows.

    Notes
    -----
    Debiased CKA, its null in closed form, and a delete-block jackknife of the difference between two shifts: stimuli
    that resemble their neighbours, as where categories follow each other, score nearly as well one number away.
    Cost: 2 n² (p n_shifts + q) flops and n² n_shuffles / 2 gathered numbers.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> found = shift_scores({shift: X[5 + shift : 55 + shift] for shift in (-1, 0, 1)}, X[6:56])
    >>> found.peak, found.wrong
    (1, True)
    """
    form = CkaForm()
    y = form.prepare(as_matrix(Y, name="Y"), name="Y")
    own = form.prepare(as_matrix(sides[0], name="X"), name="X")
    n = len(own.values)
    scores, best = {}, own
    for shift, X in sides.items():
        side = own if shift == 0 else form.prepare(as_matrix(X, name="X"), name=f"X at shift {shift:+d}")
        scores[shift] = form.score(side, y)
        if scores[shift] >= max(scores.values()):
            best = side
    rng = np.random.default_rng(seed)
    shuffles = np.stack([rng.permutation(n) for _ in range(n_shuffles)])
    mean, sd = form.null_moments(own, y)
    band = max(float(form.permuted([own], y, shuffles).max()), mean + NULL_SDS * sd)
    lead = 0.0 if max(scores.values()) == scores[0] else _lead(form, best, own, y, rng.permutation(n))
    return ShiftScores(scores, band, lead, n)


def _lead(form: CkaForm, best: PreparedGram, own: PreparedGram, y: PreparedGram, order: Any) -> float:
    """Return the difference of two scores over its standard error by a delete-block jackknife."""
    difference = form.score(best, y) - form.score(own, y)
    blocks = np.array_split(order, min(BLOCKS, len(order) // 2))
    without = form.leave_blocks_out(best, y, blocks) - form.leave_blocks_out(own, y, blocks)
    without = without[np.isfinite(without)]
    if len(without) < 2:
        return 0.0
    se = float(np.sqrt((len(without) - 1) * without.var()))
    return difference / se if se > 0 else float("inf")

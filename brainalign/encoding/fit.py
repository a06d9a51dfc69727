"""Scores of an encoding plan on some targets, and what follows from them without a new fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.encoding.checks import check_blocks, check_quantities
from brainalign.encoding.deletion import Decomposed, scores_without_blocks
from brainalign.encoding.selection import share_at_edge

__all__ = ["PREDICTABLE", "EncodingFit"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

PREDICTABLE = 0.01


@dataclass(frozen=True)
class EncodingFit:
    """Scores of all targets in all folds.

    Attributes
    ----------
    plan : EncodingPlan
    r, r2 : (folds, v)
        Held-out Pearson correlation and coefficient of determination; NaN where
        undefined (responses constant in the training or test rows); r of predictions that do not vary is 0.
    alpha : (folds, v)
        Chosen alpha; NaN where the target is constant in the training rows.
    inner_r2 : (folds, v)
        One minus the cross-validation error at the chosen alpha over that of the training mean: how well the
        training rows predict themselves. No test row enters, so layers may be chosen by it.
    choice : (folds, v)
        Position of alpha in the grid; -1 where it is NaN.
    low_end : (folds,)
        Whether alphas below the grid could change the fit of the fold.
    predictions : (n, v) or None
        Held-out predictions; NaN for rows that no fold tests, the mean where several do.
    """

    plan: Decomposed
    Y: torch.Tensor
    r: FloatArray
    r2: FloatArray
    alpha: FloatArray
    inner_r2: FloatArray
    choice: IndexArray
    low_end: npt.NDArray[np.bool_]
    predictions: npt.NDArray[Any] | None = None

    @property
    def edge_share(self) -> float:
        """Share of (fold, target) choices at either end of the grid."""
        return share_at_edge(self.choice, len(self.plan.alphas), self.choice >= 0)

    @property
    def edge_share_reliable(self) -> float:
        """The same among choices that explain at least 1 % of the variance inside the training rows.

        Targets that nothing predicts rightly choose the largest alpha, and where even the least alpha of the grid
        shrinks nothing, smaller ones would fit the same.
        """
        with np.errstate(invalid="ignore"):
            reliable = (self.choice >= 0) & (self.inner_r2 >= PREDICTABLE)
        return share_at_edge(self.choice, len(self.plan.alphas), reliable, self.low_end[:, None])

    def leave_blocks_out(self, blocks: Sequence[npt.ArrayLike], quantity: str | Sequence[str] = "r") -> FloatArray:
        """Score with each block of stimuli left out of training and of testing, refitted at the chosen alphas.

        Parameters
        ----------
        blocks : list of row indices
            A block may lie in the training rows of a fold, in its test rows, or in both.
        quantity : {"r", "r2"} or a sequence of them
            Both cost as much as one.

        Returns
        -------
        array, shape (n_blocks, folds, v)
            NaN where undefined. With a leading axis of the quantities, where a sequence of them is given.

        Raises
        ------
        InputError
            If a block is empty, or leaves under three training or two test stimuli in a fold; if ``max_memory`` of
            the plan is too small for it.

        Notes
        -----
        Exact, intercept included, with the scale of the columns (and components, where reduced) held at the full
        training fold: with A the kernel matrix plus alpha bordered by ones, G the top left part of its inverse and
        c = G y, f_without_b(t) = f(t) - h_tb G_bb^-1 c_b, h the hat matrix. In float64.
        Cost: that of ``fit``, and 6 n_train n_test flops a target and fold.
        Memory: the result, 2 n_train n_test numbers or so, and chunks of targets of 128 MB or of what ``max_memory``
        leaves.
        """
        quantities = check_quantities(quantity)
        rows = check_blocks(blocks, self.plan.folds, self.plan.n_stimuli)
        values = scores_without_blocks(self.plan, self.Y, self.choice, rows, quantities)
        return values[0] if isinstance(quantity, str) else values

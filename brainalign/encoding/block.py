"""One block of targets in one fold: choice of alpha, prediction, scores."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from brainalign.encoding.scoring import column_scores
from brainalign.encoding.selection import AlphaSearch
from brainalign.encoding.system import RidgeSystem

__all__ = ["FoldSolver", "Panel", "SolvedBlock"]

CHUNK_BYTES = 4 * 2**20


@dataclass(frozen=True)
class SolvedBlock:
    """Scores (v,) of a block of targets; ``choice`` is -1 where the target does not vary in the training rows."""

    r: torch.Tensor
    r2: torch.Tensor
    inner_r2: torch.Tensor
    choice: torch.Tensor
    centred_prediction: torch.Tensor
    shift: torch.Tensor

    @property
    def full_prediction(self) -> torch.Tensor:
        """Predictions (n_test, v) for targets as they were given to ``solve``."""
        return self.centred_prediction + self.shift


class FoldSolver:
    """Fits and scores blocks of targets in one fold, with an alpha for each target.

    ``whole`` says whether training and test rows are all rows.
    """

    def __init__(
        self, system: RidgeSystem, train: torch.Tensor, test: torch.Tensor, search: AlphaSearch, *, whole: bool
    ) -> None:
        self.system, self.train, self.test, self.search, self._whole = system, train, test, search, whole
        self._to_basis = system.basis.to(search.dtype).T
        mean = system.test_basis.mean(dim=0, keepdim=True)
        # the last row predicts the mean over the test rows, so that predictions come out centred
        self._predict = torch.cat([system.test_basis - mean, mean]).to(search.dtype)
        weights = 1 / (system.eigenvalues[:, None] + search.alphas)
        # the last column is that of targets that do not vary
        self._weights = torch.cat([weights, torch.zeros_like(weights[:, :1])], dim=1).to(search.dtype)

    def solve(
        self, y_train: torch.Tensor, y_test: torch.Tensor, scale: torch.Tensor, total: torch.Tensor
    ) -> SolvedBlock:
        """Solve and score targets (n_train, v) and (n_test, v).

        ``scale`` and ``total`` are their sums of squares and their sums over all stimuli, float64.
        """
        b = self._to_basis @ y_train
        errors, null = self.search.errors(b, y_train)
        eps = torch.finfo(b.dtype).eps
        varies = null > 64 * eps**2 * scale
        choice = errors.argmin(dim=0)
        least = errors.gather(0, choice[None])[0]
        inner_r2 = torch.where(varies, 1 - least / torch.where(varies, null, 1.0), torch.nan)
        b *= self._weights.index_select(1, torch.where(varies, choice, len(errors)))
        predicted = self._predict @ b
        observed = y_test.double()
        if self._whole:  # the smaller sum is the faster one
            mean = (total - observed.sum(dim=0)) / len(y_train)
        else:
            mean = y_train.mean(dim=0, dtype=torch.float64)
        shift = predicted[-1].double() + mean
        r, r2 = column_scores(predicted[:-1], shift, observed, scale)
        r = torch.where(varies, r, torch.nan)
        return SolvedBlock(r, r2, inner_r2, torch.where(varies, choice, -1), predicted[:-1], shift)


@dataclass(frozen=True)
class Panel:
    """Targets ``start`` … of all stimuli, less their means, in the precision of the products.

    They are given as multiples of ``unit``, the power of two above their largest deviation, so that squares neither
    overflow nor vanish in float32.
    """

    start: int
    values: torch.Tensor
    mean: torch.Tensor
    unit: torch.Tensor
    scale: torch.Tensor
    total: torch.Tensor

    @classmethod
    def of(cls, targets: torch.Tensor, start: int, stop: int, dtype: torch.dtype) -> Panel:
        """Centre the columns ``start`` … ``stop``, a few at a time: sums in float64 copy what they add."""
        n = len(targets)
        values = torch.empty(n, stop - start, dtype=dtype, device=targets.device)
        mean, unit, scale, total = torch.empty(4, stop - start, dtype=torch.float64, device=targets.device)
        step = max(1, CHUNK_BYTES // (8 * n))
        for first in range(0, stop - start, step):
            at = slice(first, min(first + step, stop - start))
            given = targets[:, start + at.start : start + at.stop]
            low, high = given.amin(dim=0), given.amax(dim=0)  # twice as fast as both in one
            middle = given.mean(dim=0, dtype=torch.float64)
            largest = torch.maximum(high.double() - middle, middle - low.double())
            size = torch.ldexp(torch.ones_like(middle), torch.frexp(largest).exponent)
            part = values[:, at].copy_(given - middle.to(given.dtype))
            part *= ((low < high) / size).to(dtype)  # a constant is then exactly zero
            mean[at], unit[at] = middle, size
            scale[at] = torch.linalg.vector_norm(part, dim=0, dtype=torch.float64).square()
            total[at] = part.sum(dim=0, dtype=torch.float64)  # not quite zero: the mean was rounded
        return cls(start, values, mean, unit, scale, total)

    @property
    def width(self) -> int:
        """Number of targets."""
        return self.values.shape[1]

    def split(self, solver: FoldSolver, columns: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the training and test rows of some targets."""
        part = self.values[:, columns]
        return part.index_select(0, solver.train), part.index_select(0, solver.test)

    def permuted(self, solver: FoldSolver, columns: slice, orders: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the same with rows permuted by each of ``orders`` (R, n), side by side: (rows, R * targets)."""
        part = self.values[:, columns]
        halves = []
        for rows in (solver.train, solver.test):
            index = orders[:, rows].T.reshape(-1)
            halves.append(part.index_select(0, index).reshape(len(rows), -1))
        return halves[0], halves[1]

"""Scores with blocks of stimuli left out of training and testing, without a new fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from brainalign.encoding.block import Panel
from brainalign.encoding.scoring import scores_from_sums
from brainalign.encoding.system import RidgeSystem
from brainalign.errors import InputError, UndefinedError

if TYPE_CHECKING:
    from brainalign.encoding.fit import EncodingFit

__all__ = ["scores_without_blocks"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

CHUNK_BYTES = 128 * 2**20


def scores_without_blocks(fit: EncodingFit, blocks: Sequence[IndexArray], quantity: str) -> FloatArray:
    """Return r or r2 with each block left out, (n_blocks, folds, v); see `EncodingFit.leave_blocks_out`."""
    plan = fit.plan
    n_targets = fit.Y.shape[1]
    out = np.full((len(blocks), len(plan.folds), n_targets), np.nan)
    for fold, (train, test) in enumerate(plan.folds):
        deletion = _Deletion.of(plan.system(fold), train, test, blocks)
        width = _width(deletion, plan.chunk_bytes(CHUNK_BYTES + deletion.bytes_per_alpha, out.nbytes), fold)
        for choice in np.unique(fit.choice[fold][fit.choice[fold] >= 0]):
            columns = np.flatnonzero(fit.choice[fold] == choice)
            at_alpha = _AtAlpha.of(deletion, float(plan.alphas[choice]))
            for start in range(0, len(columns), width):
                some = columns[start : start + width]
                index = torch.as_tensor(some, device=plan.device)
                y = Panel.of(fit.Y.index_select(1, index), 0, len(some), torch.float64).values
                r, r2 = at_alpha.scores(y[deletion.train], y[deletion.test])
                out[:, fold, some] = (r if quantity == "r" else r2).cpu().numpy()
    return out


def _width(deletion: _Deletion, room: int, fold: int) -> int:
    width = (room - deletion.bytes_per_alpha) // deletion.bytes_per_target
    if width < 1:
        needed = deletion.bytes_per_alpha + deletion.bytes_per_target
        raise InputError(
            f"max_memory leaves {max(room, 0) / 2**20:.1f} MB to leave blocks out of fold {fold}, which needs "
            f"{needed / 2**20:.1f} MB; give more, or pass fewer blocks or fewer targets at a time."
        )
    return width


@dataclass(frozen=True)
class _Members:
    """Positions of the members of each block among some rows, padded to one length (n_blocks, longest)."""

    position: torch.Tensor
    mask: torch.Tensor

    @classmethod
    def of(cls, blocks: Sequence[IndexArray], rows: IndexArray, device: torch.device) -> _Members:
        found = [np.flatnonzero(np.isin(rows, block)) for block in blocks]
        longest = max(1, *(len(f) for f in found))
        position = np.zeros((len(blocks), longest), dtype=np.intp)
        mask = np.zeros((len(blocks), longest))
        for number, f in enumerate(found):
            position[number, : len(f)] = f
            mask[number, : len(f)] = 1.0
        return cls(torch.as_tensor(position, device=device), torch.as_tensor(mask, device=device))

    def take(self, values: torch.Tensor) -> torch.Tensor:
        """Gather rows of ``values`` (rows, c) to (n_blocks, longest, c), zero where padded."""
        return values[self.position] * self.mask[:, :, None]


@dataclass(frozen=True)
class _Deletion:
    """A fold and the blocks to leave out of it."""

    system: RidgeSystem
    train: torch.Tensor
    test: torch.Tensor
    trained: _Members
    tested: _Members

    @classmethod
    def of(cls, system: RidgeSystem, train: IndexArray, test: IndexArray, blocks: Sequence[IndexArray]) -> _Deletion:
        device = system.basis.device
        return cls(
            system,
            torch.as_tensor(train, device=device),
            torch.as_tensor(test, device=device),
            _Members.of(blocks, train, device),
            _Members.of(blocks, test, device),
        )

    @property
    def bytes_per_alpha(self) -> int:
        """What is held for all targets of one alpha while it is made: see `_AtAlpha`."""
        n_train, n_test, d = len(self.train), len(self.test), len(self.system.eigenvalues)
        rows, longest = self.trained.mask.numel(), self.trained.mask.shape[1]
        return 8 * (3 * n_test * n_train + 2 * rows * d + rows * (2 * n_test + 5 * longest + self.tested.mask.shape[1]))

    @property
    def bytes_per_target(self) -> int:
        padded = 6 * self.trained.mask.numel() + 4 * self.tested.mask.numel()
        return 8 * (2 * len(self.system.eigenvalues) + 5 * len(self.train) + 3 * len(self.test) + padded)


@dataclass(frozen=True)
class _AtAlpha:
    """What all targets of one alpha share: with G the inverse of the bordered kernel matrix, its blocks and hat rows.

    ``hat`` (n_test, n_train) maps training responses to predictions less their mean over the test rows, ``hat_mean``
    to that mean, block by block; ``hat_gram`` holds inner products of ``hat`` over the test rows within blocks and
    ``hat_tested`` its rows at the stimuli of the same block.
    """

    deletion: _Deletion
    alpha: float
    factor: torch.Tensor
    hat: torch.Tensor
    hat_mean: torch.Tensor
    hat_gram: torch.Tensor
    hat_tested: torch.Tensor

    @classmethod
    def of(cls, deletion: _Deletion, alpha: float) -> _AtAlpha:
        system, trained, tested = deletion.system, deletion.trained, deletion.tested
        n_train = len(system.basis)
        u = trained.take(system.basis)
        if system.complete:
            blocks = (u / (system.eigenvalues + alpha)) @ u.mT
        else:
            shared = torch.diag_embed(trained.mask) - trained.mask[:, :, None] * trained.mask[:, None, :] / n_train
            blocks = (shared - (u * (system.eigenvalues / (system.eigenvalues + alpha))) @ u.mT) / alpha
        blocks = blocks + torch.diag_embed(1 - trained.mask)
        hat = (system.test_basis / (system.eigenvalues + alpha)) @ system.basis.T
        hat_mean = hat.mean(dim=0)
        hat = hat - hat_mean
        # the share of the intercept, 1 / n_train, is the same in all rows and so all in the mean
        hat_mean = (hat_mean + 1 / n_train)[trained.position] * trained.mask
        hat_blocks = trained.take(hat.T)
        rows = tested.position[:, None, :].expand(-1, hat_blocks.shape[1], -1)
        hat_tested = hat_blocks.gather(2, rows).mT * tested.mask[:, :, None]
        return cls(
            deletion,
            alpha,
            _cholesky(blocks, alpha),
            hat,
            hat_mean,
            hat_blocks @ hat_blocks.mT,
            hat_tested,
        )

    def scores(self, y_train: torch.Tensor, y_test: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return r and r2 (n_blocks, v) of targets (n_train, v) and (n_test, v)."""
        system, trained, tested = self.deletion.system, self.deletion.trained, self.deletion.tested
        mean = y_train.mean(dim=0)
        y = y_test - mean
        b = system.basis.T @ y_train
        weights = b / (system.eigenvalues + self.alpha)[:, None]
        p = system.test_basis @ weights
        p_mean = p.mean(dim=0)
        p = p - p_mean
        dual = system.basis @ weights
        if not system.complete:
            dual += (y_train - mean - system.basis @ b) / self.alpha
        e = torch.cholesky_solve(trained.take(dual), self.factor)  # residuals of the block when it is left out

        shift = p_mean - torch.einsum("bs,bsv->bv", self.hat_mean, e)
        pp = (p * p).sum(dim=0) - 2 * (e * trained.take(self.hat.T @ p)).sum(dim=1)
        pp += (e * (self.hat_gram @ e)).sum(dim=1)
        py = (p * y).sum(dim=0) - (e * trained.take(self.hat.T @ y)).sum(dim=1)

        p_block = tested.take(p) - self.hat_tested @ e  # zero where padded, as is y_block
        y_block = tested.take(y)
        n_left = len(y) - tested.mask.sum(dim=1, keepdim=True)
        return scores_from_sums(
            n_left,
            -p_block.sum(dim=1),
            pp - (p_block * p_block).sum(dim=1),
            y.sum(dim=0) - y_block.sum(dim=1),
            (y * y).sum(dim=0) - (y_block * y_block).sum(dim=1),
            py - (p_block * y_block).sum(dim=1),
            shift,
        )


def _cholesky(blocks: torch.Tensor, alpha: float) -> torch.Tensor:
    factor: torch.Tensor
    factor, failed = torch.linalg.cholesky_ex(blocks)
    if bool(failed.any()):
        raise UndefinedError(
            f"block {int(failed.nonzero()[0, 0])} cannot be left out at alpha {alpha:.3g}: its stimuli are fitted "
            "to the last digit; use larger alphas."
        )
    return factor

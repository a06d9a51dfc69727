"""Scores with blocks of stimuli left out of training and testing, without a new fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from brainalign.encoding.block import Panel
from brainalign.encoding.folds import Fold
from brainalign.encoding.scoring import scores_from_sums
from brainalign.encoding.system import RidgeSystem
from brainalign.errors import InputError, UndefinedError

__all__ = ["Decomposed", "scores_without_blocks"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

CHUNK_BYTES = 128 * 2**20


class Decomposed(Protocol):
    """What a fit needs of its plan: folds, grid, parameters, and the decomposition of each fold."""

    n_stimuli: int
    folds: list[Fold]
    alphas: FloatArray
    device: torch.device

    @property
    def parameters(self) -> dict[str, Any]:
        """What the scores depend on beside the data."""
        ...

    def system(self, fold: int) -> RidgeSystem:
        """Return the decomposition of a fold."""
        ...

    def chunk_bytes(self, default: int, outputs: int) -> int:
        """Return what may be held for a while beside results of ``outputs`` bytes."""
        ...


def scores_without_blocks(
    plan: Decomposed, Y: torch.Tensor, choice: IndexArray, blocks: Sequence[IndexArray], quantities: Sequence[str]
) -> FloatArray:
    """Return r and r2 with each block left out, (quantities, n_blocks, folds, v); see `EncodingFit.leave_blocks_out`.

    ``choice`` (folds, v) is the position of the alpha of each target in the grid, negative where it has none.
    """
    out = np.full((len(quantities), len(blocks), len(plan.folds), Y.shape[1]), np.nan)
    for fold, (train, test) in enumerate(plan.folds):
        deletion = _Deletion.of(plan.system(fold), train, test, blocks)
        width = _width(deletion, plan.chunk_bytes(CHUNK_BYTES + deletion.bytes_per_alpha, out.nbytes), fold)
        for chosen in np.unique(choice[fold][choice[fold] >= 0]):
            columns = np.flatnonzero(choice[fold] == chosen)
            at_alpha = _AtAlpha.of(deletion, float(plan.alphas[chosen]))
            for start in range(0, len(columns), width):
                some = columns[start : start + width]
                index = torch.as_tensor(some, device=plan.device)
                y = Panel.of(Y.index_select(1, index), 0, len(some), torch.float64).values
                for numbers, r, r2 in at_alpha.scores(y[deletion.train], y[deletion.test]):
                    for values, name in zip(out, quantities, strict=True):
                        values[numbers[:, None], fold, some] = (r if name == "r" else r2).cpu().numpy()
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
    def of(cls, found: Sequence[IndexArray], device: torch.device) -> _Members:
        longest = max(1, *(len(f) for f in found))
        position = np.zeros((len(found), longest), dtype=np.intp)
        mask = np.zeros((len(found), longest))
        for number, f in enumerate(found):
            position[number, : len(f)] = f
            mask[number, : len(f)] = 1.0
        return cls(torch.as_tensor(position, device=device), torch.as_tensor(mask, device=device))

    def take(self, values: torch.Tensor) -> torch.Tensor:
        """Gather rows of ``values`` (rows, c) to (n_blocks, longest, c), zero where padded."""
        return values[self.position] * self.mask[:, :, None]


def _positions(rows: IndexArray, blocks: Sequence[IndexArray]) -> list[IndexArray]:
    """Positions among ``rows``, ascending, of what each block holds of them."""
    place = np.full(1 + max(int(rows.max()), *(int(block.max()) for block in blocks)), -1, dtype=np.intp)
    place[rows] = np.arange(len(rows))
    found = (place[block] for block in blocks)
    return [np.sort(at[at >= 0]) for at in found]


@dataclass(frozen=True)
class _Batch:
    """Blocks of like size, so that little is padded: their numbers and their members in training and test rows."""

    numbers: IndexArray
    trained: _Members
    tested: _Members


@dataclass(frozen=True)
class _Deletion:
    """A fold and the blocks to leave out of it, in batches of like size."""

    system: RidgeSystem
    train: torch.Tensor
    test: torch.Tensor
    batches: list[_Batch]

    @classmethod
    def of(cls, system: RidgeSystem, train: IndexArray, test: IndexArray, blocks: Sequence[IndexArray]) -> _Deletion:
        device = system.basis.device
        trained, tested = _positions(train, blocks), _positions(test, blocks)
        octaves = np.array([(len(a).bit_length(), len(b).bit_length()) for a, b in zip(trained, tested, strict=True)])
        batches = []
        for octave in np.unique(octaves, axis=0):
            numbers = np.flatnonzero((octaves == octave).all(axis=1))
            members = [_Members.of([rows[n] for n in numbers], device) for rows in (trained, tested)]
            batches.append(_Batch(numbers, *members))
        return cls(system, torch.as_tensor(train, device=device), torch.as_tensor(test, device=device), batches)

    @property
    def bytes_per_alpha(self) -> int:
        """What is held for all targets of one alpha, and what is needed beside it to make one batch: see `_AtAlpha`."""
        n_train, n_test, d = len(self.train), len(self.test), len(self.system.eigenvalues)
        kept, making = 0, 0
        for batch in self.batches:
            rows, longest = batch.trained.mask.numel(), batch.trained.mask.shape[1]
            kept += rows * (2 * longest + batch.tested.mask.shape[1] + 1)
            making = max(making, 2 * rows * d + rows * (2 * n_test + 3 * longest))
        return 8 * (3 * n_test * n_train + kept + making)

    @property
    def bytes_per_target(self) -> int:
        padded = max(6 * batch.trained.mask.numel() + 4 * batch.tested.mask.numel() for batch in self.batches)
        return 8 * (2 * len(self.system.eigenvalues) + 5 * len(self.train) + 5 * len(self.test) + padded)


@dataclass(frozen=True)
class _Fitted:
    """Targets of one alpha fitted in the fold: predictions ``p`` less their mean, responses ``y`` less the training
    mean, dual coefficients, the products of ``p`` and ``y`` with the hat matrix, and sums over the test rows."""

    p: torch.Tensor
    p_mean: torch.Tensor
    y: torch.Tensor
    dual: torch.Tensor
    hat_p: torch.Tensor
    hat_y: torch.Tensor
    sum_y: torch.Tensor
    sum_pp: torch.Tensor
    sum_py: torch.Tensor
    sum_yy: torch.Tensor


@dataclass(frozen=True)
class _BatchAtAlpha:
    """What all targets of one alpha share, for a batch of blocks.

    With G the inverse of the bordered kernel matrix: ``factor`` of its blocks; ``hat_mean`` maps the responses of a
    block to the mean prediction; ``hat_gram`` holds inner products of the hat matrix over the test rows within blocks
    and ``hat_tested`` its rows at the stimuli of the same block.
    """

    batch: _Batch
    factor: torch.Tensor
    hat_mean: torch.Tensor
    hat_gram: torch.Tensor
    hat_tested: torch.Tensor

    @classmethod
    def of(
        cls, system: RidgeSystem, alpha: float, batch: _Batch, hat: torch.Tensor, hat_mean: torch.Tensor
    ) -> _BatchAtAlpha:
        trained, tested, n_train = batch.trained, batch.tested, len(system.basis)
        u = trained.take(system.basis)
        if system.complete:
            blocks = (u / (system.eigenvalues + alpha)) @ u.mT
        else:
            shared = torch.diag_embed(trained.mask) - trained.mask[:, :, None] * trained.mask[:, None, :] / n_train
            blocks = (shared - (u * (system.eigenvalues / (system.eigenvalues + alpha))) @ u.mT) / alpha
        blocks = blocks + torch.diag_embed(1 - trained.mask)
        hat_blocks = trained.take(hat.T)
        rows = tested.position[:, None, :].expand(-1, hat_blocks.shape[1], -1)
        return cls(
            batch,
            _cholesky(blocks, alpha, batch.numbers),
            # the share of the intercept, 1 / n_train, is the same in all rows and so all in the mean
            (hat_mean + 1 / n_train)[trained.position] * trained.mask,
            hat_blocks @ hat_blocks.mT,
            hat_blocks.gather(2, rows).mT * tested.mask[:, :, None],
        )

    def scores(self, fitted: _Fitted) -> tuple[torch.Tensor, torch.Tensor]:
        """Return r and r2 (n_blocks, v) with each block left out."""
        trained, tested = self.batch.trained, self.batch.tested
        p, y = fitted.p, fitted.y
        # residuals of a block that is left out; zero where padded
        e = torch.cholesky_solve(trained.take(fitted.dual), self.factor)
        shift = fitted.p_mean - torch.einsum("bs,bsv->bv", self.hat_mean, e)
        pp = fitted.sum_pp - 2 * (e * fitted.hat_p[trained.position]).sum(dim=1)
        pp += (e * (self.hat_gram @ e)).sum(dim=1)
        py = fitted.sum_py - (e * fitted.hat_y[trained.position]).sum(dim=1)
        p_block = tested.take(p) - self.hat_tested @ e  # zero where padded, as is y_block
        y_block = tested.take(y)
        n_left = len(y) - tested.mask.sum(dim=1, keepdim=True)
        return scores_from_sums(
            n_left,
            -p_block.sum(dim=1),
            pp - (p_block * p_block).sum(dim=1),
            fitted.sum_y - y_block.sum(dim=1),
            fitted.sum_yy - (y_block * y_block).sum(dim=1),
            py - (p_block * y_block).sum(dim=1),
            shift,
        )


@dataclass(frozen=True)
class _AtAlpha:
    """The hat matrix of one alpha, training responses to predictions less their mean, and what follows for batches."""

    system: RidgeSystem
    alpha: float
    hat: torch.Tensor
    batches: list[_BatchAtAlpha]

    @classmethod
    def of(cls, deletion: _Deletion, alpha: float) -> _AtAlpha:
        system = deletion.system
        hat = (system.test_basis / (system.eigenvalues + alpha)) @ system.basis.T
        hat_mean = hat.mean(dim=0)
        hat = hat - hat_mean
        batches = [_BatchAtAlpha.of(system, alpha, batch, hat, hat_mean) for batch in deletion.batches]
        return cls(system, alpha, hat, batches)

    def scores(
        self, y_train: torch.Tensor, y_test: torch.Tensor
    ) -> Iterator[tuple[IndexArray, torch.Tensor, torch.Tensor]]:
        """Yield numbers of blocks, with r and r2 (n_blocks, v) of targets (n_train, v) and (n_test, v)."""
        fitted = self._fitted(y_train, y_test)
        for batch in self.batches:
            yield batch.batch.numbers, *batch.scores(fitted)

    def _fitted(self, y_train: torch.Tensor, y_test: torch.Tensor) -> _Fitted:
        system = self.system
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
        sums = y.sum(dim=0), (p * p).sum(dim=0), (p * y).sum(dim=0), (y * y).sum(dim=0)
        return _Fitted(p, p_mean, y, dual, self.hat.T @ p, self.hat.T @ y, *sums)


def _cholesky(blocks: torch.Tensor, alpha: float, numbers: IndexArray) -> torch.Tensor:
    factor: torch.Tensor
    factor, failed = torch.linalg.cholesky_ex(blocks)
    if bool(failed.any()):
        first = int(numbers[int(failed.nonzero()[0, 0])])
        raise UndefinedError(
            f"block {first} cannot be left out at alpha {alpha:.3g}: its stimuli are fitted to the last digit; "
            "use larger alphas."
        )
    return factor

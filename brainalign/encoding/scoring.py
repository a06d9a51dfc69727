"""Pearson r and r2 of every column in one pass."""

from __future__ import annotations

import torch

__all__ = ["column_scores", "scores_from_sums"]


def column_scores(
    predicted: torch.Tensor, shift: torch.Tensor, observed: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Score predictions of each target, float64.

    Parameters
    ----------
    predicted : (n_test, v)
        Predictions less their mean over the test rows.
    shift : (v,)
        That mean.
    observed : (n_test, v)
        Responses.
    scale : (v,)
        Sum of squares of each target over all stimuli, about its mean: variation of rounding size against it is none.

    Returns
    -------
    r, r2 : (v,)
        NaN where the responses do not vary. Predictions that do not vary, as those of a target that nothing predicts at
        the largest alpha, have r = 0: leaving such targets out would raise the mean over the others.
    """
    p, y = predicted.double(), observed.double()
    mean = y.mean(dim=0)
    y = y - mean
    pp, yy, py = (p * p).sum(dim=0), (y * y).sum(dim=0), (p * y).sum(dim=0)
    eps = torch.finfo(predicted.dtype).eps
    level = (shift * eps * 16).square() * len(p)
    pp = torch.where(pp > level, pp, 0.0)
    yy = torch.where(yy > 64 * eps**2 * scale, yy, 0.0)
    return _ratios(pp, yy, py, len(p) * (shift - mean).square())


def scores_from_sums(
    n: torch.Tensor | int,
    p: torch.Tensor,
    pp: torch.Tensor,
    y: torch.Tensor,
    yy: torch.Tensor,
    py: torch.Tensor,
    shift: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return r and r2 from float64 sums of predictions, responses, their squares and products over ``n`` rows.

    ``shift`` is what was taken off all predictions beforehand, so that a small variation on a large level keeps its
    digits.
    """
    eps = torch.finfo(torch.float64).eps
    vp, vy = pp - p * p / n, yy - y * y / n
    vp = torch.where(vp > 64 * eps * pp, vp, 0.0)
    vy = torch.where(vy > 64 * eps * yy, vy, 0.0)
    return _ratios(vp, vy, py - p * y / n, n * (shift + (p - y) / n).square())


def _ratios(
    pp: torch.Tensor, yy: torch.Tensor, py: torch.Tensor, offset: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    nan = torch.full_like(yy, torch.nan)
    predicted = torch.where(pp > 0, py / (pp.sqrt() * yy.sqrt()), 0.0)
    r = torch.where(yy > 0, predicted, nan)
    r2 = torch.where(yy > 0, 1 - (pp - 2 * py + yy + offset) / yy, nan)
    return r, r2

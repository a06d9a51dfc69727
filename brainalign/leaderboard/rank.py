"""Ranks from paired tests: how many models are significantly better, and what the rank could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from brainalign.leaderboard.pool import Design, Pooled, satterthwaite
from brainalign.stats.multiple import holm
from brainalign.stats.resampling import jackknife_se

__all__ = ["Comparisons", "Standing", "compare_pairs", "per_stratum", "standings"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """All pairs of models, each array (n_models, n_models).

    ``difference[i, j]`` = score of i minus score of j, ``se`` its standard error, ``p`` two-sided, ``p_holm`` corrected
    over the pairs. ``p`` is nan where the pair cannot be tested, and on the diagonal.
    """

    difference: FloatArray
    se: FloatArray
    p: FloatArray
    p_holm: FloatArray


@dataclass(frozen=True)
class Standing:
    """Where a model stands: rank, the ranks that the tests leave open, and its comparison with the best."""

    rank: int
    rank_low: int
    rank_high: int
    is_best: bool
    indistinguishable_from_best: bool
    difference_to_best: float
    se_to_best: float | None
    p_to_best: float | None


def compare_pairs(models: Sequence[Pooled]) -> Comparisons:
    """Test every pair of models by a paired delete-block jackknife of the difference of their weighted means.

    Parameters
    ----------
    models : sequence of Pooled
        The same mean over the same cells, for each model.

    Returns
    -------
    Comparisons
        Cells without leave-block-out values, and strata that only one model of a pair has (other stimuli), enter
        unpaired: their variances add.

    Notes
    -----
    Blocks may differ in size, see `brainalign.stats.resampling.jackknife_se`.
    Cost: O(n_models^2 n_blocks n_strata).
    """
    scores = np.array([model.value for model in models], dtype=np.float64)
    difference = scores[:, None] - scores[None, :]
    variances: list[FloatArray] = []
    freedoms: list[float] = []
    for design, full, left_out in per_stratum(models):
        variances.append(_paired_variance(design, full, left_out))
        freedoms.append(len(design.sizes) - 1)
    unpaired = np.array([model.unpaired for model in models])
    variances.append(unpaired[:, None] + unpaired[None, :])
    freedoms.append(np.inf)
    se = np.sqrt(np.sum(variances, axis=0))
    p = _p_values(difference, se, satterthwaite(variances, freedoms), np.abs(scores))
    upper = np.triu_indices(len(models), 1)
    p_holm = np.full(p.shape, np.nan)
    p_holm[upper] = holm(p[upper])
    p_holm.T[upper] = p_holm[upper]
    return Comparisons(difference, se, p, p_holm)


def per_stratum(models: Sequence[Pooled]) -> list[tuple[Design, FloatArray, FloatArray]]:
    """Design, weighted score (n_models,) and weighted leave-block-out scores (n_blocks, n_models) of each stratum."""
    parts: dict[bytes, tuple[Design, FloatArray, FloatArray]] = {}
    for m, model in enumerate(models):
        for key, (design, part) in model.parts.items():
            if key not in parts:
                parts[key] = design, np.zeros(len(models)), np.zeros((len(design.sizes), len(models)))
            # a model without this stratum stays at zero, so that a pair has the variance of the other alone
            parts[key][1][m] = part.full
            parts[key][2][:, m] = part.left_out
    return list(parts.values())


def _paired_variance(design: Design, full: FloatArray, left_out: FloatArray) -> FloatArray:
    rows = [
        np.square(jackknife_se(full[m] - full, left_out[:, [m]] - left_out, design.sizes, design.n))
        for m in range(len(full))
    ]
    return np.stack(rows)


def _p_values(difference: FloatArray, se: FloatArray, freedom: FloatArray, size: FloatArray) -> FloatArray:
    """Two-sided p of Student's t; differences within rounding of zero are zero."""
    rounding = 64 * np.finfo(np.float64).eps * np.maximum(size[:, None], size[None, :])
    same = np.abs(difference) <= rounding
    t = np.divide(np.abs(difference), se, out=np.full(se.shape, np.inf), where=se > 0)
    p: FloatArray = np.where(same, 1.0, 2 * special.stdtr(freedom, -t))
    p[np.isnan(se)] = np.nan
    np.fill_diagonal(p, np.nan)
    return p


def standings(
    scores: npt.ArrayLike, comparisons: Comparisons, *, higher_is_better: bool = True, alpha: float = 0.05
) -> list[Standing]:
    """Rank of each model: 1 + the number of models significantly better.

    Parameters
    ----------
    scores : array, shape (n_models,)
        The scores that were compared.
    comparisons : Comparisons
        From `compare_pairs`.
    higher_is_better : bool
        Direction of the score.
    alpha : float
        Family-wise level of the tests.

    Returns
    -------
    list of Standing
        ``rank_high`` is the number of models minus the number significantly worse. "Not distinguishable" is no
        equivalence relation, so equal ranks are no tie groups.
    """
    values = np.asarray(scores, dtype=np.float64)
    sign = 1.0 if higher_is_better else -1.0
    significant = np.nan_to_num(comparisons.p_holm, nan=1.0) <= alpha
    beaten_by = (significant & (sign * comparisons.difference < 0)).sum(axis=1)
    beats = (significant & (sign * comparisons.difference > 0)).sum(axis=1)
    best = int(np.argmax(sign * values)) if len(values) else -1
    return [
        Standing(
            rank=1 + int(beaten_by[i]),
            rank_low=1 + int(beaten_by[i]),
            rank_high=len(values) - int(beats[i]),
            is_best=i == best,
            indistinguishable_from_best=i != best and not significant[i, best],
            difference_to_best=float(comparisons.difference[i, best]),
            se_to_best=_number(comparisons.se[i, best]),
            p_to_best=_number(comparisons.p_holm[i, best]),
        )
        for i in range(len(values))
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

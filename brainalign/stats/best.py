"""The best of several scores against the best of the same permutations of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.stats.permutation import Calibrated, calibrated, require_spread

__all__ = ["CalibratedBest", "best_of"]

FloatArray = npt.NDArray[np.float64]

# relative difference at which a permuted score counts as equal to the observed one
EQUAL = 1e-12


@dataclass(frozen=True, kw_only=True)
class CalibratedBest(Calibrated):
    """The best of several scores (layers, metrics) against the best of the same permutations of all.

    With several metrics ``score`` and its null are in standard deviations of each metric's own null.

    Attributes
    ----------
    best : object
        Name of the best.
    names : tuple
    scores : (L,)
        As they are.
    p_each : (L,)
        p of each score against the best of the permutations: corrected for the search over all.
    """

    best: Any
    names: tuple[Any, ...]
    scores: FloatArray
    p_each: FloatArray


def best_of(
    names: Sequence[Any], scores: npt.ArrayLike, null: npt.ArrayLike, *, standardize: bool, lower: bool = False
) -> CalibratedBest:
    """Place the best of several scores in the null of the best under the same permutations.

    Parameters
    ----------
    names : sequence of length L
    scores : (L,)
    null : (L, R)
        Column r is one permutation for all.
    standardize : bool
        Compare scores by their distance from their own null mean in units of its sd, observed score included, so that
        the observed and the permuted are treated alike and p stays exact; else as they are.
    lower : bool
        Small scores are aligned: the smallest is the best.

    Raises
    ------
    UndefinedError
        If a null has no spread.
    """
    values = np.column_stack([np.asarray(scores, np.float64), np.asarray(null, np.float64)])
    if standardize:
        for name, drawn in zip(names, values[:, 1:], strict=True):
            require_spread(float(drawn.mean()), float(drawn.std()), of=f" of {name!r}")
        values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    observed, permuted = values[:, 0], values[:, 1:]
    best = int(np.argmin(observed) if lower else np.argmax(observed))
    extreme = permuted.min(axis=0) if lower else permuted.max(axis=0)
    placed = [calibrated(float(score), extreme, at_least=EQUAL, lower=lower) for score in observed]
    return CalibratedBest(
        **vars(placed[best]),
        best=names[best],
        names=tuple(names),
        scores=np.asarray(scores, np.float64),
        p_each=np.array([one.p for one in placed]),
    )

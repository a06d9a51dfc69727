"""Linear predictivity in both directions: how well each of two representations predicts the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_pair
from brainalign.encoding import EncodingPlan
from brainalign.encoding.folds import Folds
from brainalign.errors import UndefinedError

__all__ = ["Predictivity", "linear_predictivity"]


@dataclass(frozen=True)
class Predictivity:
    """Mean held-out correlation over units: of ``Y`` from ``X``, of ``X`` from ``Y``, and the mean of the two.

    ``n_forward`` and ``n_backward`` are the units that have one; a unit that does not vary has none.
    """

    forward: float
    backward: float
    n_forward: int
    n_backward: int

    @property
    def mean(self) -> float:
        """Mean of both directions, which does not change when the sides are swapped."""
        return (self.forward + self.backward) / 2


def linear_predictivity(
    X: Any, Y: Any, *, folds: Folds = 5, groups: npt.ArrayLike | None = None, seed: int = 0
) -> Predictivity:
    """Predict each of two representations from the other by ridge regression, held out.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, q)
        Two representations of the same stimuli in the same order.
    folds, groups, seed
        As in `encode`; both directions have the same folds.

    Returns
    -------
    Predictivity
        One direction much above the other says that one representation holds the other, and more.

    Raises
    ------
    UndefinedError
        If no unit of one side varies in every fold.
    PairingError, InputError, ShapeError, NonFiniteError
        As in `encode`.

    Notes
    -----
    Cost: as `encode`, twice.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(80, 4))
    >>> found = linear_predictivity(X, X[:, :1])
    >>> found.forward > 0.99, found.backward < 0.5
    (True, True)
    """
    x, y = as_pair(X, Y)
    plan = EncodingPlan(x, folds=folds, groups=groups, seed=seed)
    forward, n_forward = _mean_r(plan, y, "Y")
    backward, n_backward = _mean_r(EncodingPlan(y, folds=plan.folds, seed=seed), x, "X")
    return Predictivity(forward, backward, n_forward, n_backward)


def _mean_r(plan: EncodingPlan, targets: Any, name: str) -> tuple[float, int]:
    r = plan.fit(targets).r.mean(axis=0)
    defined = np.isfinite(r)
    if not defined.any():
        raise UndefinedError(f"no unit of {name} varies in every fold: there is nothing to predict.")
    return float(r[defined].mean()), int(defined.sum())

"""Commonality analysis: how much of what predictors explain each explains alone, and how much they explain together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brainalign.errors import InputError, UndefinedError
from brainalign.stats.relations.correlation import RELATIVE_REST, as_vector

__all__ = ["Commonality", "commonality"]

FloatArray = npt.NDArray[np.float64]

MOST = 10


@dataclass(frozen=True)
class Commonality:
    """Shares of the variance of an outcome.

    Attributes
    ----------
    r2 : float
        Of all predictors together.
    parts : dict of tuple of str to float
        By set of predictors: what exactly these have in common and no other has. They sum to ``r2``; a part may be
        negative, where one predictor suppresses what disturbs another.
    unique : dict of str to float
        What a predictor adds to all others.
    total : dict of str to float
        What it explains by itself: the sum of all parts that it takes part in.
    n : int
        Units.
    """

    r2: float
    parts: dict[tuple[str, ...], float]
    unique: dict[str, float]
    total: dict[str, float]
    n: int

    @property
    def common(self) -> dict[str, float]:
        """What a predictor explains together with others: ``total`` less ``unique``."""
        return {name: self.total[name] - self.unique[name] for name in self.total}


def commonality(predictors: Mapping[str, npt.ArrayLike], y: npt.ArrayLike) -> Commonality:
    """Split the variance that linear regression explains into what predictors explain alone and in common.

    Parameters
    ----------
    predictors : mapping of str to array (n,)
        At most ten.
    y : array, shape (n,)

    Returns
    -------
    Commonality

    Raises
    ------
    InputError, ShapeError, NonFiniteError
        For no or too many predictors, arrays that do not fit, NaN or inf.
    UndefinedError
        If there are not more units than predictors and one, or y is constant.

    Notes
    -----
    Newton & Spurrell 1967, doi:10.2307/2985331; Nimon & Oswald 2013, doi:10.1177/1094428113493929. In sample: r2 grows
    with every predictor. Cost: 2^q regressions for q predictors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 200))
    >>> found = commonality({"a": a, "copy of a": a, "b": b}, a + b)
    >>> round(found.r2, 3), abs(round(found.unique["a"], 3)), found.common["a"] > 0.3
    (1.0, 0.0, True)
    """
    names = list(predictors)
    if not 1 <= len(names) <= MOST:
        raise InputError(f"{len(names)} predictors; give 1 to {MOST}.")
    outcome = as_vector(y, name="y")
    columns = {name: as_vector(predictors[name], name=name, n=len(outcome)) for name in names}
    if len(outcome) < len(names) + 2:
        raise UndefinedError(f"{len(outcome)} units do not bear {len(names)} predictors; at least two more are needed.")
    if np.ptp(outcome) == 0:
        raise UndefinedError("y is the same for all units: there is no variance to explain.")
    r2 = {
        subset: _r2([columns[name] for name in subset], outcome)
        for size in range(len(names) + 1)
        for subset in itertools.combinations(names, size)
    }
    parts = {subset: _part(subset, names, r2) for subset in r2 if subset}
    whole = r2[tuple(names)]
    return Commonality(
        r2=whole,
        parts=parts,
        unique={name: parts[(name,)] for name in names},
        total={name: r2[(name,)] for name in names},
        n=len(outcome),
    )


def _part(subset: tuple[str, ...], names: Sequence[str], r2: Mapping[tuple[str, ...], float]) -> float:
    """Inclusion and exclusion over what the others, with parts of the subset, explain."""
    others = [name for name in names if name not in subset]
    value = 0.0
    for size in range(len(subset) + 1):
        for taken in itertools.combinations(subset, size):
            kept = {*others, *taken}
            value += (-1.0) ** (size + 1) * r2[tuple(name for name in names if name in kept)]
    return value


def _r2(columns: list[FloatArray], y: FloatArray) -> float:
    if not columns:
        return 0.0
    X = np.column_stack(columns)
    X = X - X.mean(axis=0)
    length = np.linalg.norm(X, axis=0)
    X = X[:, length > 0] / length[length > 0]
    centred = y - y.mean()
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    basis = U[:, s > RELATIVE_REST * s.max(initial=0.0)]
    return float(((basis.T @ centred) ** 2).sum() / (centred @ centred))

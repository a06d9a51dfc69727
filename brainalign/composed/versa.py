"""Encoding RSA: the RDM of held-out predictions against the RDM of the responses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from brainalign.arrays import as_pair
from brainalign.encoding import EncodingPlan
from brainalign.encoding.folds import Folds
from brainalign.errors import UndefinedError
from brainalign.similarity import rsa_form

__all__ = ["versa"]


def versa(
    X: Any,
    Y: Any,
    *,
    distance: str = "correlation",
    compare: str = "rho-a",
    folds: Folds = 5,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
) -> float:
    """Compare the geometry of responses with that of their held-out predictions (voxel-encoding RSA).

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, v)
        Representation and responses, rows = the same stimuli in the same order.
    distance, compare : str
        As in `rsa`.
    folds, groups, seed
        As in `encode`.

    Returns
    -------
    float
        Mean over folds of the RSA of the test stimuli: a pair of stimuli that were predicted by two different fits is
        never compared. 0 for a fold whose predictions are the same for all stimuli.

    Raises
    ------
    UndefinedError
        A fold whose responses have no RDM (fewer than 3 test stimuli, a constant pattern).
    PairingError, InputError, ShapeError, NonFiniteError, ChoiceError
        As in `encode` and `rsa`.

    Notes
    -----
    Khaligh-Razavi et al. 2017, doi:10.1016/j.jmp.2016.10.007; Conwell et al. 2024, doi:10.1038/s41467-024-53147-y.
    Ridge regression with a penalty for each response. Cost: as `encode`, and an RDM of the test stimuli a fold.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> versa(X, X @ rng.normal(size=(5, 8))) > 0.95
    True
    """
    x, y = as_pair(X, Y)
    form = rsa_form(distance, compare)
    plan = EncodingPlan(x, folds=folds, groups=groups, seed=seed)
    predicted = np.asarray(plan.fit(y, predictions=True).predictions)
    values = []
    for number, (_, test) in enumerate(plan.folds):
        try:
            responses = form.prepare(y[test], name="Y")
        except UndefinedError as error:
            raise UndefinedError(f"test stimuli of fold {number}: {error}") from error
        try:
            values.append(form.score(form.prepare(predicted[test], name="predictions"), responses))
        except UndefinedError:
            values.append(0.0)  # nothing was predicted but the mean
    return float(np.mean(values))

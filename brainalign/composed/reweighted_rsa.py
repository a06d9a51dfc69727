"""Feature-reweighted RSA: features weighed, on training stimuli, so that their RDM fits that of the responses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from brainalign.arrays import as_pair, to_numpy
from brainalign.encoding import make_folds
from brainalign.encoding.folds import Folds
from brainalign.errors import InputError, UndefinedError
from brainalign.similarity import rsa_form

__all__ = ["feature_weights", "reweighted_rsa"]

FloatArray = npt.NDArray[np.float64]


def reweighted_rsa(
    X: Any,
    Y: Any,
    *,
    components: int | None = 100,
    compare: str = "rho-a",
    folds: Folds = 5,
    groups: npt.ArrayLike | None = None,
    seed: int = 0,
) -> float:
    """Compare the geometry of responses with that of a representation whose features may be stretched.

    Parameters
    ----------
    X, Y : array-like, shapes (n_stimuli, p), (n_stimuli, v)
        Representation and responses, rows = the same stimuli in the same order.
    components : int, optional
        Principal components of ``X`` (of the training stimuli) that are weighed in place of features, where there are
        more features than this; None weighs the features.
    compare : str
        As in `rsa`; dissimilarities are squared Euclidean.
    folds, groups, seed
        As in `encode`.

    Returns
    -------
    float
        Mean over folds of the RSA of the test stimuli; 0 for a fold in which no feature helps to fit, so that all
        weights are zero.

    Raises
    ------
    UndefinedError
        A fold whose test stimuli have no RDM.
    InputError
        ``components`` below 1, or unusable folds.
    PairingError, ShapeError, NonFiniteError, ChoiceError
        As in `encode` and `rsa`.

    Notes
    -----
    Kaniuth & Hebart 2022, doi:10.1016/j.neuroimage.2022.119294: the squared distance is a sum over features, so weights
    of at least zero and a constant are a non-negative least squares fit to the dissimilarities of training pairs.
    Cost: its normal equations come from two products of n p², without a table of pairs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 4))
    >>> Y = X * [3.0, 1.0, 0.0, 0.3]
    >>> reweighted_rsa(X, Y) > 0.99
    True
    """
    if components is not None and components < 1:
        raise InputError(f"components={components}: give a number of at least 1, or None.")
    x, y = (to_numpy(side.double()) for side in as_pair(X, Y))
    form = rsa_form("sqeuclidean", compare)
    values = []
    for number, (train, test) in enumerate(make_folds(len(x), folds, groups, seed)):
        fitted, held_out = _components(x[train], x[test], components)
        weights = feature_weights(fitted, y[train])
        if not weights.any():
            values.append(0.0)
            continue
        try:
            sides = form.prepare(held_out * np.sqrt(weights), name="X"), form.prepare(y[test], name="Y")
        except UndefinedError as error:
            raise UndefinedError(f"fold {number}: {error}") from error
        values.append(form.score(*sides))
    return float(np.mean(values))


def feature_weights(X: FloatArray, Y: FloatArray) -> FloatArray:
    """Return weights (p,) of at least zero that fit the squared distances of ``Y`` by those of single features.

    Least squares over all pairs of stimuli, with a free constant. Cost: n p² flops twice, and p³.
    """
    n = len(X)
    pairs = n * (n - 1) / 2
    C, D = X - X.mean(axis=0), Y - Y.mean(axis=0)
    squares = C * C
    variance = squares.sum(axis=0)
    norms = (D * D).sum(axis=1)
    # sums over pairs i < j of d_f d_g and of d_f b, with d_f = (x_if - x_jf)² and b the squared distance of Y
    products = n * squares.T @ squares + np.outer(variance, variance) + 2 * (C.T @ C) ** 2
    fit = n * squares.T @ norms + variance * norms.sum() + 2 * ((C.T @ D) ** 2).sum(axis=1)
    mean, mean_b = n * variance / pairs, n * norms.sum() / pairs
    products -= pairs * np.outer(mean, mean)
    fit -= pairs * mean * mean_b
    values, vectors = np.linalg.eigh(products)
    keep = values > values[-1] * len(values) * np.finfo(np.float64).eps
    root = np.sqrt(values[keep])
    weights: FloatArray = nnls(root[:, None] * vectors[:, keep].T, (vectors[:, keep].T @ fit) / root)[0]
    return weights


def _components(train: FloatArray, test: FloatArray, components: int | None) -> tuple[FloatArray, FloatArray]:
    if components is None or train.shape[1] <= components:
        return train, test
    mean = train.mean(axis=0)
    directions = np.linalg.svd(train - mean, full_matrices=False)[2][:components]
    return (train - mean) @ directions.T, (test - mean) @ directions.T

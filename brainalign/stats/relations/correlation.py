"""Correlations of properties with scores over models: as they are, and given what is known of the models otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from brainalign.errors import NonFiniteError, ShapeError, UndefinedError

__all__ = ["RELATIVE_REST", "as_columns", "as_vector", "partial_samples", "ranks", "residuals", "unit_columns"]

FloatArray = npt.NDArray[np.float64]

# share of a column's length below which what covariates leave of it is rounding
RELATIVE_REST = 1e-11


def as_vector(values: npt.ArrayLike, *, name: str, n: int | None = None) -> FloatArray:
    """Return a vector of finite float64, or raise with its name."""
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or (n is not None and len(vector) != n):
        raise ShapeError(f"{name} has shape {vector.shape}; expected one value for each of {n or 'the'} units.")
    if not np.isfinite(vector).all():
        raise NonFiniteError(
            f"{name} is not finite at unit {int(np.argmin(np.isfinite(vector)))}; leave such units out."
        )
    return vector


def as_columns(covariates: npt.ArrayLike | None, n: int) -> FloatArray:
    """Return covariates as (n, q), q = 0 where there are none."""
    if covariates is None:
        return np.empty((n, 0))
    columns = np.asarray(covariates, dtype=np.float64)
    columns = columns.reshape(len(columns), -1)
    if len(columns) != n:
        raise ShapeError(f"covariates have {len(columns)} rows for {n} units.")
    if not np.isfinite(columns).all():
        row, column = np.argwhere(~np.isfinite(columns))[0]
        raise NonFiniteError(f"covariate {column} is not finite at unit {row}; leave such units out.")
    return columns


def ranks(values: npt.ArrayLike) -> FloatArray:
    """Ranks along the first axis, means for ties."""
    return np.asarray(rankdata(values, axis=0), dtype=np.float64)


def basis_of(covariates: FloatArray) -> FloatArray:
    """Return an orthonormal basis of a constant and the covariates; columns that say the same count once."""
    centred = covariates - covariates.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    varied = length > RELATIVE_REST * np.linalg.norm(covariates, axis=0)
    U, s, _ = np.linalg.svd(centred[:, varied] / length[varied], full_matrices=False)
    constant = np.full((len(covariates), 1), len(covariates) ** -0.5)
    return np.column_stack([constant, U[:, s > RELATIVE_REST * s.max(initial=0.0)]])


def residuals(values: FloatArray, covariates: FloatArray) -> FloatArray:
    """Return what a least-squares fit of a constant and the covariates leaves; along the first axis."""
    basis = basis_of(covariates)
    rest: FloatArray = values - basis @ (basis.T @ values)
    return rest


def unit_columns(values: FloatArray, covariates: FloatArray, *, name: str) -> FloatArray:
    """Return columns as residuals of length one, so that products of two are (partial) correlations.

    Raises
    ------
    UndefinedError
        If nothing but rounding is left of a column.
    """
    columns = values.reshape(len(values), -1)
    spread = np.linalg.norm(columns - columns.mean(axis=0), axis=0)
    if not (spread > RELATIVE_REST * np.linalg.norm(columns, axis=0)).all():
        raise UndefinedError(f"{name} is the same for all units: it relates to nothing.")
    basis = basis_of(covariates)
    if len(values) - basis.shape[1] < 2:
        raise UndefinedError(
            f"{len(values)} units with {covariates.shape[1]} covariates leave nothing to correlate: three units are "
            "needed, and one more for each covariate (for each kind but one of a named one)."
        )
    rest = columns - basis @ (basis.T @ columns)
    length = np.linalg.norm(rest, axis=0)
    if not (length > RELATIVE_REST * spread).all():
        raise UndefinedError(f"the covariates explain {name} wholly: no relation is left given them.")
    return np.asarray((rest / length).reshape(values.shape))


def partial_samples(x: FloatArray, y: FloatArray, covariates: FloatArray, counts: FloatArray) -> FloatArray:
    """Correlate x and y given covariates in every bootstrap sample.

    Parameters
    ----------
    x, y : (n,)
    covariates : (n, q)
        q may be 0.
    counts : (R, n)
        How often each unit is drawn.

    Returns
    -------
    array, shape (R,)
        NaN where a sample leaves no spread.

    Notes
    -----
    All samples from sums of products: R n (q + 2)² multiplications and R pseudo-inverses of q x q. A covariate that
    is constant in a sample (a family that was not drawn) drops out of it.
    """
    v = np.column_stack([x, y, covariates])
    v = v - v.mean(axis=0)
    v /= np.linalg.norm(v, axis=0).clip(np.finfo(np.float64).tiny)
    total = counts.sum(axis=1)
    mean = counts @ v / total[:, None]
    pairs = (v[:, :, None] * v[:, None, :]).reshape(len(v), -1)
    C = (counts @ pairs / total[:, None]).reshape(len(counts), v.shape[1], -1) - mean[:, :, None] * mean[:, None, :]
    own, rest = C[:, :2, :2], C[:, :2, :2]
    if covariates.shape[1]:
        across = C[:, :2, 2:]
        rest = own - across @ np.linalg.pinv(C[:, 2:, 2:], rcond=RELATIVE_REST, hermitian=True) @ across.transpose(
            0, 2, 1
        )
    left = rest[:, [0, 1], [0, 1]]
    # what rounding leaves of a variance is relative to that of all units
    defined = (left > RELATIVE_REST * np.maximum(own[:, [0, 1], [0, 1]], 1 / len(v))).all(axis=1)
    below = np.sqrt(np.where(defined, left[:, 0] * left[:, 1], 1.0))
    return np.where(defined, np.clip(rest[:, 0, 1] / below, -1, 1), np.nan)

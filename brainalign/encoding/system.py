"""The ridge problem of one training set, solved for all targets and all alphas by one eigen-decomposition."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from brainalign.errors import NonFiniteError, UndefinedError

__all__ = ["RidgeSystem", "decompose", "decompose_gram", "no_variation", "training_columns", "training_gram"]

CHUNK_BYTES = 32 * 2**20
# columns at once: their copies are memory that was just used, in the processor's cache where rows are few
MOST_COLUMNS = 512


@dataclass(frozen=True)
class RidgeSystem:
    """Ridge regression in the eigenbasis of the centred Gram matrix of the training rows, all float64.

    With ``b = basis' y`` the prediction at the test rows is ``mean(y) + test_basis @ (b / (eigenvalues + alpha))``
    and the fitted values are ``mean(y) + basis @ (b * eigenvalues / (eigenvalues + alpha))``.

    Attributes
    ----------
    basis : (n_train, d)
        Orthonormal; orthogonal to the constant where there is an intercept. Directions without variance are left out.
    eigenvalues : (d,)
        Of the Gram matrix, ascending.
    test_basis : (n_test, d)
    freedom : int
        Directions in which targets can vary: n_train, less one for the intercept.
    intercept : bool
    """

    basis: torch.Tensor
    eigenvalues: torch.Tensor
    test_basis: torch.Tensor
    freedom: int
    intercept: bool

    @property
    def complete(self) -> bool:
        """Whether the basis spans all that targets can do, so that no residual lies outside it."""
        return len(self.eigenvalues) == self.freedom

    @property
    def features(self) -> torch.Tensor:
        """Training rows (n_train, d) in coordinates that have the same Gram matrix as the features."""
        return self.basis * self.eigenvalues.sqrt()

    def shrinkage(self, alphas: torch.Tensor) -> torch.Tensor:
        """Share alpha / (eigenvalue + alpha) of each direction that is left as residual, (alphas, d)."""
        return alphas[:, None] / (self.eigenvalues + alphas[:, None])


def decompose(
    X: torch.Tensor,
    train: torch.Tensor,
    test: torch.Tensor,
    *,
    standardize: bool,
    intercept: bool = True,
    components: int | None = None,
    where: str = "the training rows",
) -> RidgeSystem:
    """Decompose the ridge problem of ``X[train]``, by its n x n or its p x p side, whichever is smaller.

    Parameters
    ----------
    X : (n, p) float32 or float64
    train, test : index vectors on the device of ``X``
    standardize : bool
        Divide columns by their standard deviation over the training rows; columns that vary by less than the
        rounding of their type are left out.
    components : int, optional
        Keep so many leading principal components of the (standardised) training rows.

    Notes
    -----
    Cost: n_train² p + n_train³ flops (n_train <= p) or n_train p² + p³, in float64. Memory: three n_train²
    matrices and a chunk of columns, or three n_train x p matrices.
    """
    n_train, p = len(train), X.shape[1]
    if n_train <= p:
        gram = training_gram(X, train, test, standardize=standardize, intercept=intercept, where=where)
        return decompose_gram(gram, n_train, intercept=intercept, components=components, size=p, where=where)
    basis, eigenvalues, test_basis = _primal(X, torch.cat([train, test]), n_train, standardize, intercept, where)
    return _system(basis, eigenvalues, test_basis, intercept, components, n_train)


def training_gram(
    X: torch.Tensor,
    train: torch.Tensor,
    test: torch.Tensor,
    *,
    standardize: bool,
    intercept: bool = True,
    where: str = "the training rows",
) -> torch.Tensor:
    """Return products of all rows, training rows first, with the training rows, (n_train + n_test, n_train), float64.

    Parameters as of `decompose`. Cost: 2 n n_train p flops; a chunk of columns beside the result.
    """
    rows, n_train = torch.cat([train, test]), len(train)
    gram = torch.zeros(len(rows), n_train, dtype=torch.float64, device=X.device)
    step = max(1, min(MOST_COLUMNS, CHUNK_BYTES // (8 * len(rows))))
    varies = False
    for start in range(0, X.shape[1], step):
        chunk, chunk_varies = training_columns(X, rows, n_train, slice(start, start + step), standardize, intercept)
        gram.addmm_(chunk, chunk[:n_train].T)
        varies |= chunk_varies
    if not varies:
        raise no_variation(where, n_train, X.shape[1])
    return gram


def decompose_gram(
    gram: torch.Tensor,
    n_train: int,
    *,
    intercept: bool = True,
    components: int | None = None,
    size: int = 0,
    where: str = "the training rows",
) -> RidgeSystem:
    """Decompose the ridge problem given by a Gram matrix as of `training_gram`, or a weighted sum of several.

    ``size``: number of features behind it, for the rank that rounding leaves. Cost: n_train³ flops.
    """
    eigenvalues, basis = _eigh(gram[:n_train], where)
    return _system(basis, eigenvalues, gram[n_train:] @ basis, intercept, components, max(n_train, size))


def _system(
    basis: torch.Tensor,
    eigenvalues: torch.Tensor,
    test_basis: torch.Tensor,
    intercept: bool,
    components: int | None,
    size: int,
) -> RidgeSystem:
    # eigenvalues ascend: what is kept are the last ones
    kept = int((eigenvalues > _rank_tolerance(eigenvalues, size)).sum())
    first = len(eigenvalues) - (kept if components is None else min(kept, components))
    basis, eigenvalues, test_basis = basis[:, first:], eigenvalues[first:], test_basis[:, first:]
    basis = basis - basis.mean(dim=0) if intercept else basis.contiguous()
    return RidgeSystem(basis, eigenvalues, test_basis.contiguous(), len(basis) - int(intercept), intercept)


def _rank_tolerance(eigenvalues: torch.Tensor, size: int) -> float:
    return float(eigenvalues.max()) * size * torch.finfo(torch.float64).eps


def training_columns(
    X: torch.Tensor, rows: torch.Tensor, n_train: int, columns: slice, standardize: bool, intercept: bool
) -> tuple[torch.Tensor, bool]:
    """Return chosen columns in float64, centred and scaled by the training rows, and whether any of them varies."""
    chunk = X[:, columns].index_select(0, rows).double()
    mean = chunk[:n_train].mean(dim=0)
    deviation = (chunk[:n_train] - mean).square_().mean(dim=0).sqrt_()
    varies = deviation > 8 * torch.finfo(X.dtype).eps * mean.abs()
    if intercept:
        chunk -= mean
    if standardize:
        chunk *= torch.where(varies, 1 / torch.where(varies, deviation, 1.0), 0.0)
    informative = varies if intercept or standardize else chunk[:n_train].abs().amax(dim=0) > 0
    return chunk, bool(informative.any())


def no_variation(where: str, n_train: int, p: int) -> UndefinedError:
    """Return the error of features that are constant over the training rows."""
    return UndefinedError(
        f"none of the {p} features varies over the {n_train} stimuli of {where}: nothing can be predicted from them."
    )


def _eigh(gram: torch.Tensor, where: str) -> tuple[torch.Tensor, torch.Tensor]:
    if not bool(torch.isfinite(gram).all()):
        raise NonFiniteError(f"products of features overflow in {where}: rescale the features.")
    eigenvalues, vectors = torch.linalg.eigh(gram)
    return eigenvalues, vectors


def _primal(
    X: torch.Tensor, rows: torch.Tensor, n_train: int, standardize: bool, intercept: bool, where: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    features, varies = training_columns(X, rows, n_train, slice(None), standardize, intercept)
    if not varies:
        raise no_variation(where, n_train, X.shape[1])
    train = features[:n_train]
    eigenvalues, axes = _eigh(train.T @ train, where)
    tolerance = _rank_tolerance(eigenvalues, n_train)
    scale = eigenvalues.clamp(min=tolerance).sqrt()  # axes below the tolerance are dropped by the caller
    return train @ axes / scale, eigenvalues, features[n_train:] @ axes * scale

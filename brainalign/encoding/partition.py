"""How the variance that several feature spaces explain is shared between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, as_pair
from brainalign.encoding.banded import check_weights
from brainalign.encoding.bands import Bands, solve_bands
from brainalign.encoding.checks import check_folds
from brainalign.encoding.folds import Fold, Folds, make_folds
from brainalign.encoding.scoring import column_scores
from brainalign.encoding.selection import alpha_grid, check_selection
from brainalign.errors import ChoiceError, InputError, near_names

__all__ = ["VariancePartition", "variance_partition"]

FloatArray = npt.NDArray[np.float64]
Names = tuple[str, ...]

MOST_SPACES = 6


@dataclass(frozen=True)
class VariancePartition:
    """Held-out r2 of feature spaces alone and together; every array (v,), mean over folds, NaN where undefined.

    Attributes
    ----------
    total : (v,)
        r2 of all spaces together.
    product : dict of name to (v,)
        Share of each space by the product measure; they sum to ``total``.
    r2 : dict of names to (v,)
        r2 of each set of spaces (``commonality``; else of all together only).
    unique : dict of name to (v,)
        What is lost without the space; empty for ``product``.
    shared : dict of names to (v,)
        What exactly these spaces have in common and no other explains, for all sets; sums to ``total``. Held-out, a
        part may be negative. Empty for ``product``.
    gamma : (folds, spaces, v)
        Weights chosen for all spaces together.
    """

    total: FloatArray
    product: dict[str, FloatArray]
    r2: dict[Names, FloatArray]
    unique: dict[str, FloatArray]
    shared: dict[Names, FloatArray]
    gamma: FloatArray
    folds: list[Fold]

    def mean(self, part: str | Names | None = None) -> float:
        """Return the mean over neuroids of ``total``, of what is unique to a name, or of what names share."""
        if part is None:
            values = self.total
        else:
            known: Mapping[Any, FloatArray] = self.unique if isinstance(part, str) else self.shared
            if part not in known:
                raise ChoiceError(f"no part {part!r}.{near_names(str(part), map(str, known))}")
            values = known[part]
        defined = np.isfinite(values)
        return float(values[defined].mean()) if defined.any() else float("nan")


def variance_partition(
    spaces: Mapping[str, Any],
    Y: Any,
    *,
    method: str = "commonality",
    folds: Folds = 5,
    groups: npt.ArrayLike | Sequence[Any] | None = None,
    alphas: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    n_samples: int = 20,
    selection: str = "gcv",
    standardize: bool = True,
    seed: int = 0,
) -> VariancePartition:
    """Divide the held-out variance that feature spaces (models, layers, annotations) explain between them.

    Parameters
    ----------
    spaces : mapping of name to array (n, p)
        Two to six feature spaces of the same stimuli.
    Y : array, shape (n, v)
    method : {"commonality", "product"}
        ``commonality`` fits every set of spaces and takes differences of r2. ``product`` fits all together only and
        divides r2 by the part that each space has in the prediction.
    folds, groups, alphas, selection, standardize, seed
        As of `encode`.
    weights, n_samples
        Candidates for the weights of the spaces (banded ridge, see `BandedRidgeCV`); ``n_samples=1`` is ordinary ridge
        on the spaces side by side.

    Returns
    -------
    VariancePartition

    Raises
    ------
    InputError
        Fewer than two spaces, or more than six.
    PairingError, NonFiniteError, UndefinedError, ChoiceError
        As of `encode`; the message names the space.

    Notes
    -----
    The product measure of a space is sum(p_i (2 y - p)) / sum(y²) over test rows, with p_i its part of the prediction
    p, both about the training means. Cost: sets x folds x candidates decompositions.
    Borcard, Legendre & Drapeau 1992, doi:10.2307/1940179; Pratt 1987; Dupré la Tour et al. 2022,
    doi:10.1016/j.neuroimage.2022.119728.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((2, 100, 4))
    >>> parts = variance_partition({"a": a, "b": b}, a[:, :2] + 0.3 * rng.standard_normal((100, 2)))
    >>> bool(parts.mean("a") > 0.7), bool(abs(parts.mean("b")) < 0.1)
    (True, True)
    """
    if method not in ("commonality", "product"):
        raise ChoiceError(f"method={method!r} is unknown.{near_names(str(method), ['commonality', 'product'])}")
    if not 2 <= len(spaces) <= MOST_SPACES:
        raise InputError(f"{len(spaces)} feature spaces: variance is divided between two to {MOST_SPACES}.")
    grid, names = torch.as_tensor(alpha_grid(alphas)), tuple(spaces)
    check_selection(selection)
    y = as_matrix(Y, name="Y")
    matrices = [as_pair(X, Y, names=(f"space {name!r}", "Y"))[0] for name, X in spaces.items()]
    splits = make_folds(len(y), folds, groups, seed)
    check_folds(splits)
    candidates = check_weights(weights, len(names), n_samples, seed)
    labels = None if groups is None else np.asarray(groups)
    options: dict[str, Any] = {"selection": selection, "seed": seed}
    chosen = _sets(len(names)) if method == "commonality" else [tuple(range(len(names)))]
    r2 = {members: np.empty((len(splits), y.shape[1])) for members in chosen}
    product = np.empty((len(splits), len(names), y.shape[1]))
    gamma = np.empty_like(product)
    for fold, (train, test) in enumerate(splits):
        rows = torch.as_tensor(train), torch.as_tensor(test)
        bands = Bands.of(matrices, *rows, standardize=standardize, where=f"fold {fold}")
        inside = None if labels is None else labels[train]
        for members in chosen:
            solved = solve_bands(
                bands, y[train], torch.as_tensor(_of(candidates, members)), grid, groups=inside, **options
            )
            parts = bands.parts(solved.dual) * solved.gamma[:, None]
            r2[members][fold] = _r2(parts.sum(dim=0), solved.mean, y, rows[1])
        # the last set is that of all spaces
        product[fold], gamma[fold] = _product(parts, solved.mean, y[test]), solved.gamma.numpy()
    return _partition(names, {m: v.mean(axis=0) for m, v in r2.items()}, product.mean(axis=0), gamma, splits)


def _sets(n_spaces: int) -> list[tuple[int, ...]]:
    return [m for size in range(1, n_spaces + 1) for m in combinations(range(n_spaces), size)]


def _of(candidates: FloatArray, members: tuple[int, ...]) -> FloatArray:
    """Candidates with the weights of all other spaces at zero, each once."""
    kept = np.zeros_like(candidates)
    kept[:, members] = candidates[:, members]
    total = kept.sum(axis=1, keepdims=True)
    if not (total > 0).any():
        kept[0, members], total[0] = 1.0, len(members)
    rows = total[:, 0] > 0
    return np.asarray(np.unique(kept[rows] / total[rows], axis=0))


def _r2(predicted: torch.Tensor, mean: torch.Tensor, y: torch.Tensor, test: torch.Tensor) -> FloatArray:
    scale = (y - y.double().mean(dim=0)).square().sum(dim=0)
    middle = predicted.mean(dim=0)
    return np.asarray(column_scores(predicted - middle, middle + mean, y[test], scale)[1].numpy())


def _product(parts: torch.Tensor, mean: torch.Tensor, y: torch.Tensor) -> FloatArray:
    """Share of each space in r2, (spaces, v); what the training mean costs is divided evenly."""
    level = y.double().mean(dim=0)
    offset, y = mean - level, y - level
    predicted = parts.sum(dim=0) + offset
    squares = y.square().sum(dim=0)
    left = 2 * y - predicted
    shares = (parts * left).sum(dim=1) + (offset * left).sum(dim=0) / len(parts)
    return np.asarray(torch.where(squares > 0, shares / squares, torch.nan).numpy())


def _partition(
    names: Names, r2: dict[tuple[int, ...], FloatArray], product: FloatArray, gamma: FloatArray, folds: list[Fold]
) -> VariancePartition:
    everything = tuple(range(len(names)))

    def named(members: tuple[int, ...]) -> Names:
        return tuple(names[m] for m in members)

    shared = {named(m): _shared(m, everything, r2) for m in r2} if len(r2) > 1 else {}
    return VariancePartition(
        total=r2[everything],
        product=dict(zip(names, product, strict=True)),
        r2={named(m): values for m, values in r2.items()},
        unique={name: shared[name,] for name in names} if shared else {},
        shared=shared,
        gamma=gamma,
        folds=folds,
    )


def _shared(members: tuple[int, ...], everything: tuple[int, ...], r2: dict[tuple[int, ...], FloatArray]) -> FloatArray:
    """What exactly ``members`` have in common, by inclusion and exclusion over the sets that hold all others."""
    others = [e for e in everything if e not in members]
    total = np.zeros_like(r2[everything])
    for size in range(len(members) + 1):
        for some in combinations(members, size):
            union = tuple(sorted([*others, *some]))
            if union:
                total -= (-1) ** size * r2[union]
    return total

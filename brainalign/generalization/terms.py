"""What the bound needs to know of one layer, measured where it can be, and said where it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from brainalign.arrays import as_matrix
from brainalign.errors import InputError
from brainalign.geometry import local_dimension
from brainalign.kernels.transport import diameter

__all__ = ["LayerTerms", "layer_terms"]

NEIGHBOURS = 20


@dataclass(frozen=True)
class LayerTerms:
    """The quantities of the bound at one layer k.

    Attributes
    ----------
    dimension : float
        d_k: the upper Wasserstein dimension of the embedding's law.
    diameter : float
        Of the support of the embedding.
    lipschitz : float
        L_k(F_k), of the network after the layer; 1 at the output.
    bayes_lipschitz : float
        L_k(F*_k), of the best predictor from this layer, E[Y | Z_k]. No data test it.
    bayes_error : float
        E ‖Y - F*_k(Z_k)‖₁, the error of that predictor.
    bayes_range : float
        D_k: between the smallest and the largest ‖Y - F*_k(Z_k)‖₁.
    constant : float or None
        C_k of the rate, diameter included; None: the diameter, which is no proven constant.
    estimated : tuple of str
        What of these was measured on a sample, in words.
    """

    dimension: float
    diameter: float
    lipschitz: float = 1.0
    bayes_lipschitz: float = 1.0
    bayes_error: float = 0.0
    bayes_range: float = 0.0
    constant: float | None = None
    estimated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("dimension", "diameter", "lipschitz", "bayes_lipschitz", "bayes_error", "bayes_range", "constant"):
            value = getattr(self, name)
            least = 0.0
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
                raise InputError(f"{name}={value!r}; every term of the bound is a number of at least 0.")
        if not (self.dimension > 0 and math.isfinite(self.dimension)):
            raise InputError(f"dimension={self.dimension!r}; a positive number is needed.")


def layer_terms(
    embeddings: Any,
    *,
    dimension: float | None = None,
    diameter_of_support: float | None = None,
    lipschitz: float = 1.0,
    bayes_lipschitz: float = 1.0,
    bayes_error: float = 0.0,
    bayes_range: float = 0.0,
    constant: float | None = None,
) -> LayerTerms:
    """Return the terms of a layer, dimension and diameter measured on held-out embeddings where they are not given.

    Parameters
    ----------
    embeddings : array, shape (n, p)
        Of samples that had no part in training.
    dimension, diameter_of_support : float, optional
        Default: local dimension by maximum likelihood over 20 neighbours of all points together, and the largest
        distance of two points. Neither is what the theorem speaks of; the report says so.
    lipschitz, bayes_lipschitz, bayes_error, bayes_range, constant
        As in `LayerTerms`.

    Raises
    ------
    ShapeError, UndefinedError, NonFiniteError
        As in `brainalign.geometry.local_dimension`.
    """
    points = as_matrix(embeddings, name="embeddings", min_rows=4)
    said = []
    if dimension is None:
        k = min(NEIGHBOURS, len(points) - 1)
        dimension = local_dimension(points, k=k, average="harmonic").value
        said.append(f"its dimension is the local one at {k} neighbours, which may lie below the Wasserstein dimension")
    if diameter_of_support is None:
        diameter_of_support = diameter(points)
        said.append("its diameter is the largest distance in the sample, at most that of the support")
    return LayerTerms(
        float(dimension),
        float(diameter_of_support),
        lipschitz,
        bayes_lipschitz,
        bayes_error,
        bayes_range,
        constant,
        tuple(said),
    )

"""How sensitive a network, or its part after a layer, is to changes: from below on data, from above everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix
from brainalign.errors import InputError, ModelError
from brainalign.generalization.graph import Step, attention_in, parts_of, prepared, upper_bound
from brainalign.generalization.jacobians import apply_in_parts, jacobian_norms, neighbour_ratios

__all__ = ["LipschitzBounds", "lipschitz_bounds"]

FloatArray = npt.NDArray[np.float64]

SLACK = 1e-6


@dataclass(frozen=True, eq=False)
class LipschitzBounds:
    """Bounds of the Lipschitz constant of a network or of the part after a layer, Euclidean norms on both sides.

    ``max(empirical, local) <= true <= upper``; neither of the first two orders the other.

    Attributes
    ----------
    empirical : float
        Largest ratio of output to input distance over pairs of neighbouring inputs.
    local : float
        Largest norm of the Jacobian at inputs.
    upper : float
        Product of operator norms along the graph, sums where paths join; infinite where a step has no constant.
    pointwise : array, shape (n_points,)
        The norm of the Jacobian at each input that was taken.
    ratios : array, shape (n_pairs,)
        The ratio of each pair.
    steps : tuple of Step
        Name, kind and constant of the steps other than 1.
    unbounded : tuple of str
        Why ``upper`` is infinite: attention, for example. The local value stands all the same.
    from_layer : str or None
        As given.
    """

    empirical: float
    local: float
    upper: float
    pointwise: FloatArray = field(repr=False)
    ratios: FloatArray = field(repr=False)
    steps: tuple[Step, ...] = field(repr=False)
    unbounded: tuple[str, ...]
    from_layer: str | None = None


def lipschitz_bounds(
    network: Any,
    inputs: Any,
    *,
    from_layer: str | None = None,
    n_points: int = 64,
    n_neighbours: int = 5,
    seed: int = 0,
) -> LipschitzBounds:
    """Bound the Lipschitz constant of a network, or of the part of it after a layer.

    Parameters
    ----------
    network : torch.nn.Module, or anything that holds one as ``module``
        Taken in evaluation mode and float64, as a copy.
    inputs : array or tensor, shape (n, ...)
        Inputs of the whole network, at least two.
    from_layer : str, optional
        Bound only what follows the output of this layer; the inputs are carried there first.
    n_points : int
        Inputs, drawn at random, at which the Jacobian is taken.
    n_neighbours : int
        Each input is paired with as many neighbours (in the space where the bounded part begins).
    seed : int
        Of the draws.

    Returns
    -------
    LipschitzBounds

    Raises
    ------
    ModelError
        If the network is no torch module, gives several outputs, cannot be cut at the layer, or a lower bound is above
        the upper one by more than 1e-6 of it: then its output depends on more than its input.
    UnknownLayerError
        If there is no such layer, or the forward pass does not reach it.
    InputError, ShapeError, NonFiniteError
        For inputs that are no finite real numbers, fewer than two, or counts that are none.

    Notes
    -----
    Convolutions count as operators on the grid they run on, not by their reshaped kernel; batch norms by their running
    statistics; layer norms by max |gamma| / sqrt(eps), which holds for any input and is far above what data give.
    Residual sums add. Dot-product attention has no global constant (Kim et al. 2021, arXiv:2006.04710). Products of
    norms are loose, the more so the deeper the network. Cost: tens to hundreds of passes of each layer forward and
    back, and up to 120 of the network for ``n_points`` inputs.

    Examples
    --------
    >>> from torch import nn
    >>> layer = nn.Linear(3, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = layer.weight.copy_(torch.tensor([[3.0, 0, 0], [0, 1, 0]]))
    >>> bounds = lipschitz_bounds(nn.Sequential(layer, nn.ReLU()), np.random.default_rng(0).normal(size=(20, 3)))
    >>> round(bounds.local, 4), round(bounds.upper, 4), bounds.empirical <= bounds.upper
    (3.0, 3.0, True)
    """
    for name, count in (("n_points", n_points), ("n_neighbours", n_neighbours)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise InputError(f"{name}={count!r}; give a positive integer.")
    points = _inputs(inputs)
    parts = parts_of(prepared(network), from_layer)
    if parts.before is not None:
        points = apply_in_parts(parts.before, points)
    if parts.traced:
        upper, steps, reasons = upper_bound(parts.after, points[:2])
    else:
        upper, steps, reasons = math.inf, [], [*attention_in(parts.after), parts.reason]
    rows = np.sort(np.random.default_rng(seed).choice(len(points), min(n_points, len(points)), replace=False))
    pointwise = jacobian_norms(parts.after, points[torch.from_numpy(rows)], seed=seed)
    ratios = neighbour_ratios(parts.after, points, k=n_neighbours)
    found = LipschitzBounds(
        empirical=float(ratios.max(initial=0.0)),
        local=float(pointwise.max()),
        upper=upper,
        pointwise=pointwise,
        ratios=ratios,
        steps=tuple(steps),
        unbounded=tuple(reasons),
        from_layer=from_layer,
    )
    for name in ("empirical", "local"):
        if getattr(found, name) > upper * (1 + SLACK):
            raise ModelError(
                f"the {name} constant {getattr(found, name):.6g} is above the upper bound {upper:.6g}: the network's "
                "output depends on more than its input (chance, or a state), or a layer is not what its class says."
            )
    return found


def _inputs(inputs: Any) -> torch.Tensor:
    shaped = inputs if isinstance(inputs, torch.Tensor) else np.asarray(inputs)
    if shaped.ndim < 2:
        raise InputError(f"inputs have shape {tuple(shaped.shape)}; give a batch (n, ...).")
    if (isinstance(shaped, torch.Tensor) and not shaped.is_floating_point()) or (
        isinstance(shaped, np.ndarray) and shaped.dtype.kind != "f"
    ):
        raise InputError(
            f"inputs are {shaped.dtype}; a Lipschitz constant needs real numbers, such as embedded tokens."
        )
    flat = as_matrix(shaped.reshape(len(shaped), -1), name="inputs", min_rows=2)
    return flat.double().cpu().reshape(shaped.shape)

"""The distance between two clouds by any of the methods, and what may be asked of them."""

from __future__ import annotations

import math

import numpy as np
import torch

from brainalign.errors import ChoiceError, InputError, near_names
from brainalign.kernels.transport import exact_transport, sinkhorn_divergence, sliced_transport

__all__ = ["METHODS", "check_choices", "directions_for", "distance_between"]

METHODS = ("exact", "sinkhorn", "sliced")
N_DIRECTIONS = 200


def distance_between(A: torch.Tensor, B: torch.Tensor, p: float, method: str, directions: torch.Tensor | None) -> float:
    """Return the distance between two clouds of float64, along ``directions`` where they are given."""
    if directions is not None:
        return sliced_transport(A, B, directions, p=p)
    return exact_transport(A, B, p=p) if method == "exact" else sinkhorn_divergence(A, B, p=p)


def directions_for(d: int, rng: np.random.Generator) -> torch.Tensor:
    """Draw directions (d, 200) of length one."""
    drawn = torch.from_numpy(rng.normal(size=(d, N_DIRECTIONS)))
    return torch.nn.functional.normalize(drawn, dim=0)


def check_choices(p: float, method: str, count: int, name: str) -> None:
    """Refuse an unknown method, an order below 1, and a count that is none."""
    if method not in METHODS:
        raise ChoiceError(f"method={method!r} is unknown.{near_names(str(method), METHODS)}")
    if isinstance(p, bool) or not isinstance(p, int | float | np.number) or not 1 <= p < math.inf:
        raise InputError(f"p={p!r}; the order of a Wasserstein distance is a number of at least 1.")
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise InputError(f"{name}={count!r}; give a positive integer.")

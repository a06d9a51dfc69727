"""How strongly a network amplifies changes around given inputs, and between neighbouring ones."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from brainalign.kernels import neighbour_graph

__all__ = ["apply_in_parts", "jacobian_norms", "neighbour_ratios"]

FloatArray = npt.NDArray[np.float64]
TensorMap = Callable[[torch.Tensor], torch.Tensor]

BATCH = 64
STEPS = 40
TOLERANCE = 1e-5
# numbers in the directions that are kept of one batch
KEPT = 1 << 26


def jacobian_norms(function: TensorMap, points: torch.Tensor, *, seed: int = 0) -> FloatArray:
    """Return the largest singular value of the Jacobian at each point (n, ...), shape (n,).

    Powers of the Jacobian's transpose times the Jacobian on a random direction, all samples of a batch at once, and the
    best direction among all that came up (Lanczos). From below: where it has not converged, the value is the
    amplification of some direction all the same.

    Notes
    -----
    Cost: two passes forward and one back for each of up to 40 steps, until no value of a batch grows by more than 1e-5.
    """
    generator = torch.Generator().manual_seed(seed)
    with differentiable():
        size = max(1, min(BATCH, KEPT // (STEPS * points[0].numel())))
        parts = [_norms(function, part, generator) for part in torch.split(points, size)]
    return np.asarray(torch.cat(parts).numpy())


def neighbour_ratios(function: TensorMap, points: torch.Tensor, *, k: int) -> FloatArray:
    """Return the ratio of output distance to input distance for each point and its k neighbours that differ from it."""
    flat = points.reshape(len(points), -1)
    near = neighbour_graph(flat, k=min(k, len(flat) - 1))
    made = apply_in_parts(function, points).reshape(len(points), -1)
    one = torch.arange(len(flat)).repeat_interleave(near.index.shape[1])
    other = torch.from_numpy(near.index.reshape(-1).astype(np.int64))
    apart = torch.linalg.vector_norm(flat[one] - flat[other], dim=1)
    moved = torch.linalg.vector_norm(made[one] - made[other], dim=1)
    differs = apart > 0
    return np.asarray((moved[differs] / apart[differs]).numpy())


def apply_in_parts(function: TensorMap, points: torch.Tensor) -> torch.Tensor:
    """Apply a function to a batch at a time, without gradients and without touching the points."""
    with torch.no_grad():
        return torch.cat([function(part.clone()) for part in torch.split(points, BATCH)])


@contextlib.contextmanager
def differentiable() -> Iterator[None]:
    """Let attention run by plain products: its fused forms have no forward derivative."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            # torch compiles its own table of derivatives when it is first asked for a forward one
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.script", category=FutureWarning)
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.script", category=DeprecationWarning)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _norms(function: TensorMap, points: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    def safe(x: torch.Tensor) -> torch.Tensor:
        return function(x.clone())  # layers that write in place must not write into the points

    pull: Callable[[torch.Tensor], tuple[torch.Tensor]] = torch.func.vjp(safe, points)[1]
    n, size = len(points), points[0].numel()
    direction = _unit(torch.randn((n, size), generator=generator, dtype=points.dtype))
    basis = torch.empty((n, 0, size), dtype=points.dtype)
    squares = torch.zeros((n, min(STEPS, size), min(STEPS, size)), dtype=points.dtype)
    norm = torch.zeros(n, dtype=points.dtype)
    for i in range(squares.shape[1]):
        basis = torch.cat([basis, direction[:, None]], dim=1)
        pushed = torch.func.jvp(safe, (points,), (direction.reshape(points.shape),))[1].detach()
        pulled = pull(pushed)[0].detach().reshape(n, size)
        along = torch.einsum("nkd,nd->nk", basis, pulled)
        squares[:, i, : i + 1] = squares[:, : i + 1, i] = along
        last, norm = norm, torch.linalg.eigvalsh(squares[:, : i + 1, : i + 1])[:, -1].clamp_min(0).sqrt()
        rest = pulled - torch.einsum("nkd,nk->nd", basis, along)
        rest = rest - torch.einsum("nkd,nd,nke->ne", basis, rest, basis)  # once more, against rounding
        if bool((norm - last <= TOLERANCE * norm).all()) and i:
            break
        direction = _unit(rest, than=torch.linalg.vector_norm(pulled, dim=1))
    return norm


def _unit(v: torch.Tensor, than: torch.Tensor | None = None) -> torch.Tensor:
    """Scale rows to length one; rows that are rounding beside the lengths given become zero."""
    length = torch.linalg.vector_norm(v, dim=1)
    least = torch.zeros_like(length) if than is None else than * 1e-10
    return torch.where((length > least)[:, None], v / length.clamp_min(torch.finfo(v.dtype).tiny)[:, None], 0.0)

"""The trained update U C V' of one layer, and layers that add it to their frozen weight.

A layer keeps its class as a base, its name and its parameters, so that whatever walks a network still finds it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from brainalign.spectral.coefficients import band_index, count_coefficients

__all__ = ["SpectralLinear", "SpectralUpdate", "adapted_class", "is_transposed"]


class SpectralUpdate(nn.Module):
    """``left @ C @ right.T`` with frozen bases and trained coefficients, zero at first.

    Parameters
    ----------
    left, right : tensors, shapes (rows, r), (columns, r)
        Orthonormal bases.
    coefficients : {"diagonal", "core", "banded"}
    bandwidth : int
        Of ``banded``.
    """

    left: torch.Tensor
    right: torch.Tensor
    band: torch.Tensor | None

    def __init__(self, left: torch.Tensor, right: torch.Tensor, coefficients: str, bandwidth: int = 1) -> None:
        super().__init__()
        rank = left.shape[1]
        self.kind = coefficients
        self.merged = False
        self.register_buffer("left", left.contiguous())
        self.register_buffer("right", right.contiguous())
        index = band_index(rank, bandwidth).to(left.device) if coefficients == "banded" else None
        self.register_buffer("band", index, persistent=False)
        count = count_coefficients(coefficients, rank, bandwidth=bandwidth)
        start = torch.zeros(count, dtype=torch.float32 if left.dtype != torch.float64 else torch.float64)
        self.coefficients = nn.Parameter(
            (start.reshape(rank, rank) if coefficients == "core" else start).to(left.device)
        )

    def core(self) -> torch.Tensor:
        """Return C: (r,) of a diagonal, else (r, r)."""
        if self.band is None:
            return self.coefficients
        rank = self.left.shape[1]
        dense = self.coefficients.new_zeros(rank, rank)
        return dense.index_put((self.band[0], self.band[1]), self.coefficients)

    def delta(self) -> torch.Tensor:
        """Return the update as a matrix (rows, columns), differentiable in the coefficients."""
        core = self.core()
        left = self.left * core if core.ndim == 1 else self.left @ core
        return left @ self.right.T

    def extra_repr(self) -> str:
        return f"{self.kind}, rank={self.left.shape[1]}, merged={self.merged}"


class SpectralLinear(nn.Linear):
    """A linear layer with an update. Gradients of the weight are never formed where that saves work."""

    spectral: SpectralUpdate

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        spectral = self.spectral
        if spectral.merged:
            return super().forward(input)
        plain = not self.weight.requires_grad and self.weight.dtype in (torch.float32, torch.float64)
        if not plain or input.dtype != self.weight.dtype or torch.is_autocast_enabled(input.device.type):
            return super().forward(input) + self._branch(input)
        adapted: torch.Tensor = _Adapted.apply(
            input, self.weight, self.bias, spectral.left, spectral.right, spectral.core()
        )
        return adapted

    def _branch(self, input: torch.Tensor) -> torch.Tensor:
        spectral = self.spectral
        core = spectral.core()
        inner = F.linear(input, spectral.right.T.to(input.dtype))
        inner = inner * core.to(inner.dtype) if core.ndim == 1 else F.linear(inner, core.to(inner.dtype))
        return F.linear(inner, spectral.left.to(inner.dtype))


class _Adapted(torch.autograd.Function):
    """x (W + U C V')' + b for a frozen W.

    The update enters the weight once a step instead of every row of x, and the gradient of C is (g U)'(x V): neither
    x nor the gradient of the weight is kept. Where the bases are so wide that projecting every row costs more than
    the gradient of the weight, that is formed after all.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, W: torch.Tensor, b: torch.Tensor | None, *update: torch.Tensor) -> Any:
        U, V, core = update
        r, (m, n) = U.shape[1], W.shape
        flat = x.reshape(-1, n)
        rows = len(flat)
        ctx.wide = rows * r * (m + n) > rows * m * n + m * n * r
        inner = None if ctx.wide or not ctx.needs_input_grad[5] else flat @ V
        if inner is not None and rows * (m + r) < m * n:
            through = inner * core if core.ndim == 1 else inner @ core.T
            out = torch.addmm(F.linear(flat, W, b), through, U.T)
        else:
            out = F.linear(flat, _weight(W, U, V, core), b)
        ctx.save_for_backward(flat if inner is None else inner, W, U, V, core)
        return out.reshape(*x.shape[:-1], m)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        kept, W, U, V, core = ctx.saved_tensors
        g = grads[0].reshape(-1, W.shape[0])
        grad_x = grad_b = grad_core = None
        if ctx.needs_input_grad[0]:
            grad_x = (g @ _weight(W, U, V, core)).reshape(*grads[0].shape[:-1], W.shape[1])
        if ctx.needs_input_grad[2]:
            grad_b = g.sum(dim=0)
        if ctx.needs_input_grad[5] and ctx.wide:
            projected = U.T @ (g.T @ kept)
            grad_core = (projected * V.T).sum(dim=1) if core.ndim == 1 else projected @ V
        elif ctx.needs_input_grad[5]:
            outer = g @ U
            grad_core = (outer * kept).sum(dim=0) if core.ndim == 1 else outer.T @ kept
        return grad_x, None, grad_b, None, None, grad_core


def _weight(W: torch.Tensor, U: torch.Tensor, V: torch.Tensor, core: torch.Tensor) -> torch.Tensor:
    return torch.addmm(W, U * core if core.ndim == 1 else U @ core, V.T)


class _Convolution:
    """A convolution with an update of its kernel (out, in · …)."""

    spectral: SpectralUpdate
    weight: torch.Tensor
    bias: torch.Tensor | None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        weight = self.weight
        if not self.spectral.merged:
            weight = weight + self.spectral.delta().to(weight.dtype).reshape(weight.shape)
        convolved: torch.Tensor = self._conv_forward(input, weight, self.bias)  # type: ignore[attr-defined]
        return convolved


class SpectralConv1d(_Convolution, nn.Conv1d):
    """A one-dimensional convolution with an update."""


class SpectralConv2d(_Convolution, nn.Conv2d):
    """A two-dimensional convolution with an update."""


class SpectralConv3d(_Convolution, nn.Conv3d):
    """A three-dimensional convolution with an update."""


class _OwnForward:
    """A kind of convolution with a forward pass of its own (padding, standardised weights), which reads its weight."""

    spectral: SpectralUpdate
    _parameters: dict[str, torch.Tensor | None]

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        own = self._parameters["weight"]
        if not self.spectral.merged and own is not None:
            self._parameters["weight"] = own + self.spectral.delta().to(own.dtype).reshape(own.shape)
        try:
            convolved: torch.Tensor = super().forward(*inputs)  # type: ignore[misc]
        finally:
            self._parameters["weight"] = own
        return convolved


class _Transposed:
    """A layer whose weight is (in, out), as transformers' ``Conv1D`` keeps it."""

    spectral: SpectralUpdate
    weight: torch.Tensor
    bias: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight
        if not self.spectral.merged:
            weight = weight + self.spectral.delta().to(weight.dtype).T
        return x @ weight + self.bias


_ADAPTED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: SpectralLinear,
    nn.Conv1d: SpectralConv1d,
    nn.Conv2d: SpectralConv2d,
    nn.Conv3d: SpectralConv3d,
}


def adapted_class(kind: type[nn.Module]) -> type[nn.Module] | None:
    """Return the class of an adapted layer, or None where a layer of that class cannot be adapted.

    Classes derived from linear layers are refused: they may read their weight elsewhere, or keep it in another form.
    """
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    if kind not in _ADAPTED and issubclass(kind, kinds) and not issubclass(kind, LazyModuleMixin):
        adapted = any(issubclass(kind, own) for own in (_Convolution, _OwnForward))
        return None if adapted else _ADAPTED.setdefault(kind, type(f"Spectral{kind.__name__}", (_OwnForward, kind), {}))
    if kind not in _ADAPTED and kind.__module__ == "transformers.pytorch_utils" and kind.__name__ == "Conv1D":
        _ADAPTED[kind] = type("SpectralTransposed", (_Transposed, kind), {})
    return _ADAPTED.get(kind)


def is_transposed(module: nn.Module) -> bool:
    """Tell whether a layer keeps its weight as (in, out)."""
    return any(c.__module__ == "transformers.pytorch_utils" and c.__name__ == "Conv1D" for c in type(module).__mro__)

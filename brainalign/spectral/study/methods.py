"""The ways to fine-tune that a study compares, each with its learning rates; those of peft come from peft."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from brainalign.errors import ChoiceError, MissingDependencyError, near_names
from brainalign.spectral.adapter import SpectralAdapter
from brainalign.spectral.coefficients import count_coefficients
from brainalign.spectral.targets import choose_targets

__all__ = ["METHODS", "Attached", "Method", "attach", "budget_of", "core_rank", "lora_rank"]

Build = Callable[[nn.Module, int, int], "Attached"]


@dataclass(frozen=True, eq=False)
class Attached:
    """A method on an encoder: the encoder to run, what is trained in it, and the rank where it has one."""

    encoder: nn.Module
    trained: list[nn.Parameter]
    rank: int | None = None
    adapter: SpectralAdapter | None = None


@dataclass(frozen=True)
class Method:
    """One way to fine-tune.

    Attributes
    ----------
    build : callable
        (encoder, budget in parameters, seed) -> Attached.
    rates : tuple of float
        Learning rates that are tried; the development set picks.
    head_rate : float
        Of the head.
    matched : bool
        Whether the number of trained parameters follows the budget.
    """

    build: Build
    rates: tuple[float, ...]
    head_rate: float = 5e-3
    matched: bool = True


def budget_of(encoder: nn.Module, share: float) -> int:
    """Return the budget in parameters: a share of those of the encoder."""
    return int(share * sum(p.numel() for p in encoder.parameters()))


def core_rank(shapes: list[tuple[int, int]], budget: int) -> int:
    """Largest rank whose cores fit the budget, at least 1.

    >>> core_rank([(384, 384)] * 24 + [(1536, 384), (384, 1536)] * 6, 45_426)
    35
    """
    return max(1, min(math.isqrt(budget // len(shapes)), *(min(shape) for shape in shapes)))


def lora_rank(shapes: list[tuple[int, int]], budget: int) -> int:
    """Rank of LoRA nearest to the budget, at least 1.

    >>> lora_rank([(384, 384)] * 24 + [(1536, 384), (384, 1536)] * 6, 45_426)
    1
    """
    return max(1, round(budget / sum(rows + columns for rows, columns in shapes)))


def attach(name: str, encoder: nn.Module, *, budget: int, seed: int) -> Attached:
    """Put a method on an encoder, in place.

    Raises
    ------
    ChoiceError, MissingDependencyError
    """
    if name not in METHODS:
        raise ChoiceError(f"method {name!r} is unknown." + near_names(name, METHODS))
    return METHODS[name].build(encoder, budget, seed)


def _head(encoder: nn.Module, _budget: int, _seed: int) -> Attached:
    encoder.requires_grad_(False)
    return Attached(encoder, [])


def _full(encoder: nn.Module, _budget: int, _seed: int) -> Attached:
    encoder.requires_grad_(True)
    for name, p in encoder.named_parameters():
        if "pooler" in name:  # no part of the embedding: without gradients
            p.requires_grad_(False)
    return Attached(encoder, [p for p in encoder.parameters() if p.requires_grad])


def _spectral(**options: Any) -> Build:
    def build(encoder: nn.Module, budget: int, seed: int) -> Attached:
        shapes = _shapes(encoder)
        chosen = dict(options)
        if chosen["coefficients"] == "core":
            chosen["rank"] = core_rank(shapes, budget)
        elif chosen["coefficients"] == "banded":
            chosen["bandwidth"] = _bandwidth(shapes, budget)
        adapter = SpectralAdapter(encoder, seed=seed, **chosen)
        return Attached(encoder, list(adapter.parameters()), chosen.get("rank"), adapter)

    return build


def _peft(**options: Any) -> Build:
    def build(encoder: nn.Module, budget: int, seed: int) -> Attached:
        try:
            import peft
        except ImportError as error:
            raise MissingDependencyError("LoRA comes from peft: pip install 'brainalign[hf]'") from error
        names = list(choose_targets(encoder, None))
        rank = lora_rank(_shapes(encoder), budget)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=names, **options)
            wrapped: Any = peft.get_peft_model(encoder, config)
        return Attached(wrapped, [p for p in wrapped.parameters() if p.requires_grad], rank)

    return build


def _shapes(encoder: nn.Module) -> list[tuple[int, int]]:
    weights = [m.weight for m in choose_targets(encoder, None).values()]
    return [tuple(w.flatten(1).shape) for w in weights if isinstance(w, torch.Tensor)]  # type: ignore[misc]


def _bandwidth(shapes: list[tuple[int, int]], budget: int) -> int:
    """Widest band over all singular directions that fits the budget, at least 1."""
    width = 1
    while sum(count_coefficients("banded", min(s), bandwidth=width + 1) for s in shapes) <= budget:
        width += 1
    return width


_CORE_RATES = (1e-3, 4e-3, 1.6e-2)
METHODS: dict[str, Method] = {
    "head": Method(_head, (5e-3, 2e-2, 5e-2), matched=False),
    "full": Method(_full, (2e-5, 5e-5, 1.5e-4), matched=False),
    "lora": Method(_peft(), (5e-4, 2e-3, 8e-3)),
    "pissa": Method(_peft(init_lora_weights="pissa"), (1e-4, 5e-4, 2e-3)),
    "core": Method(_spectral(coefficients="core", basis="leading"), _CORE_RATES),
    "random": Method(_spectral(coefficients="core", basis="random"), _CORE_RATES),
    "trailing": Method(_spectral(coefficients="core", basis="trailing"), _CORE_RATES),
    "banded": Method(_spectral(coefficients="banded", basis="leading"), (5e-3, 2e-2, 5e-2)),
    "diagonal": Method(_spectral(coefficients="diagonal", basis="leading"), (5e-3, 2e-2, 5e-2), matched=False),
}

"""An adapter that trains coefficients of a fixed singular basis, in place on any torch network."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from brainalign.errors import ChoiceError, InputError, near_names
from brainalign.spectral.adapter_files import read_adapter, write_adapter
from brainalign.spectral.basis import BASES, adapter_basis
from brainalign.spectral.coefficients import COEFFICIENTS
from brainalign.spectral.targets import choose_targets, plain_name
from brainalign.spectral.update import SpectralUpdate, adapted_class, is_transposed

__all__ = ["ParameterCount", "SpectralAdapter"]


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of parameters: trained by the adapter, trained in the head, of the frozen network, of all together."""

    adapter: int
    head: int
    base: int

    @property
    def total(self) -> int:
        return self.adapter + self.head + self.base

    @property
    def percent(self) -> float:
        """Those of the adapter, per cent of the frozen network; the head is not among either."""
        return 100.0 * self.adapter / self.base


class SpectralAdapter:
    """Add W + U C V' to layers of a network, U and V frozen, C trained.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place: the layers keep names, classes (as a base) and weights; every parameter but the coefficients
        and the head stops asking for gradients. Works on networks of transformers, and on ones that peft has wrapped.
    coefficients : {"core", "diagonal", "banded"}
        All of the r x r core, its diagonal, or a band of ``bandwidth`` diagonals on each side.
    rank : int, optional
        Number r of directions; default all of each matrix.
    targets : str or sequence of str, optional
        Names or patterns of layers, such as ``("*.query", "*.value")``; default the linear layers and convolutions
        inside the repeated blocks.
    basis : {"leading", "trailing", "random", "gradient"}
        Singular directions of the weight, random orthonormal ones, or leading directions of the gradient of a loss.
    head : str or sequence of str, optional
        Names or patterns of parameters that stay trainable, such as ``classifier.*``.
    bandwidth : int
        Of ``banded``.
    gradients : mapping of str to tensor, or callable, optional
        For ``basis="gradient"``: gradients of the weights by name of the layer, or a function without arguments that
        returns a loss.
    seed : int
        Of ``random``.

    Raises
    ------
    ChoiceError, UnknownLayerError, ShapeError, UndefinedError, NonFiniteError, InputError
        For unknown names, patterns that match nothing, a rank beyond a matrix (or beyond the rank of a deficient one),
        NaN, quantised or tied weights, layers that read their weight elsewhere. The network is then unchanged.

    Notes
    -----
    At first C = 0 and the network computes what it did. Bases are exact to float64 rounding and never change. A
    forward pass adds the update to the weight once, so a step costs that of the frozen network and two projections
    of activations on r directions. Works under autocast and gradient checkpointing. Running statistics of batch norms
    are no parameters: they move in training mode, and no saved adapter holds them; keep those layers in ``eval``.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    >>> adapter = SpectralAdapter(network, rank=3, targets="0", head="2.*")
    >>> adapter.count_parameters()
    ParameterCount(adapter=9, head=12, base=35)
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        coefficients: str = "core",
        rank: int | None = None,
        targets: str | Sequence[str] | None = None,
        basis: str = "leading",
        head: str | Sequence[str] | None = None,
        bandwidth: int = 1,
        gradients: Mapping[str, torch.Tensor] | Callable[[], torch.Tensor] | None = None,
        seed: int = 0,
    ) -> None:
        if coefficients not in COEFFICIENTS:
            raise ChoiceError(f"coefficients {coefficients!r} are unknown." + near_names(coefficients, COEFFICIENTS))
        if basis not in BASES:
            raise ChoiceError(f"basis {basis!r} is unknown." + near_names(basis, BASES))
        if coefficients == "banded" and bandwidth < 0:
            raise InputError(f"bandwidth={bandwidth}: a number of diagonals, zero or more, is needed.")
        chosen = choose_targets(network, targets)
        drawn = _gradients(chosen, gradients) if basis == "gradient" else {}
        updates = {}
        for index, (name, module) in enumerate(chosen.items()):
            bases = adapter_basis(_matrix(module), rank, basis, gradient=drawn.get(name), name=name, seed=seed + index)
            updates[name] = SpectralUpdate(*bases, coefficients, bandwidth)
        settings = {"coefficients": coefficients, "rank": rank, "basis": basis, "bandwidth": bandwidth, "seed": seed}
        self._attach(network, chosen, updates, head, settings)

    def _attach(
        self,
        network: nn.Module,
        chosen: Mapping[str, nn.Module],
        updates: Mapping[str, SpectralUpdate],
        head: str | Sequence[str] | None,
        settings: Mapping[str, object],
    ) -> None:
        self.network, self.settings = network, dict(settings)
        self.targets, self._plain = dict(chosen), {name: type(module) for name, module in chosen.items()}
        trained_head = _head_names(network, head, chosen)
        self._wanted = {name: p.requires_grad for name, p in network.named_parameters()}
        for name, p in network.named_parameters():
            p.requires_grad_(name in trained_head)
        self._head = trained_head
        self._kept: dict[str, torch.Tensor] = {}
        for name, module in chosen.items():
            kind = adapted_class(type(module))
            assert kind is not None
            module.__class__ = kind
            module.spectral = updates[name]

    def updates(self) -> Iterator[tuple[str, SpectralUpdate]]:
        """Yield the name and the update of each adapted layer."""
        for name, module in self.targets.items():
            update = module.spectral
            assert isinstance(update, SpectralUpdate)
            yield name, update

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the coefficients, without the head: what an optimiser of the adapter takes."""
        for _, update in self.updates():
            yield update.coefficients

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters of the head."""
        for name, p in self.network.named_parameters():
            if name in self._head:
                yield p

    def count_parameters(self) -> ParameterCount:
        """Count parameters of adapter, head and frozen network; tied ones once, bases not at all."""
        adapter = sum(p.numel() for p in self.parameters())
        head = sum(p.numel() for p in self.head_parameters())
        everything = sum(p.numel() for p in self.network.parameters())
        return ParameterCount(adapter, head, everything - adapter - head)

    def delta_weight(self, name: str | None = None) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return what the adapter adds to the weight of a layer, in its shape; without a name, of all layers by name.

        Raises
        ------
        InputError
            If no adapted layer has that name.
        """
        if name is None:
            return {n: self._delta(n) for n in self.targets}
        by_plain = {plain_name(n): n for n in self.targets}
        key = name if name in self.targets else by_plain.get(name)
        if key is None:
            raise InputError(f"{name!r} is no adapted layer." + near_names(name, by_plain))
        return self._delta(key)

    def _delta(self, name: str) -> torch.Tensor:
        module = self.targets[name]
        update = module.spectral
        assert isinstance(update, SpectralUpdate) and isinstance(module.weight, torch.Tensor)
        with torch.no_grad():
            delta = update.delta()
            return (delta.T if is_transposed(module) else delta).reshape(module.weight.shape).to(module.weight.dtype)

    def merge(self) -> None:
        """Put the update into the weights, so that the network runs at its old cost; the frozen weights are kept.

        Merging twice changes nothing.
        """
        for name, update in self.updates():
            weight = self.targets[name].weight
            if not update.merged and isinstance(weight, torch.Tensor):
                self._kept[name] = weight.data
                weight.data = weight.data + self._delta(name)
                update.merged = True

    def unmerge(self) -> None:
        """Put the frozen weights back, bit for bit."""
        for name, update in self.updates():
            weight = self.targets[name].weight
            if update.merged and isinstance(weight, torch.Tensor):
                weight.data = self._kept.pop(name).to(weight.device)
                update.merged = False

    def remove(self) -> None:
        """Take the adapter off: plain layers again, with merged weights where it was merged, gradients as before."""
        for name, module in self.targets.items():
            del module.spectral
            module.__class__ = self._plain[name]
        for name, p in self.network.named_parameters():
            p.requires_grad_(self._wanted.get(name, p.requires_grad))
        self.targets, self._kept = {}, {}

    def save(self, path: str | Path) -> Path:
        """Write coefficients, bases and head as safetensors, with a hash of each frozen weight.

        Raises
        ------
        InputError
            If the path does not end in ``.safetensors``.
        """
        frozen = {name: self._kept.get(name, module.weight) for name, module in self.targets.items()}
        heads = {name: p for name, p in self.network.named_parameters() if name in self._head}
        return write_adapter(Path(path), self.settings, dict(self.updates()), heads, frozen)

    @classmethod
    def load(cls, path: str | Path, network: nn.Module) -> SpectralAdapter:
        """Put a saved adapter on the network that it was made for.

        Raises
        ------
        ModelError
            If the file is no adapter, or the frozen weights of the network are not those that it was made for: a base
            that does not fit would give wrong numbers without any error.
        UnknownLayerError, InputError
            As when the adapter was made.
        """
        found = read_adapter(Path(path))
        chosen = choose_targets(network, [_literal(plain_name(name)) for name in found.updates])
        by_plain = {plain_name(name): name for name in chosen}
        updates = {by_plain[plain_name(name)]: update for name, update in found.updates.items()}
        found.require_base({name: chosen[by_plain[plain_name(name)]].weight for name in found.updates}, network)
        for name, module in chosen.items():
            updates[name].to(module.weight.device)  # type: ignore[arg-type]
        adapter = cls.__new__(cls)
        adapter._attach(network, chosen, updates, [_literal(n) for n in found.head] or None, found.settings)
        with torch.no_grad():
            for name, p in network.named_parameters():
                if name in found.head:
                    p.copy_(found.head[name])
        return adapter


def _literal(name: str) -> str:
    return name.replace("[", "[[]")


def _matrix(module: nn.Module) -> torch.Tensor:
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    return weight.detach().T if is_transposed(module) else weight.detach().flatten(1)


def _head_names(
    network: nn.Module, head: str | Sequence[str] | None, targets: Mapping[str, nn.Module]
) -> frozenset[str]:
    patterns = [] if head is None else [head] if isinstance(head, str) else list(head)
    names = [name for name, _ in network.named_parameters()]
    held = {f"{name}.weight" for name in targets}
    chosen: set[str] = set()
    for pattern in patterns:
        matched = {n for n in names if fnmatch.fnmatchcase(n, pattern)}
        if not matched:
            raise InputError(f"head={pattern!r} matches no parameter." + near_names(pattern, names))
        chosen |= matched
    if chosen & held:
        raise InputError(f"{min(chosen & held)} is both adapted and part of the head; leave it out of one of them.")
    return frozenset(chosen)


def _gradients(
    chosen: Mapping[str, nn.Module], given: Mapping[str, torch.Tensor] | Callable[[], torch.Tensor] | None
) -> dict[str, torch.Tensor]:
    """Return gradients as matrices (rows, columns) by name of the layer."""
    if given is None:
        raise InputError("basis='gradient' needs gradients=: gradients by name of the layer, or a function of a loss.")
    weights = {name: module.weight for name, module in chosen.items() if isinstance(module.weight, nn.Parameter)}
    if isinstance(given, Mapping):
        absent = [name for name in chosen if name not in given]
        if absent:
            raise InputError(f"gradients lacks {len(absent)} layers, first {absent[0]}.")
        found = {name: given[name] for name in chosen}
    else:
        asked = {name: w.requires_grad for name, w in weights.items()}
        for w in weights.values():
            w.requires_grad_(True)
        try:
            slopes = torch.autograd.grad(given(), list(weights.values()), allow_unused=True)
        finally:
            for name, w in weights.items():
                w.requires_grad_(asked[name])
        found = {
            name: torch.zeros_like(w) if slope is None else slope
            for (name, w), slope in zip(weights.items(), slopes, strict=True)
        }
    return {n: g.T if is_transposed(chosen[n]) else g.flatten(1) for n, g in found.items()}

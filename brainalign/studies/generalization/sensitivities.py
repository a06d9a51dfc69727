"""How sensitive the rest of a network is to the layers whose embeddings are stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from brainalign.errors import InputError, ModelError, UndefinedError
from brainalign.generalization import LipschitzBounds, lipschitz_bounds
from brainalign.models import load_network
from brainalign.models.engine import Engine
from brainalign.models.feeding import network_input
from brainalign.models.network import Network
from brainalign.models.stimuli_reader import StimulusReader
from brainalign.store import Store

__all__ = ["Sensitivity", "sensitivities"]

# images that are paired with their neighbours
N_IMAGES = 64


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Lipschitz bounds of what follows a layer, ``None`` at the end of the network, or why there are none."""

    bounds: LipschitzBounds | None
    reason: str | None = None

    def local(self) -> float:
        """Return the largest Jacobian norm at images; UndefinedError where it is not known."""
        self._require()
        return 1.0 if self.bounds is None else self.bounds.local

    def upper(self) -> float:
        """Return the product of operator norms; UndefinedError where some step has none."""
        self._require()
        if self.bounds is None:
            return 1.0
        if not math.isfinite(self.bounds.upper):
            raise UndefinedError("; ".join(dict.fromkeys(self.bounds.unbounded)) or "the product of norms overflows")
        return self.bounds.upper

    def _require(self) -> None:
        if self.reason is not None:
            raise UndefinedError(self.reason)


def sensitivities(
    there: Any,
    store: Store,
    stimuli: str,
    keys: Sequence[str],
    *,
    network: str | Network | None,
    n_points: int,
    allow_download: bool,
    seed: int,
) -> dict[str, Sensitivity]:
    """Bound what follows each stored layer; parameters and errors are those of `measure_generalization`."""
    loaded = _same_network(there.attrs, network, allow_download)
    if isinstance(loaded.module, Engine):
        reason = f"{loaded.id!r} is computed by another framework, which gives no derivatives"
        return {key: Sensitivity(None, reason) for key in keys}
    images = _images(loaded, store, stimuli, seed)
    found: dict[str, Sensitivity] = {}  # by layer: several poolings of one are followed by the same
    of = {key: (str(there[key].attrs["layer"]), there[key].attrs.get("depth") == 1.0) for key in keys}
    for layer, ends in dict.fromkeys(of.values()):
        if ends:
            found[layer] = Sensitivity(None)
            continue
        try:
            found[layer] = Sensitivity(lipschitz_bounds(loaded, images, from_layer=layer, n_points=n_points, seed=seed))
        except ModelError as error:
            found[layer] = Sensitivity(None, str(error))
    return {key: found[layer] for key, (layer, _) in of.items()}


def _same_network(attrs: Any, network: str | Network | None, allow_download: bool) -> Network:
    named = str(attrs["model"]) if network is None else network
    loaded = load_network(named, allow_download=allow_download)
    if loaded.revision != attrs["revision"]:
        raise InputError(
            f"the network {loaded.id!r} has revision {loaded.revision}, the embeddings are of "
            f"{attrs['model']}@{attrs['revision']}: name the network that made them (network)."
        )
    return loaded


def _images(network: Network, store: Store, stimuli: str, seed: int) -> torch.Tensor:
    table = store.stimuli(stimuli)
    rows = np.sort(np.random.default_rng(seed).choice(len(table), min(N_IMAGES, len(table)), replace=False))
    with StimulusReader(table, stimulus_set=stimuli, images=network.takes == "image") as reader:
        return torch.stack([network_input(network, reader, int(row)) for row in rows])

"""What a source is asked for, and two errors that several sources raise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainalign.errors import ModelError, UnknownModelError
from brainalign.models.engine import Engine
from brainalign.models.network import Given, Network, described_transform

__all__ = ["ModelRequest", "engine_network", "needs_leave", "random_or_file"]


@dataclass(frozen=True)
class ModelRequest:
    """One network, as asked for.

    Attributes
    ----------
    spec
        What stands after the name of the source: ``resnet50.a1_in1k``, or a path.
    seed
        Of random weights.
    allow_download
        Weights may be fetched from a hub.
    allow_missing
        A checkpoint may lack weights; they stay random.
    preprocessing
        In place of the source's own.
    """

    spec: str
    seed: int = 0
    allow_download: bool = False
    allow_missing: bool = False
    preprocessing: Given | None = None

    def file(self, what: str) -> Path:
        """Return the spec as a path.

        Raises
        ------
        UnknownModelError
            There is no such file.
        """
        path = Path(self.spec)
        if not path.is_file():
            raise UnknownModelError(f"there is no file {path}; expected {what}")
        return path

    def required_preprocessing(self, name: str, why: str) -> Given:
        """Return the preprocessing that was passed.

        Raises
        ------
        ModelError
            None was, and the source knows none.
        """
        if self.preprocessing is None:
            raise ModelError(
                f"the preprocessing of {name!r} is not known: {why}. Pass "
                "preprocessing=brainalign.models.Preprocessing(size=…, mean=…, std=…), or on the command line "
                '--preprocessing \'{"size": 224, "mean": [0.485, 0.456, 0.406], …}\''
            )
        return self.preprocessing

    def applied(self, network: Network) -> Network:
        """Return the network with the preprocessing that was passed, if any."""
        if self.preprocessing is None:
            return network
        transform, description = described_transform(self.preprocessing, model=network.id)
        return network.prepared(transform, description)


def engine_network(name: str, engine: Engine, given: Given, *, family: str, **more: Any) -> Network:
    """Return the network of a file that holds a compiled graph, of whose training nothing is known."""
    transform, description = described_transform(given, model=name)
    attributes = {
        "family": family,
        "n_parameters": engine.count_parameters(),
        "pretrained": None,
        "training_data": None,
        "source": name,
        **more,
    }
    return Network(name, engine, transform, description, attributes)


def random_or_file(weights: str) -> tuple[bool, Path | None]:
    """Read what stands after the first ``/`` of a spec: ``none`` (random weights), or a local file.

    >>> random_or_file("none"), random_or_file("a1_in1k")
    ((True, None), (False, None))
    """
    return weights == "none", Path(weights) if weights and Path(weights).is_file() else None


def needs_leave(what: str, source: str, form: str) -> UnknownModelError:
    """Return the error for weights on a hub that nobody asked to fetch."""
    return UnknownModelError(
        f"the weights {what} lie on a hub, and nothing is downloaded unasked: pass allow_download=True "
        f"(--allow-download), give a local file ({source}:{form}/path/to/weights.safetensors), or ask for random "
        f"weights ({source}:{form}/none)"
    )

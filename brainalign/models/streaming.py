"""One extraction: a network, a stimulus set, the layers to keep, and the stream of their rows into the store."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from brainalign.errors import ActivationError, InputError, ModelError, NonFiniteError
from brainalign.models.batching import Batching, image_bytes, largest_batch, settle
from brainalign.models.folding import folded
from brainalign.models.forward import Forward
from brainalign.models.layers import Layer, probe_layers
from brainalign.models.network import Network
from brainalign.models.pooling import BoundPooling, Pooling, layer_seed, parse_pooling
from brainalign.models.selection import layer_named, select_layers
from brainalign.models.stimuli_reader import StimulusReader
from brainalign.models.stored import Stored
from brainalign.store import LayerSpec, Store

__all__ = ["Extraction"]

_CHUNK_ROWS = 256  # what an interruption can cost
_DECODERS = 2
Plan = dict[str, tuple[Layer, BoundPooling]]


class Extraction:
    """The steps of one extraction, which share the network, the images and the plan."""

    def __init__(self, network: Network, reader: StimulusReader, device: torch.device, stored: Stored | None) -> None:
        self.network, self.reader, self.device, self.stored = network, reader, device, stored
        self.plan: Plan = {}
        self.fold_norms = False
        rows = [i % len(reader) for i in range(3)]
        self._first = _stack([self._input(row) for row in rows], [reader.ids[row] for row in rows]).to(device)

    def choose(self, request: Mapping[str, Any]) -> None:
        """Probe the network and plan the layers: those asked for, and those that the entry holds already."""
        try:
            self.probed = probe_layers(self.network.module, self._first)
        except RuntimeError as error:
            shape = tuple(self._first.shape[1:])
            raise ModelError(f"{self.network.id!r} does not run on images of shape {shape}: {error}") from error
        rule = parse_pooling(request["pooling"])
        asked = select_layers(self.probed, request["layers"])
        chosen: list[tuple[Layer, Pooling, int | None]] = [(layer, rule, None) for layer in asked]
        for layer_name, pooling, old_seed in self.stored.layers if self.stored else ():
            there = layer_named(self.probed, layer_name)
            chosen += [(layer, parse_pooling(pooling), old_seed) for layer in [there] if layer is not None]
        for layer, pooling_rule, old_seed in chosen:
            drawn = layer_seed(request["seed"], layer.name) if old_seed is None else old_seed
            bound = pooling_rule.bound(
                layer.name, layer.shape, seed=drawn, tokens=self.network.tokens, channels_last=layer.channels_last
            )
            key = f"{layer.name}|{pooling_rule}"
            if bound.projects and key in self.plan and self.plan[key][1].seed != drawn:
                raise InputError(
                    f"{key!r} is stored with another random projection: use the seed of before, or another name="
                )
            self.plan.setdefault(key, (layer, bound))
        self.plan = dict(sorted(self.plan.items(), key=lambda item: (item[1][0].order, item[0])))

    def folding(self, asked: bool) -> AbstractContextManager[None]:
        """Fold batch norms while the context lasts: as asked, or as the entry that is there was made."""
        wanted = asked if self.stored is None else self.stored.fold_norms
        pairs = self.network.norms_after_convolutions if wanted else ()
        self.fold_norms = bool(pairs)
        return folded(self.network.module, pairs, observed={layer.module for layer, _ in self.plan.values()})

    def batch(self, asked: int | None, max_memory: int) -> None:
        """Settle how many images go into a forward pass."""
        features = sum(pooling.n_features for _, pooling in self.plan.values())
        limit = largest_batch(self.network.module, image_bytes(self.probed, self._first[0], features), max_memory)
        self._row_bytes, self._max_memory = 4 * features, max_memory
        self.forward = Forward(self.network.module, self.plan, self.device)
        if asked is not None:
            self.batching = Batching(asked)
        elif self.stored is not None and self.stored.batching is not None:
            self.batching = self.stored.batching
        else:
            self.batching = settle(
                self.network.module, self._first, n_stimuli=len(self.reader), limit=limit,
                revision=self.network.revision, run=self.forward.run,
            )  # fmt: skip

    def write(self, store: Store, stimuli: str, *, dtype: str, request: Mapping[str, Any], progress: bool) -> None:
        """Stream the rows into the store."""
        ids, size = self.reader.ids, self.batching.size
        fitting = min(_CHUNK_ROWS, self._max_memory // (4 * self._row_bytes))
        writer = store.embedding_writer(
            self.network.id, self.network.revision, stimuli, stimuli=ids, layers=self._specs(), dtype=dtype,
            # whole batches, so that one that resumes meets the same batches
            chunk_rows=max(1, fitting // size) * size,
            attrs=self._attrs(dtype, request), replace=self.stored is not None,
        )  # fmt: skip
        with writer, _bar(progress, f"{self.network.id} on {stimuli}", len(ids)) as advance:
            advance(writer.rows_done)
            for start, images in self._batches(writer.rows_done, size):
                part = ids[start : start + size]
                try:
                    writer.append(self.forward.rows(images, self.batching, part))
                except NonFiniteError as error:  # finite here, so the stored type is too narrow
                    raise ActivationError(f"{error}; store it as float32") from error
                advance(len(part))
            writer.commit()

    def _input(self, row: int) -> torch.Tensor:
        image = self.network.preprocess(self.reader.item(row, self.network.takes))
        if not isinstance(image, torch.Tensor):
            raise ModelError(
                f"the preprocessing of {self.network.id!r} gave {type(image).__name__}, expected a torch.Tensor"
            )
        return image

    def _batches(self, start: int, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Decode one batch ahead, in threads."""
        starts = list(range(start, len(self.reader), size))
        with ThreadPoolExecutor(_DECODERS) as pool:

            def ahead(first: int) -> list[Any]:
                return [pool.submit(self._input, row) for row in range(first, min(first + size, len(self.reader)))]

            waiting = ahead(starts[0]) if starts else []
            for i, first in enumerate(starts):
                now = waiting
                waiting = ahead(starts[i + 1]) if i + 1 < len(starts) else []
                yield first, _stack([future.result() for future in now], self.reader.ids[first : first + size])

    def _specs(self) -> list[LayerSpec]:
        return [
            LayerSpec(
                key,
                pooling.n_features,
                {
                    "layer": layer.name,
                    "pooling": "flatten" if pooling.rule.kind == "srp" else pooling.rule.kind,
                    "reduction": str(pooling.rule) if pooling.rule.kind == "srp" else None,
                    "seed": pooling.seed if pooling.projects else None,
                    "output_shape": list(layer.shape),
                    "depth": layer.order / max(1, len(self.probed) - 1),
                },
            )
            for key, (layer, pooling) in self.plan.items()
        ]

    def _attrs(self, dtype: str, request: Mapping[str, Any]) -> dict[str, Any]:
        requests = [*(self.stored.requests if self.stored else ()), dict(request)]
        attributes = {**self.network.attributes, "preprocessing": self.network.preprocessing}
        attributes.setdefault("n_parameters", self.network.n_parameters)
        return {
            "attributes": attributes,
            "extraction": {
                "batch_size": self.batching.size,
                "memory_format": self.batching.memory_format,
                "dtype": dtype,
                "fold_norms": self.fold_norms,
            },
            "provenance": {
                "versions": _versions(),
                "device": str(self.device),
                "threads": torch.get_num_threads(),
                "requests": requests,
            },
        }


def _stack(images: list[torch.Tensor], ids: Sequence[str]) -> torch.Tensor:
    for image, name in zip(images, ids, strict=True):
        if image.shape != images[0].shape:
            raise ActivationError(
                f"the preprocessing gives {tuple(image.shape)} for stimulus {name!r} and {tuple(images[0].shape)} for "
                f"{ids[0]!r}: it must give one shape for all"
            )
    return torch.stack(images)


def _versions() -> dict[str, str]:
    names = (
        "torch",
        "torchvision",
        "pillow",
        "numpy",
        "scikit-learn",
        "open_clip_torch",
        "timm",
        "efficientnet-lite-pytorch",
    )
    found = {}
    for package in names:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@contextmanager
def _bar(show: bool, label: str, total: int) -> Iterator[Any]:
    if not show:
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)

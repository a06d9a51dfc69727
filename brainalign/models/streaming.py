"""One extraction: a network, a stimulus set, the layers to keep, and the stream of their rows into the store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch

from brainalign.errors import ActivationError, InputError, ModelError, NonFiniteError
from brainalign.models.batching import Batching, image_bytes, largest_batch, settle
from brainalign.models.check_image import see_preprocessing
from brainalign.models.feeding import batches, network_input, stacked
from brainalign.models.fitting import Plan, TrainingSet, fit_components, needs_fit, refuse_overlap
from brainalign.models.folding import folded
from brainalign.models.forward import Forward
from brainalign.models.layers import Layer, probe_layers
from brainalign.models.network import Network
from brainalign.models.out_of_memory import Halving
from brainalign.models.pooling import BoundPooling, Pooling, layer_seed, parse_pooling
from brainalign.models.recording import attributes_of, layer_specs, provenance_of
from brainalign.models.selection import layer_named, select_layers
from brainalign.models.stimuli_reader import StimulusReader
from brainalign.models.stored import Stored
from brainalign.store import Store

__all__ = ["Extraction"]

_CHUNK_ROWS = 256  # what an interruption can cost


class Extraction:
    """The steps of one extraction, which share the network, the images and the plan."""

    def __init__(
        self,
        network: Network,
        reader: StimulusReader,
        device: torch.device,
        stored: Stored | None,
    ) -> None:
        self.network, self.reader, self.device, self.stored = network, reader, device, stored
        self.plan: dict[str, tuple[Layer, BoundPooling]] = {}
        self.training: TrainingSet | None = None
        self.fold_norms = False
        self.precision = "float32"
        rows = [i % len(reader) for i in range(3)]
        inputs = [network_input(network, reader, row) for row in rows]
        self.first = stacked(inputs, [reader.ids[row] for row in rows]).to(device)
        self.seen = see_preprocessing(network.preprocess) if network.takes == "image" else None
        if stored is not None:
            stored.refuse_other_pixels(self.seen)

    def choose(self, request: Mapping[str, Any]) -> None:
        """Probe the network and plan the layers: those asked for, and those that the entry holds already."""
        try:
            self.probed = probe_layers(self.network.module, self.first)
        except RuntimeError as error:
            shape = tuple(self.first.shape[1:])
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
            random = bound.projects and pooling_rule.kind == "srp"
            if random and key in self.plan and self.plan[key][1].seed != drawn:
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
        poolings = [pooling for _, pooling in self.plan.values()]
        features = sum(pooling.n_features for pooling in poolings)
        whole = sum(math.prod(self.plan[key][1].shape) for key in needs_fit(self.plan))  # rows that are fitted on
        per_image = image_bytes(self.probed, self.first[0], features + whole)
        held = sum(pooling.held_bytes for pooling in poolings)
        limit = largest_batch(self.network.module, per_image, max_memory, held=held)
        self._row_bytes, self._max_memory = 4 * features, max_memory
        self.forward = Forward(self.network.module, self.plan, self.device, self.precision)
        if asked is not None:
            self.batching = Batching(asked)
        elif self.stored is not None and self.stored.batching is not None:
            self.batching = self.stored.batching
        else:
            self.batching = settle(
                self.network.module, self.first, n_stimuli=len(self.reader), limit=limit,
                revision=self.network.revision, run=self.forward.run,
            )  # fmt: skip

    @contextmanager
    def trained_on(self, store: Store, fit_on: str | None) -> Iterator[StimulusReader | None]:
        """Open the training set of the principal components that the plan asks for; None where it asks for none."""
        keys = needs_fit(self.plan)
        if not keys:
            yield None
            return
        if fit_on is None:
            raise InputError(
                f"{keys[0]!r} asks for principal components: declare the stimulus set that they are fitted on "
                "(fit_on=, --fit-on), with none of the images to embed in it"
            )
        with StimulusReader(store.stimuli(fit_on), stimulus_set=fit_on, images=self.network.takes == "image") as train:
            refuse_overlap(train, self.reader)
            yield train

    def fit(self, store: Store, fit_on: str | None, *, progress: bool) -> None:
        """Fit the principal components that the plan asks for, on a declared training set."""
        with self.trained_on(store, fit_on) as train:
            if train is None:
                return
            self.training = TrainingSet.of(train)

            def rows(plan: Plan) -> Iterator[Mapping[str, Any]]:
                forward = Forward(self.network.module, plan, self.device, self.precision)
                with _bar(progress, f"{self.network.id}: components on {fit_on}", len(train)) as advance:
                    for _, values in self._rows(train, forward, 0):
                        advance(len(next(iter(values.values()))))
                        yield values

            self.plan = fit_components(self.plan, rows, n_stimuli=len(train), max_memory=self._max_memory)
        self.forward = Forward(self.network.module, self.plan, self.device, self.precision)

    def write(self, store: Store, stimuli: str, *, dtype: str, request: Mapping[str, Any], progress: bool) -> None:
        """Stream the rows into the store."""
        size = self.batching.size
        fitting = min(_CHUNK_ROWS, self._max_memory // (4 * self._row_bytes))
        requests = [*(self.stored.requests if self.stored else ()), dict(request)]
        writer = store.embedding_writer(
            self.network.id, self.network.revision, stimuli, stimuli=self.reader.ids,
            layers=layer_specs(self.plan, len(self.probed), self.training), dtype=dtype,
            # whole batches, so that one that resumes meets the same batches
            chunk_rows=max(1, fitting // size) * size,
            attrs={
                "attributes": attributes_of(self.network),
                "extraction": self._extraction(dtype),
                "provenance": provenance_of(self.device, requests),
            },
            replace=self.stored is not None,
        )  # fmt: skip
        events: list[tuple[str, int]] = []
        with writer, _bar(progress, f"{self.network.id} on {stimuli}", len(self.reader)) as advance:
            advance(writer.rows_done)
            for halved, values in self._rows(self.reader, self.forward, writer.rows_done):
                events = halved
                try:
                    writer.append(values)
                except NonFiniteError as error:  # finite here, so the stored type is too narrow
                    raise ActivationError(f"{error}; store it as float32") from error
                advance(len(next(iter(values.values()))))
            writer.commit(provenance={"out_of_memory": events} if events else None)

    def _extraction(self, dtype: str) -> dict[str, Any]:
        batching = {"batch_size": self.batching.size, "memory_format": self.batching.memory_format}
        found = {**batching, "dtype": dtype, "fold_norms": self.fold_norms, "precision": self.precision}
        return found if self.seen is None else {**found, "check_image": self.seen.document()}

    def _rows(
        self, reader: StimulusReader, forward: Forward, start: int
    ) -> Iterator[tuple[list[tuple[str, int]], dict[str, Any]]]:
        """Yield (when memory ran out so far, key -> rows) of consecutive stimuli; of a video the mean over frames."""
        halving = Halving(lambda inputs, ids: forward.rows(inputs, self.batching, ids), self.batching.size)
        sums: dict[str, Any] = {}
        for batch in batches(self.network, reader, start, self.batching.size):
            names = [reader.ids[row] for row in batch.rows]
            ids = names * len(batch.inputs) if batch.n_frames else names
            values = halving.rows(batch.inputs, ids)
            if batch.n_frames:
                for key, rows in values.items():
                    sums[key] = sums.get(key, 0.0) + rows.sum(0, keepdims=True, dtype=np.float64)
                if not batch.last:
                    continue
                values = {key: (total / batch.n_frames).astype(np.float32) for key, total in sums.items()}
                sums = {}
            yield halving.events, values


@contextmanager
def _bar(show: bool, label: str, total: int) -> Iterator[Any]:
    if not show:
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)

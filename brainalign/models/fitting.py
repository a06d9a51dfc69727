"""Principal components of layers, fitted in one pass over the images of a declared training set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brainalign.errors import InputError
from brainalign.models.layers import Layer
from brainalign.models.pooling import BoundPooling, Components, Pooling
from brainalign.models.stimuli_reader import StimulusReader

__all__ = ["TrainingSet", "fit_components", "needs_fit", "refuse_overlap"]

Plan = Mapping[str, tuple[Layer, BoundPooling]]
Rows = Mapping[str, Any]

_FIT_BYTES = 56  # a number of the stack, with its copies in the decomposition


@dataclass(frozen=True)
class TrainingSet:
    """On which stimuli components were fitted: name of the set, number, and a hash of their ids and bytes."""

    stimuli: str
    n_stimuli: int
    sha256: str

    @classmethod
    def of(cls, reader: StimulusReader) -> TrainingSet:
        """Return the training set that a reader reads."""
        said = "\0".join(f"{name}\1{sha}" for name, sha in zip(reader.ids, reader.hashes, strict=True))
        return cls(reader.stimulus_set, len(reader), hashlib.sha256(said.encode()).hexdigest()[:12])


def needs_fit(plan: Plan) -> list[str]:
    """Keys of a plan whose components are to be fitted."""
    return [key for key, (_, pooling) in plan.items() if pooling.rule.kind == "pca" and pooling.projects]


def refuse_overlap(train: StimulusReader, used: StimulusReader) -> None:
    """Raise InputError where a stimulus to embed is among those that components are fitted on.

    Components that have seen a test image carry it into every fold.
    """
    hashed = all(train.hashes) and all(used.hashes)  # ids of two sets may be the same numbers
    shared = set(train.hashes) & set(used.hashes) if hashed else set(train.ids) & set(used.ids)
    if train.stimulus_set == used.stimulus_set or shared:
        raise InputError(
            f"{len(shared) or len(used)} of {len(used)} stimuli of {used.stimulus_set!r} are in the training set "
            f"{train.stimulus_set!r}: components fitted on what is tested leak into every fold. Declare other images "
            "(fit_on=, --fit-on), or take a random projection, which is fitted on nothing ('srp:N')."
        )


def fit_components(
    plan: Plan,
    batches: Callable[[Plan], Iterator[Rows]],
    *,
    n_stimuli: int,
    max_memory: int,
) -> dict[str, tuple[Layer, BoundPooling]]:
    """Fit the components of a plan and return the plan with them.

    Parameters
    ----------
    plan
        Layers and their poolings.
    batches
        Called with the plan of flattened layers to fit; yields their rows, batch by batch, in the order of the
        training set.
    n_stimuli
        Of the training set.
    max_memory
        In bytes.

    Raises
    ------
    InputError
        Fewer training stimuli than components, or layers too wide for the memory.

    Notes
    -----
    Each layer holds its components and one block of rows at a time, whatever the number of images. A fit is the same
    to the bit on one device, since the blocks are cut by row number alone.
    """
    keys = needs_fit(plan)
    flat = {key: (plan[key][0], replace(plan[key][1], rule=Pooling("flatten"))) for key in keys}
    blocks = {key: _block_rows(plan[key][1], n_stimuli, key) for key in keys}
    _refuse_wide(plan, keys, blocks, max_memory)
    fits = {key: _Fit(int(plan[key][1].rule.n_components or 0), blocks[key], n_stimuli) for key in keys}
    for rows in batches(flat):
        for key in keys:
            fits[key].add(rows[key])
    return {
        key: (layer, replace(pooling, components=fits[key].finished()) if key in fits else pooling)
        for key, (layer, pooling) in plan.items()
    }


def _block_rows(pooling: BoundPooling, n_stimuli: int, key: str) -> int:
    d = int(pooling.rule.n_components or 0)
    if n_stimuli <= d:
        raise InputError(f"{key!r} asks for {d} components, and the training set has {n_stimuli} stimuli: more needed")
    return min(2 * d, n_stimuli)


def _refuse_wide(plan: Plan, keys: Sequence[str], blocks: Mapping[str, int], max_memory: int) -> None:
    widths = {key: int(np.prod(plan[key][1].shape)) for key in keys}
    components = {key: int(plan[key][1].rule.n_components or 0) for key in keys}
    # of all layers the components in float64, their mean and variance, and the block that gathers
    held = sum(widths[key] * (8 * components[key] + 16 + 4 * blocks[key]) for key in keys)
    # of the one that is fitted the stack of components and block, and its decomposition, as measured
    at_work = max(_FIT_BYTES * widths[key] * (components[key] + blocks[key]) for key in keys)
    if (need := held + at_work) > max_memory:
        raise InputError(
            f"fitting {', '.join(keys[:4])} takes about {need / 1e9:.2g} GB, max_memory is {max_memory / 1e9:.2g} GB: "
            "fewer layers or components, more memory, or a random projection ('srp:N')"
        )


class _Fit:
    def __init__(self, n_components: int, block: int, n_stimuli: int) -> None:
        from sklearn.decomposition import IncrementalPCA

        self._model = IncrementalPCA(n_components, copy=False)
        self._n_components, self._block, self._left = n_components, block, n_stimuli
        self._n, self._count = n_stimuli, 0
        self._waiting: list[Any] = []

    def add(self, rows: Any) -> None:
        taken = 0
        while taken < len(rows):
            # a rest too small for a fit of its own goes with the block before it
            size = self._left if self._left < self._block + self._n_components else self._block
            step = min(size - self._count, len(rows) - taken)
            self._waiting.append(np.array(rows[taken : taken + step], dtype=np.float32))
            self._count += step
            taken += step
            if self._count == size:
                block = np.concatenate(self._waiting)
                self._waiting, self._count = [], 0
                self._model.partial_fit(block)
                # they are a view of a decomposition three times as large
                self._model.components_ = self._model.components_.copy()
                self._left -= size

    def finished(self) -> Components:
        model = self._model
        share = float(model.explained_variance_ratio_.sum())
        axes = np.ascontiguousarray(model.components_, dtype=np.float32)
        return Components(axes, np.asarray(model.mean_, dtype=np.float32), share, self._n)

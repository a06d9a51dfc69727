"""Inputs of a network, decoded one batch ahead in threads, in the order of the stimulus set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch

from brainalign.errors import ActivationError, ModelError
from brainalign.models.network import Network
from brainalign.models.stimuli_reader import StimulusReader

__all__ = ["Batch", "batches", "network_input", "stacked"]

_DECODERS = 2


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs of consecutive stimuli, or some frames of one.

    ``rows`` are their numbers in the set, ``n_frames`` the frames of the one stimulus in all, 0 where a row is an
    input; ``last``: no more frames of this stimulus follow.
    """

    rows: range
    inputs: torch.Tensor
    n_frames: int = 0
    last: bool = True


def network_input(network: Network, reader: StimulusReader, row: int, frame: int = 0) -> torch.Tensor:
    """Return what a network is given for a stimulus, or for one frame of it.

    Raises
    ------
    ModelError
        The preprocessing gives no tensor.
    """
    made = network.preprocess(reader.item(row, network.takes, frame))
    if not isinstance(made, torch.Tensor):
        raise ModelError(f"the preprocessing of {network.id!r} gave {type(made).__name__}, expected a torch.Tensor")
    return made


def batches(network: Network, reader: StimulusReader, start: int, size: int) -> Iterator[Batch]:
    """Yield batches of ``size`` inputs from a row on; batches of frames never hold two stimuli.

    So which inputs share a batch depends on the size alone, not on where a run began.
    """
    with ThreadPoolExecutor(_DECODERS) as pool:
        waiting: list[tuple[range, int, bool, list[Future[torch.Tensor]]]] = []
        for rows, frames, n_frames, last in _plan(reader, start, size):
            units = [(row, 0) for row in rows] if not n_frames else [(rows.start, frame) for frame in frames]
            waiting.append((rows, n_frames, last, [pool.submit(network_input, network, reader, *u) for u in units]))
            if len(waiting) > 1:
                yield _gathered(reader, *waiting.pop(0))
        for one in waiting:
            yield _gathered(reader, *one)


def _plan(reader: StimulusReader, start: int, size: int) -> Iterator[tuple[range, range, int, bool]]:
    if not reader.has_videos:
        for first in range(start, len(reader), size):
            yield range(first, min(first + size, len(reader))), range(0), 0, True
        return
    for row in range(start, len(reader)):
        n = reader.n_frames(row)
        for first in range(0, n, size):
            yield range(row, row + 1), range(first, min(first + size, n)), n, first + size >= n


def _gathered(
    reader: StimulusReader, rows: range, n_frames: int, last: bool, waiting: list[Future[torch.Tensor]]
) -> Batch:
    ids = [reader.ids[row] for row in rows] if not n_frames else [reader.ids[rows.start]] * len(waiting)
    return Batch(rows, stacked([future.result() for future in waiting], ids), n_frames, last)


def stacked(inputs: list[torch.Tensor], ids: Sequence[str]) -> torch.Tensor:
    """Stack inputs of one shape.

    Raises
    ------
    ActivationError
        They have several.
    """
    for one, name in zip(inputs, ids, strict=True):
        if one.shape != inputs[0].shape:
            raise ActivationError(
                f"the preprocessing gives {tuple(one.shape)} for stimulus {name!r} and {tuple(inputs[0].shape)} for "
                f"{ids[0]!r}: it must give one shape for all"
            )
    return torch.stack(inputs)

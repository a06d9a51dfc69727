"""Activations of a network for a stimulus set, streamed into the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from brainalign.arrays import parse_memory
from brainalign.errors import ChoiceError, InputError, near_names
from brainalign.models.check_image import refuse_unlike_training, see_preprocessing
from brainalign.models.engine import Engine
from brainalign.models.forward import PRECISIONS, at_inference
from brainalign.models.network import Given, Network
from brainalign.models.pooling import parse_pooling
from brainalign.models.sources import load_network
from brainalign.models.stimuli_reader import StimulusReader
from brainalign.models.stored import Stored, read_stored
from brainalign.models.streaming import Extraction
from brainalign.store import Store

__all__ = ["chosen", "embed", "requested"]

_DTYPES = ("float32", "float16")


def embed(
    model: str | nn.Module | Network | Callable[[Any], Any],
    stimuli: str,
    store: Store,
    *,
    layers: int | str | Sequence[str] | None = None,
    pooling: str = "mean",
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    max_memory: str | int = "2GB",
    seed: int = 0,
    progress: bool = False,
    dtype: str = "float32",
    name: str | None = None,
    preprocessing: Given | None = None,
    allow_download: bool = False,
    allow_missing: bool = False,
    fold_norms: bool = False,
    precision: str = "float32",
    fit_on: str | None = None,
) -> str:
    """Run a network over a stimulus set and keep the activations of its layers.

    All layers come from one forward pass an image. The rows stream into the store, so neither the images nor the
    activations are ever in memory together; an interrupted call, repeated, goes on where the last whole chunk ended
    and gives the same bits as one that was never interrupted.

    Parameters
    ----------
    model
        Whatever :func:`brainalign.models.load_network` takes: a shipped name, ``"SOURCE:NAME"`` or ``"SOURCE:FILE"``,
        ``"package.module:factory"``, a ``torch.nn.Module`` or a function of a batch (then ``name`` is required).
    stimuli
        Name of a stimulus set in the store; its images are read from where the set says, hashes checked. Of a video
        the mean over its frames is kept, each layer pooled frame by frame.
    layers
        Names, patterns (``"blocks.*"``), places (``"depth:0.5"``), presets (``"blocks"``, ``"stages"``, ``"last"``),
        or a number of layers spread evenly over depth.
        ``None``: the network's own choice, else six.
    pooling
        ``"flatten"``, ``"mean"``, ``"mean-last"``, ``"max"``, ``"cls"``, ``"patches"``, ``"srp:<d>"`` or
        ``"pca:<d>"``; see :class:`brainalign.models.pooling.Pooling`.
    batch_size
        Images a forward pass. ``None``: from a short timing sweep, within ``max_memory``. The last bits of an
        activation depend on it; it is recorded with the embedding.
    device
        ``None``: where the network lies, else the CPU.
    max_memory
        Working memory in bytes, or as ``"2GB"``.
    seed
        Of random projections and of random weights.
    progress
        Show a progress bar on stderr.
    dtype
        ``"float32"`` or ``"float16"``, in the store.
    name
        Name to keep the embedding under; ``None``: ``model`` as it was written.
    preprocessing
        In place of the network's own; see :func:`brainalign.models.torch_factory.from_module`. Where it is known what
        the weights were trained with, a check image compares both: other colours (mean, std, order of channels) are
        refused, unless given as a pair (callable, description); another size or crop warns.
    allow_download
        Let the source fetch published weights.
    allow_missing
        Accept a checkpoint that lacks weights; they stay random, and their names are recorded.
    fold_norms
        Let batch norms run inside the convolutions before them, where the network says which: up to a fifth faster,
        and equal to 1e-5 of the largest activation instead of 1e-6. Recorded with the embedding.
    precision
        Of the forward pass: ``"float32"``, or ``"bfloat16"`` or ``"float16"`` under ``torch.autocast``: some times
        faster on an accelerator, and good to two or three digits. Recorded with the embedding.
    fit_on
        Stimulus set that the principal components of ``pca:<d>`` are fitted on, in a pass of its own. It may share no
        image with ``stimuli``. Recorded with each layer, with a hash of the components.

    Returns
    -------
    str
        ``"model@revision"``, where the revision is a hash of weights and preprocessing.

    Raises
    ------
    UnknownModelError, UnknownLayerError
        No such model or layer; near names are offered.
    ActivationError
        NaN, inf or overflow, or a shape that changes between batches; layer and stimulus are named.
    ImageError, DatasetError
        An image that does not decode, is missing, or has other bytes than when it was recorded.

    Notes
    -----
    Embeddings of one model, revision and stimulus set are one entry. Asked for layers that are all there, it returns
    at once. Asked for others, it writes the entry anew with the union, in one forward pass an image and with the batch
    size and the folding of before, so that what was there keeps its bits (all but the last ones, where a new layer is
    a convolution or batch norm that ran as one with its neighbour before). Another ``dtype`` or ``precision``, or
    another ``seed`` for a projection that is there, is refused, and so is another ``fit_on``, or a preprocessing that
    makes something else of a check image than when the entry was made.

    Where memory runs out, the batch is halved and the run goes on; when and to what is recorded.
    """
    if dtype not in _DTYPES:
        raise ChoiceError(f"unknown dtype {dtype!r}." + near_names(dtype, _DTYPES))
    if precision not in PRECISIONS:
        raise ChoiceError(f"unknown precision {precision!r}." + near_names(precision, PRECISIONS))
    network, request = requested(
        model, layers, pooling, batch_size, name=name, preprocessing=preprocessing, seed=seed,
        allow_download=allow_download, allow_missing=allow_missing,
    )  # fmt: skip
    found = f"{network.id}@{network.revision}"
    stored, fit_on = agreed(network, stimuli, store, dtype=dtype, precision=precision, fit_on=fit_on)
    if stored is not None and stored.fits and request in stored.requests:
        return found
    with chosen(network, stimuli, store, request=request, stored=stored, device=device) as run:
        if stored is not None and stored.fits and set(run.plan) <= set(stored.keys):
            return found
        run.precision = precision
        with run.folding(fold_norms):
            run.batch(batch_size, parse_memory(max_memory))
            run.fit(store, fit_on, progress=progress)
            run.write(store, stimuli, dtype=dtype, request=request, progress=progress)
    return found


def requested(
    model: str | nn.Module | Network | Callable[[Any], Any],
    layers: int | str | Sequence[str] | None,
    pooling: str,
    batch_size: int | None,
    *,
    preprocessing: Given | None,
    seed: int,
    **options: Any,
) -> tuple[Network, dict[str, Any]]:
    """Load a network and say what is asked of it; the parameters are those of :func:`embed`."""
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size must be at least 1 (got {batch_size})")
    parse_pooling(pooling)
    network = load_network(model, preprocessing=preprocessing, seed=seed, **options)
    if preprocessing is not None and not isinstance(preprocessing, tuple) and network.trained_with is not None:
        given, trained = (see_preprocessing(one) for one in (network.preprocess, network.trained_with))
        refuse_unlike_training(given, trained, model=network.id)
    return network, {"layers": _resolved(layers, network), "pooling": pooling, "seed": seed}


def agreed(
    network: Network, stimuli: str, store: Store, *, dtype: str, precision: str, fit_on: str | None
) -> tuple[Stored | None, str | None]:
    """Return the entry that is there, and the training set; refuse what differs from the entry or cannot be done."""
    if precision != "float32" and isinstance(network.module, Engine):
        raise InputError(
            f"{network.id!r} is computed by another framework, which torch.autocast does not reach: "
            "leave precision as it is"
        )
    stored = read_stored(store, network.id, network.revision, stimuli)
    if stored is not None:
        stored.refuse_other_dtype(dtype)
        stored.refuse_other_precision(precision)
        fit_on = stored.refuse_other_training_set(fit_on)
    return stored, fit_on


@contextmanager
def chosen(
    network: Network,
    stimuli: str,
    store: Store,
    *,
    request: dict[str, Any],
    stored: Stored | None,
    device: str | torch.device | None,
) -> Iterator[Extraction]:
    """Open the stimuli, put the network on its device and choose the layers."""
    target = _device(device, network.module)
    images = network.takes == "image"
    with (
        StimulusReader(store.stimuli(stimuli), stimulus_set=stimuli, images=images) as reader,
        at_inference(network.module, target),
    ):
        run = Extraction(network, reader, target, stored)
        run.choose(request)
        yield run


def _resolved(layers: int | str | Sequence[str] | None, network: Network) -> int | list[str]:
    if layers is None:
        return list(network.default_layers) if network.default_layers else 6
    return layers if isinstance(layers, int) else [layers] if isinstance(layers, str) else list(layers)


def _device(device: str | torch.device | None, module: nn.Module) -> torch.device:
    if device is None:
        own = next(module.parameters(), None)
        return torch.device("cpu") if own is None else own.device
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ChoiceError(f"unknown device {device!r}: {error}") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ChoiceError(f"device {device!r} was asked for, but torch finds no GPU here; use device='cpu'")
    return chosen

"""Networks with a linear head on their embedding, and tasks as tensors that they read."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from brainalign.errors import MissingDependencyError, ModelError
from brainalign.spectral.study.tasks import Part, Task

__all__ = ["Batches", "Headed", "Source", "sentence_source"]


@dataclass(frozen=True, eq=False)
class Batches:
    """A part as tensors on one device: ``inputs`` are indexed together; tokens are cut to the longest of a batch."""

    inputs: tuple[torch.Tensor, ...]
    labels: torch.Tensor
    tokens: bool

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: torch.Tensor) -> tuple[torch.Tensor, ...]:
        picked = tuple(tensor[index] for tensor in self.inputs)
        if not self.tokens:
            return picked
        ids, mask = picked
        longest = int(mask.sum(dim=-1).max())
        length = min(ids.shape[-1], -(-longest // 8) * 8)
        return ids[..., :length], mask[..., :length]


@dataclass(frozen=True)
class Source:
    """How a study gets its network and its inputs.

    Attributes
    ----------
    name : str
        Of the network, for the table.
    make : callable
        () -> encoder, a fresh copy of the pretrained network on the CPU.
    prepare : callable
        (part, device) -> Batches.
    features : callable
        (encoder, inputs) -> embedding (n, d).
    width : int
        Of the embedding.
    joint : bool
        Pairs of sentences are read as one text; else each alone, and the head sees |u - v| and u v.
    """

    name: str
    make: Callable[[], nn.Module]
    prepare: Callable[[Part, torch.device], Batches]
    features: Callable[[nn.Module, tuple[torch.Tensor, ...]], torch.Tensor]
    width: int
    joint: bool = False


class Headed(nn.Module):
    """An encoder with a linear head, zero at first, as a pair of names: ``encoder`` and ``head``."""

    def __init__(self, source: Source, encoder: nn.Module, task: Task) -> None:
        super().__init__()
        self.encoder, self._features = encoder, source.features
        self.separate = task.pairs and not source.joint
        self.head = nn.Linear(source.width * (2 if self.separate else 1), max(task.n_classes, 1))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def embed(self, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return the embedding of single inputs (n, d)."""
        return self._features(self.encoder, inputs)

    def forward(self, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if not self.separate:
            out: torch.Tensor = self.head(self.embed(inputs))
            return out
        n, sides = inputs[0].shape[:2]  # (n, 2, length): both sides in one pass
        both = self.embed(tuple(t.reshape(n * sides, *t.shape[2:]) for t in inputs)).reshape(n, sides, -1)
        u, v = both[:, 0], both[:, 1]
        paired: torch.Tensor = self.head(torch.cat([(u - v).abs(), u * v], dim=1))
        return paired


def sentence_source(folder: str | Path, *, max_length: int = 64, joint: bool = False, pooling: str = "mean") -> Source:
    """Take a text network of transformers from a folder with its weights and tokenizer; nothing is downloaded.

    Parameters
    ----------
    folder : path
        What ``save_pretrained`` wrote; weights in half precision are read as float32.
    max_length : int
        Longer texts are cut.
    joint : bool
        Pairs of sentences as one text.
    pooling : {"mean", "first"}
        Of the last hidden states.

    Raises
    ------
    MissingDependencyError, ModelError
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingDependencyError("text networks need transformers: pip install 'brainalign[hf]'") from error
    where = Path(folder)
    if not (where / "config.json").is_file():
        raise ModelError(f"{where} holds no network of transformers (no config.json).")
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)  # nosec B615 - of a local folder
    config = transformers.AutoConfig.from_pretrained(where, **options)  # nosec B615

    @functools.cache
    def loaded() -> nn.Module:
        try:
            network: nn.Module = transformers.AutoModel.from_pretrained(where, **options).float()  # nosec B615
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{where} does not load: {str(error)[:300]}") from error
        return network

    def make() -> nn.Module:
        return copy.deepcopy(loaded())

    def prepare(part: Part, device: torch.device) -> Batches:
        pairs = bool(len(part)) and isinstance(part.inputs[0], tuple)
        if pairs and not joint:
            sides = [_tokens(tokenizer, [pair[i] for pair in part.inputs], None, max_length) for i in (0, 1)]
            ids, mask = (torch.stack(both, dim=1) for both in zip(*sides, strict=True))
        else:
            first = [pair[0] for pair in part.inputs] if pairs else list(part.inputs)
            ids, mask = _tokens(tokenizer, first, [pair[1] for pair in part.inputs] if pairs else None, max_length)
        return Batches((ids.to(device), mask.to(device)), _labels(part).to(device), tokens=True)

    def features(encoder: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        ids, mask = inputs
        states: torch.Tensor = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        if pooling == "first":
            return states[:, 0]
        weights = mask[..., None].to(states.dtype)
        return (states * weights).sum(dim=1) / weights.sum(dim=1)

    return Source(where.name, make, prepare, features, int(config.hidden_size), joint)


def _tokens(
    tokenizer: Any, first: Sequence[str], second: Sequence[str] | None, max_length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    more = {} if second is None else {"text_pair": list(second)}
    given = tokenizer(list(first), **more, padding="max_length", truncation=True, max_length=max_length)
    return torch.tensor(given["input_ids"]), torch.tensor(given["attention_mask"])


def _labels(part: Part) -> torch.Tensor:
    return torch.from_numpy(np.asarray(part.labels, dtype=np.float32))

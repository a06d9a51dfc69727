"""Classes of stimuli: which output of a classifier each is, what it is called, and what a text tower makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.errors import InputError, ModelError, PairingError, near_names

__all__ = ["Classes", "Descriptions", "described_classes", "read_classes"]

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes of stimuli, in the order of the embeddings.

    Attributes
    ----------
    known : bool array, shape (n_stimuli,)
        Where there is a class.
    labels : array, shape (n_stimuli,)
        As they stand in the table, as text.
    target : int array, shape (n_stimuli,), or None
        Output of the classifier; None where names of classes say nothing of outputs.
    names : list of str, or None
        Names in the order of the outputs, or of their sorted labels; None where labels are bare numbers.
    first : int
        Output of the first name.
    """

    known: npt.NDArray[np.bool_]
    labels: npt.NDArray[Any]
    target: npt.NDArray[np.int64] | None
    names: list[str] | None
    first: int = 0

    @property
    def sha256(self) -> str:
        """First 12 hex digits of a hash of all labels, in order."""
        return hashlib.sha256("\0".join(map(str, self.labels)).encode()).hexdigest()[:12]

    @property
    def n_classes(self) -> int:
        """Number of classes among the stimuli."""
        return len(set(self.labels[self.known]))

    @property
    def described(self) -> npt.NDArray[np.int64]:
        """Place of each stimulus's class in ``names``."""
        if self.target is not None:
            return self.target - self.first
        places = {name: i for i, name in enumerate(self.names or ())}
        return np.array([places.get(str(label), -1) for label in self.labels])


def read_classes(
    table: pd.DataFrame, ids: Sequence[str], stimuli: str, label: str, names: Sequence[str] | None, first_class: int
) -> Classes:
    """Read the classes of stimuli from the table of their set; `measure_accuracy` has the parameters.

    Raises
    ------
    InputError
        No such column, no label in it, or one that ``names`` does not hold.
    PairingError
        Embeddings of stimuli that the set does not hold any more.
    """
    if label not in table.columns:
        raise InputError(
            f"stimulus set {stimuli!r} has no column {label!r} of classes; it has {', '.join(table.columns)}. Import "
            "the images with their labels (brainalign data import images … --labels)."
        )
    by_id = dict(zip(table["stimulus"], table[label], strict=True))
    absent = [i for i in ids if i not in by_id]
    if absent:
        raise PairingError(f"{len(absent)} embedded stimuli are not in the set {stimuli!r}, first {absent[0]!r}.")
    raw = [by_id[i] for i in ids]
    known = np.array([not (pd.isna(v) or str(v).strip() == "") for v in raw])
    if not known.any():
        raise InputError(f"no stimulus of {stimuli!r} has a class in its column {label!r}.")
    numbers = _whole_numbers([v for v, k in zip(raw, known, strict=True) if k])
    labels = np.array([_text(v) if k else "" for v, k in zip(raw, known, strict=True)], dtype=object)
    listed = None if names is None else [str(name) for name in names]
    if numbers is not None:
        target = np.full(len(raw), -1)
        target[known] = numbers + first_class
        return Classes(known, labels, target, listed, first_class)
    if listed is None:
        return Classes(known, labels, None, sorted(set(labels[known])))
    places = {name: i for i, name in enumerate(listed)}
    strange = sorted(set(labels[known]) - set(places))
    if strange:
        raise InputError(f"no class is called {strange[0]!r} ({len(strange)} labels).{near_names(strange[0], listed)}")
    target = np.array([places[str(v)] + first_class if k else -1 for v, k in zip(labels, known, strict=True)])
    return Classes(known, labels, target, listed, first_class)


def _whole_numbers(values: list[Any]) -> npt.NDArray[np.int64] | None:
    try:
        numbers = np.array([float(v) for v in values])
    except (TypeError, ValueError):
        return None
    return numbers.astype(np.int64) if np.array_equal(numbers, np.rint(numbers)) else None


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True, eq=False)
class Descriptions:
    """What a text tower makes of classes: (n_classes, n_templates, n_features); ``network`` is ``id@revision``."""

    values: npt.NDArray[Any]
    network: str


def described_classes(
    text: Any, names: Sequence[str] | None, templates: Sequence[str], *, allow_download: bool = False
) -> Descriptions:
    """Run a text tower over the descriptions of classes.

    Parameters
    ----------
    text : str or Network
        Whatever `load_network` takes; it must read texts.
    names : sequence of str, or None
    templates : sequence of str
        Each with ``{}`` for the name.

    Raises
    ------
    InputError
        Classes without names, or a template without a place for them.
    ModelError
        A network that reads no texts, or gives no vector a text.
    """
    import torch

    from brainalign.models import load_network
    from brainalign.models.forward import at_inference
    from brainalign.models.layers import first_tensor

    if names is None:
        raise InputError("classes are bare numbers; give their names (classes=, --classes) to describe them.")
    bare = [template for template in templates if "{}" not in template]
    if bare or not templates:
        raise InputError(f"a template needs {{}} for the name of a class, as in 'a photo of a {{}}.' (got {bare}).")
    network = load_network(text, allow_download=allow_download)
    if network.takes != "text":
        raise ModelError(f"{network.id!r} reads no texts; name the text tower, as in 'open_clip:ARCH/FILE#text'.")
    said = [template.replace("{}", name) for name in names for template in templates]
    parts = []
    with at_inference(network.module, torch.device("cpu")):
        for start in range(0, len(said), _BATCH):
            batch = torch.stack([network.preprocess(one) for one in said[start : start + _BATCH]])
            output = first_tensor(network.module(batch))
            if output is None or output.ndim != 2:
                raise ModelError(f"{network.id!r} gives no vector for each text, so classes cannot be described.")
            parts.append(output.float().cpu().numpy())
    values = np.concatenate(parts).reshape(len(names), len(templates), -1)
    return Descriptions(values, f"{network.id}@{network.revision}")
